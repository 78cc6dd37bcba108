#!/usr/bin/env python3
"""The feed as it is followed: promptly, idly, to the end, and across kill -9."""
import datetime
import fcntl
import json
import os
import queue
import random
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

from common import Lab, programs, tap
from lab.lab import wait_until
from lab.story import Story

PROMPT_S = 1  # a change is out within so long of its commit; a busy machine may take some more
IDLE = 0.001  # of a processor


def cpu_s(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def waiting(pipe):
    """Octets that are in a pipe and were not read."""
    return struct.unpack('i', fcntl.ioctl(pipe, termios.FIONREAD, b'\0' * 4))[0]


class Follower:
    """mxdiff feed --follow, its lines with the moment at which each came."""

    def __init__(self, store, *args):
        self.process = subprocess.Popen(
            [programs.path('mxdiff'), 'feed', '--follow', '--store', store, *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=programs.environment())
        self.lines, self.seen = queue.Queue(), []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), line))
        self.lines.put((time.monotonic(), None))

    def next(self, timeout=20):
        """(moment, event)"""
        moment, line = self.lines.get(timeout=timeout)
        if line is None:
            raise AssertionError('the feed ended: ' + self.process.stderr.read())
        event = json.loads(line)
        self.seen.append(event)
        return moment, event

    def until_cursor(self, timeout=20):
        """The events up to the next cursor, and the moment of the first."""
        events, first = [], None
        while True:
            moment, event = self.next(timeout)
            first = first or moment
            if event['type'] == 'cursor':
                return first, events
            events.append(event)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(timeout=20)
        self.thread.join(timeout=20)
        self.process.stdout.close()
        error = self.process.stderr.read()
        self.process.stderr.close()
        return self.process.returncode, error


class FollowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)

    def changes(self, events):
        return [e for e in events if e['type'] == 'change']

    def readers(self, story):
        return programs.run('mxstore', 'stat', '--json', '--store', story.store).lines()[0]['readers']

    def test_a_change_is_out_at_once(self):
        story = Story(self.lab, 'prompt')
        follower = Follower(story.store)
        self.assertEqual(follower.until_cursor()[1], [])
        late = []
        for address in story.places:
            story.see({address: 'sentinel'})
            committed = time.monotonic()
            moment, events = follower.until_cursor()
            late.append(moment - committed)
            self.assertEqual([c['address'] for c in self.changes(events)], [address])
        self.assertLess(sorted(late)[len(late) // 2], PROMPT_S)
        self.assertLess(max(late), 10 * PROMPT_S)
        log = story.mxdiff('log', '--json').lines()
        self.assertEqual([c['id'] for c in self.changes(follower.seen)], [c['id'] for c in log])
        self.assertEqual(follower.end(), (0, ''))

    def test_it_waits_idly(self):
        story = Story(self.lab, 'idle')
        follower = Follower(story.store)
        follower.until_cursor()
        before = cpu_s(follower.process.pid)
        time.sleep(6)
        self.assertLess((cpu_s(follower.process.pid) - before) / 6, 10 * IDLE)
        self.assertEqual(follower.end(signal.SIGINT), (0, ''))

    def test_it_ends_well_when_its_terminal_does(self):
        story = Story(self.lab, 'hangup')
        follower = Follower(story.store)
        follower.until_cursor()
        self.assertEqual(follower.end(signal.SIGHUP), (0, ''))
        old = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        try:
            follower = Follower(story.store)
        finally:
            signal.signal(signal.SIGHUP, old)
        follower.until_cursor()
        follower.process.send_signal(signal.SIGHUP)
        story.see({'192.0.2.1': 'sentinel'})
        self.assertEqual(len(self.changes(follower.until_cursor()[1])), 1)
        self.assertEqual(follower.end(), (0, ''))

    def test_it_ends_when_nobody_reads(self):
        story = Story(self.lab, 'closed')
        follower = subprocess.Popen(
            [programs.path('mxdiff'), 'feed', '--follow', '--store', story.store],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=programs.environment())
        follower.stdout.readline()
        follower.stdout.close()
        self.assertEqual(follower.wait(timeout=20), -signal.SIGPIPE)
        self.assertEqual(follower.stderr.read(), b'')
        follower.stderr.close()

    def test_a_reader_that_stalls_holds_up_nobody(self):
        """The view is closed before the events are written: no page is kept from the writer."""
        story = Story(self.lab, 'stalled', addresses=120)
        story.see(dict.fromkeys(story.places, 'sentinel'))
        alone = self.readers(story)
        follower = subprocess.Popen(
            [programs.path('mxdiff'), 'feed', '--follow', '--store', story.store],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=programs.environment())
        wait_until(lambda: waiting(follower.stdout) > 0, 60, 'the first octets')
        self.assertEqual(self.readers(story), alone)
        self.assertIsNone(follower.poll())
        out, _ = b'', follower.send_signal(signal.SIGTERM)
        out = follower.communicate(timeout=20)[0]
        self.assertEqual(follower.returncode, 0)
        self.assertTrue(out.endswith(b'\n'), 'the line that was begun is finished')

    def test_cursor_file_waits_for_the_reader(self):
        """What lies in a pipe whose reader died was not delivered."""
        story, cursor = Story(self.lab, 'drained'), self.lab.path('drained.cursor')
        story.see({'192.0.2.1': 'sentinel'})
        for _ in range(2):
            feed = subprocess.Popen(
                [programs.path('mxdiff'), 'feed', '--cursor-file', cursor, '--store', story.store],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=programs.environment())
            time.sleep(0.5)
            self.assertIsNone(feed.poll())
            feed.stdout.close()  # nothing was read
            self.assertEqual(feed.wait(timeout=20), -signal.SIGPIPE)
            feed.stderr.close()
            self.assertFalse(os.path.exists(cursor))
        done = story.mxdiff('feed', '--cursor-file', cursor)
        self.assertEqual(len(done.records('change')), 1, done)
        self.assertTrue(os.path.exists(cursor))
        self.assertEqual(len(story.mxdiff('feed', '--cursor-file', cursor).lines()), 1)

    def test_kill_9_at_any_moment(self):
        """At least once, in order; who drops what he had already knows what log says."""
        story, cursor = Story(self.lab, 'killed', addresses=6), self.lab.path('killed.cursor')
        r, told, stop, commits = random.Random(9), [], threading.Event(), []

        def write():
            while not stop.is_set():
                story.see({r.choice(list(story.places)): r.choice(('sentinel', 'leaf', 'renewed'))})
                commits.append(story.now)
                time.sleep(0.05)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            kills = 0
            while kills < 12 or len(commits) < 30:
                self.assertTrue(writer.is_alive(), 'the writer has ended')
                kills += 1
                follower = Follower(story.store, '--cursor-file', cursor)
                time.sleep(r.random())
                follower.process.kill()
                follower.process.wait()
                follower.thread.join()
                follower.process.stdout.close()
                follower.process.stderr.close()
                while not follower.lines.empty():
                    line = follower.lines.get()[1]
                    if line and line.endswith('\n'):
                        told.append(json.loads(line))
        finally:
            stop.set()
            writer.join()
        told += story.mxdiff('feed', '--cursor-file', cursor).lines()
        known = {}
        for e in told:
            if e['type'] in ('change', 'altered'):
                known[e['id']] = e
                known.pop(e['revises'], None)
            elif e['type'] == 'retracted':
                known.pop(e['id'], None)
        log = {c['id']: c for c in story.mxdiff('log', '--json').lines()}
        self.assertGreater(len(log), 2)
        self.assertEqual(set(known), set(log))
        for key, change in log.items():
            self.assertEqual(dict(known[key], type='change', revises=None), change)
        for address in story.places:
            # That an older one goes on is known only when the newer one has not come again for long.
            befores = [e['before'] for e in told if e['type'] == 'change' and
                       e['address'] == address and not e['revises'] and
                       'rolled-back' not in e['class']]
            first = list(dict.fromkeys(befores))
            self.assertEqual(first, sorted(first), 'in order')

    def test_a_roll_out_is_one_that_proceeds(self):
        story = Story(self.lab, 'rollout')
        follower = Follower(story.store, '--type', 'window')
        follower.until_cursor()
        told = []
        for address in story.places:
            story.see({address: 'sentinel'})
            told += follower.until_cursor()[1]
        story.see()  # nothing new
        story.see(dict.fromkeys(story.places, 'leaf'))
        back = follower.until_cursor()[1]
        self.assertEqual(follower.end(), (0, ''))
        self.assertEqual({(w['type'], w['id'], w['revises']) for w in told},
                         {('window', told[0]['id'], None)})
        self.assertEqual([(w['update'], w['converted'], w['total'], w['end'] is not None)
                          for w in told],
                         [(False, 1, 3, False), (True, 2, 3, False), (True, 3, 3, True)])
        # Seen once, the old one may be a balancer's: all are mixed.
        self.assertEqual([(w['id'] == told[0]['id'], w['update'], w['converted'], w['mixed'])
                          for w in back], [(True, True, 0, 3)])
        windows = story.mxdiff('windows', '--json').lines()
        self.assertEqual({w['id'] for w in windows}, {w['id'] for w in told + back})

    def test_the_order_of_probes_does_not_matter(self):
        """One that was seen last with the old one before the first: the same roll-out."""
        story = Story(self.lab, 'order')
        first, second = list(story.places)[:2]
        shown = []
        for address, what, seconds in ((first, 'leaf', 30), (second, 'leaf', 10),
                                       (first, 'sentinel', 60), (second, 'sentinel', 90)):
            moment = story.now + datetime.timedelta(seconds=seconds)
            story.tell([story.observation(address, what, moment=moment)])
            shown += story.mxdiff('windows', '--json').lines()
        self.assertEqual([len(shown), len({w['id'] for w in shown})], [2, 1])
        self.assertNotEqual(shown[0]['start'], shown[1]['start'])

    def test_text_and_filters(self):
        story = Story(self.lab, 'text')
        story.see({'192.0.2.1': 'sentinel'})
        story.see({'192.0.2.2': 'renewed'})
        text = story.mxdiff('feed', '--format', 'text')
        self.assertEqual(text.status, 0, text)
        self.assertIn('critical  mx1.bigmail.test 192.0.2.1:25', text.out)
        self.assertRegex(text.out, r'\ncursor \d+\n\Z')
        for args in (('--severity', 'critical'), ('mx1.bigmail.test',), ('--class', 'sentinel'),
                     ('--until', story.mxdiff('log', '--json').lines()[1]['after'])):
            with self.subTest(args=args):
                told = story.mxdiff('feed', *args).records('change')
                self.assertEqual([c['address'] for c in told], ['192.0.2.1'])

    def test_what_cannot_be_had_is_said(self):
        story = Story(self.lab, 'errors')
        bad = self.lab.path('bad.cursor')
        with open(bad, 'w', encoding='ascii') as f:
            f.write('once\n')
        for args, word in ((('--format', 'xml'), 'xml'), (('--since', 'once'), 'once'),
                           (('--since', '99'), '99'), (('--cursor-file', bad), bad),
                           (('--cursor-file', bad, '--since', '1'), 'give one'),
                           (('--cursor-file', '/no/such/folder/c'), '/no/such/folder'),
                           (('--cursor-file', '/tmp'), '/tmp: Is a directory'),
                           (('--exec-jobs', '3'), '--exec CMD')):
            with self.subTest(args=args):
                done = story.mxdiff('feed', *args)
                self.assertEqual(done.status, 2, done)
                self.assertEqual(done.err.count('\n'), 1, done)
                self.assertIn(word, done.err)


if __name__ == '__main__':
    tap.main()
