#!/usr/bin/env python3
"""The whole chain live: watch against real servers, the incident, and what follows the feed hears of
it in time; then every process is killed and begun anew. Readers and the writer at once, too."""
import json
import os
import re
import signal
import subprocess
import threading
import time

from common import DOMAIN, Lab, World, observations, programs, tap, unittest
from lab import atom
from lab.lab import wait_until
from lab.live import Follower, lines, slowness

INTERVAL, CLOSE = 8, 1
SLACK = 2  # seconds beyond an interval: the commit's batch, the feed's second


class ChainTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.world = World(self.lab)

    def watch(self):
        world = self.world
        with open(self.lab.path('watch.err'), 'ab') as err:
            process = subprocess.Popen(
                ['setpriv', '--pdeathsig=TERM', '--', programs.path('mxcollect'), 'watch', DOMAIN,
                 '--store', world.store, '--resolver', world.dns.resolver, '--trust-anchor',
                 world.dns.anchor, '--port', str(world.exim.port), '--allow-private',
                 '--per-address-gap', '0', '--interval', str(INTERVAL), '--close-interval',
                 str(CLOSE), '--timeout', '10'], stdout=subprocess.DEVNULL, stderr=err,
                stdin=subprocess.DEVNULL, env=programs.environment())
        self.lab.on_close(self.end, process)
        return process

    def end(self, process, number=signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(number)
        return process.wait(60)

    def seen(self):
        if not os.path.exists(os.path.join(self.world.store, 'data.mdb')):
            return 0
        done = programs.run('mxstore', 'export', 'jsonl', '--store', self.world.store)
        return len({o['address'] for o in done.records('observation')}) if done.status == 0 else 0

    def atom(self, folder):
        """The titles of the entries of all documents, by their ids."""
        found = atom.titles(folder)
        self.assertEqual(len(found), len(dict(found)), found)
        return dict(found)

    def atom_says(self, folder, words):
        return any(words in title for title in self.atom(folder).values())

    def rollouts_open(self):
        """What the metric says."""
        done = programs.run('mxdiff', 'metrics', '--store', self.world.store)
        return sum(int(n) for n in re.findall(r'^mx509_rollouts_open\b.* (\d+)$', done.out, re.M))

    def assertWithin(self, begin, limit, condition, what):
        """Strictly; waits longer than that only to say how late it was."""
        wait_until(condition, limit + 60, what)
        self.assertLess(time.time() - begin, limit, what)

    def assertOnce(self, followers):
        """No change twice but where the one before was killed before its cursor was told."""
        told, allowed = set(), set()
        for follower in followers:
            for e in follower.events():
                if e['type'] == 'change' or (e['type'] == 'window' and not e['update']):
                    if e['id'] not in allowed:
                        self.assertNotIn(e['id'], told, e)
                    told.add(e['id'])
            allowed |= follower.after_last_cursor()

    def assertMarked(self, heard):
        """No change twice but with the mark; returns how many had it."""
        told, marked = set(), 0
        for e in heard:
            if e['type'] == 'change' or (e['type'] == 'window' and not e['update']):
                if e['id'] in told:
                    self.assertTrue(e.get('repeat'), e)
                told.add(e['id'])
            marked += e.get('repeat', False)
        return marked

    def test_incident(self):
        world = self.world
        watch = self.watch()
        wait_until(lambda: self.seen() == len(world.addresses), 40, 'the first pass')
        cursor, heard, hold, out = (self.lab.path(name) for name in ('cursor', 'heard', 'hold', 'atom'))
        open(heard, 'xb').close()
        # The command lingers where it is told to, so that a follower that is killed leaves it half done.
        kinds = [('--cursor-file', cursor),
                 ('--cursor-file', cursor + '.exec', '--exec', f'cat >>{heard}; while [ -e {hold} ]; do sleep 0.1; done'),
                 ('--format', 'atom', '--out', out)]
        followers = [Follower(self.lab, world.store, *kind) for kind in kinds]
        feeds = followers[:1]
        first, second, *rest = world.addresses
        limit = INTERVAL + SLACK + slowness()

        def commanded(address):
            return any(e.get('address') == address for e in lines(heard))

        begin = world.exim.roll_out(first)
        self.assertWithin(begin, limit, lambda: feeds[0].changes(first), 'the first change')
        change = feeds[0].changes(first)[0]
        self.assertIn('sentinel', change['class'])
        self.assertEqual(change['severity'], 'critical')
        self.assertWithin(begin, limit, feeds[0].windows, 'the roll-out')
        self.assertWithin(begin, limit, lambda: commanded(first), 'the command')
        self.assertWithin(begin, limit, lambda: self.atom_says(out, '1 of 5 converted'), 'the entry')
        self.assertWithin(begin, limit, lambda: self.rollouts_open() == 1, 'the metric')
        window = feeds[0].windows()[0]
        self.assertEqual((window['converted'], window['total'], window['end']),
                         (1, len(world.addresses), None))
        self.assertFalse(window['update'])

        # The schedule is tightened: the next one is found sooner than an interval.
        open(hold, 'xb').close()
        begin = world.exim.roll_out(second)
        self.assertWithin(begin, 4 * CLOSE + SLACK + slowness(),
                          lambda: feeds[0].changes(second), 'the second change')

        # Everybody is killed in the midst of it, the command while it runs, and begins anew.
        wait_until(lambda: commanded(second), 20, 'the second command')
        for follower in [followers[1], followers[0], followers[2]]:
            follower.end(signal.SIGKILL)
        self.end(watch, signal.SIGKILL)
        os.remove(hold)
        for address in rest:
            begin = world.exim.roll_out(address)
        followers = [Follower(self.lab, world.store, *kind) for kind in kinds]
        feeds.append(followers[0])
        watch = self.watch()
        ended = lambda events: any(w['type'] == 'window' and w['end'] for w in events)  # noqa: E731
        late = limit + slowness()
        self.assertWithin(begin, late, lambda: ended(feeds[1].windows()), 'the end of the roll-out')
        self.assertWithin(begin, late, lambda: ended(lines(heard)), 'the command at the end')
        self.assertWithin(begin, late, lambda: self.atom_says(out, '5 of 5 converted'),
                          'the entry at the end')
        self.assertWithin(begin, late, lambda: self.rollouts_open() == 0, 'the metric at the end')
        last = feeds[1].windows()[-1]
        self.assertEqual((last['converted'], last['total']), (5, 5))
        self.assertEqual(last['id'], window['id'])
        self.assertTrue(last['update'])
        for variant in ('hostname', 'unknown'):
            self.assertEqual(feeds[1].windows(variant), [])
        self.assertEqual(self.end(watch), 0)
        time.sleep(2.5)
        for follower in followers:
            self.assertEqual(follower.end(), 0)
        self.assertOnce(feeds)
        self.assertGreater(self.assertMarked(lines(heard)), 0, 'it was killed while the command ran')
        everything = {e['id'] for f in feeds for e in f.changes()}
        log = programs.run('mxdiff', 'log', '--store', world.store, '--json', '--sni', 'none')
        self.assertEqual(everything, {e['id'] for e in log.records('change')})
        self.assertEqual(everything, {e['id'] for e in lines(heard) if e['type'] == 'change'})
        # One roll-out, one entry, whoever was killed meanwhile.
        self.assertEqual(len(self.atom(out)), 1)
        self.assertEqual(len(atom.Atom().read(out).entries), 1)
        check = programs.run('mxstore', 'check', '--store', world.store)
        self.assertEqual(check.status, 0, check)

    def test_readers_and_the_writer_at_once(self):
        watch = self.watch()
        wait_until(lambda: self.seen() == len(self.world.addresses), 40, 'the first pass')
        feed, failed, stop = Follower(self.lab, self.world.store), [], threading.Event()

        def read(*argv):
            while not stop.is_set():
                done = programs.run(*argv, '--store', self.world.store)
                if done.status != 0:
                    failed.append(done)
                time.sleep(0.1)

        threads = [threading.Thread(target=read, args=args) for args in (
            ('mxdiff', 'show'), ('mxdiff', 'log'), ('mxdiff', 'report', '--out', '-'),
            ('mxstore', 'export', 'jsonl'))]
        for thread in threads:
            thread.start()
        sizes, counts = [], []
        try:
            for address in self.world.addresses:
                self.world.exim.roll_out(address)
                time.sleep(3)
                stat = programs.run('mxstore', 'stat', '--json', '--store', self.world.store)
                figures = json.loads(stat.out)
                sizes.append(figures['file_octets'])
                counts.append(figures['observations'])
                # A follower that waits holds no page.
                self.assertLessEqual(figures['oldest_reader_lag'] or 0, 20, figures)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failed, [])
        # Nine seconds on, a pass is over.
        self.assertTrue(all(a < b for a, b in zip(counts, counts[3:])), counts)
        self.assertLess(sizes[-1], sizes[0] + (4 << 20), sizes)
        self.assertTrue(feed.changes())
        self.assertEqual(feed.end(), 0)
        self.assertEqual(self.end(watch), 0)
        self.assertTrue(observations(self.world.store).records('observation'))


if __name__ == '__main__':
    tap.main()
