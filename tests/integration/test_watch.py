#!/usr/bin/env python3
"""mxcollect watch against real servers: passes, closer looks, signals, what systemd is told, kills."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from common import DOMAIN, Lab, World, observations, packages, programs, tap, unittest
from lab.live import CLOSE, INTERVAL, Watch, seconds
from lab.smtp_servers import SmtpServers, says

SLACK = 2  # seconds: what the issue allows beyond an interval


class WatchTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.world = World(self.lab)

    def watch(self, *args, **more):
        return Watch(self.lab, self.world, *(args or (DOMAIN,)), **more)

    def gaps(self, watch, address, since):
        times = sorted(seconds(o['time']) for o in watch.seen(address=address))
        times = [t for t in times if t >= since]
        return [b - a for a, b in zip(times, times[1:])]

    def assertSound(self):
        done = programs.run('mxstore', 'check', '--store', self.world.store)
        self.assertEqual(done.status, 0, done)

    def test_closer_after_a_change_and_back(self):
        watch = self.watch(interval=16)
        watch.wait(lambda: watch.passes() >= 1, 20, 'the first pass')
        first, last = self.world.addresses[1], self.world.addresses[-1]
        self.assertLess(len(watch.seen(address=first)), 3)
        begin = self.world.exim.roll_out(first)
        shown = lambda a, n: len({tuple(o['chain']) for o in watch.seen(address=a)}) >= n  # noqa: E731
        watch.wait(lambda: shown(first, 2), 16 + SLACK + 10, 'the change')
        # All of the operator's addresses, and within seconds, though the interval is 16.
        watch.wait(lambda: all(len([o for o in watch.seen(address=a) if seconds(o['time']) > begin])
                               >= 4 for a in self.world.addresses), 30, 'closer looks')
        self.assertLess(min(self.gaps(watch, last, begin)), 4)
        self.assertRegex(watch.err(), rf'{re.escape(first)} \(none\): not what was shown before')
        # 1, 1, 2, 4, 8 s, and then the passes are enough.
        quiet = begin + 16 + 2 + 1 + 1 + 2 + 4 + 8
        watch.wait(lambda: time.time() > quiet + 18, 80, 'some time')
        late = self.gaps(watch, last, quiet + 1)
        self.assertTrue(not late or max(late) > 8, late)
        self.assertEqual(watch.end(), 0, watch.err())
        self.assertSound()

    def test_change_while_nobody_watched(self):
        watch = self.watch()
        watch.wait(lambda: watch.passes() >= 1, 20, 'the first pass')
        self.assertEqual(watch.end(), 0, watch.err())
        self.world.exim.roll_out(self.world.addresses[2])
        watch = self.watch()
        watch.wait(lambda: 'not what was shown before' in watch.err(), 20, 'the change')
        self.assertEqual(watch.end(signal.SIGINT), 0, watch.err())

    def test_targets_are_read_again(self):
        targets = self.lab.path('targets')
        with open(targets, 'w', encoding='ascii') as f:
            f.write(f'mx:mx1.{DOMAIN}\n')
        watch = self.watch('-f', targets)
        hosts = lambda: {o['host'] for o in watch.seen()}  # noqa: E731
        watch.wait(lambda: hosts() == {f'mx1.{DOMAIN}'}, 20, 'the first host')
        with open(targets, 'w', encoding='ascii') as f:
            f.write(f'mx:alt2.{DOMAIN}\nno..name\n')
        watch.process.send_signal(signal.SIGHUP)
        watch.wait(lambda: f'alt2.{DOMAIN}' in hosts(), 20, 'the second host')
        watch.wait(lambda: 'line 2' in watch.err(), 5, 'the bad line')
        after = len(watch.seen(address=self.world.addresses[1]))
        os.unlink(targets)
        watch.process.send_signal(signal.SIGHUP)
        watch.wait(lambda: 'the old list goes on' in watch.err(), 5, 'a word about the list')
        n = len(watch.seen(address=self.world.addresses[-1]))
        watch.wait(lambda: len(watch.seen(address=self.world.addresses[-1])) > n + 1, 30, 'passes')
        self.assertEqual(len(watch.seen(address=self.world.addresses[1])), after)
        # What is wrong with the list is said once and not in each pass.
        self.assertEqual(watch.err().count('line 2'), 1, watch.err())
        self.assertEqual(watch.end(), 0, watch.err())

    def test_an_empty_list_is_said(self):
        watch = self.watch('-f', '/dev/null')
        watch.wait(lambda: 'there are no targets' in watch.err(), 10, 'a word about the list')

    def test_who_opts_out_is_left_alone(self):
        watch = self.watch()
        watch.wait(lambda: watch.passes() >= 1, 20, 'the first pass')
        with open(os.path.join(self.world.store, 'blocklist'), 'a', encoding='ascii') as f:
            f.write(self.world.addresses[-1] + '\n')
        watch.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        before = len(watch.seen(address=self.world.addresses[-1]))
        n = len(watch.seen(address=self.world.addresses[1]))
        watch.wait(lambda: len(watch.seen(address=self.world.addresses[1])) > n + 1, 30, 'passes')
        self.assertLessEqual(len(watch.seen(address=self.world.addresses[-1])), before + 1)
        self.assertEqual(watch.end(), 0, watch.err())

    def test_pass_longer_than_its_interval(self):
        watch = self.watch('--rate', '4', interval=2, *(DOMAIN,))
        watch.wait(lambda: 'takes longer than the interval of 2 s: the next one is skipped'
                   in watch.err(), 20, 'a word about it')
        watch.wait(lambda: watch.passes() >= 2, 40, 'a second pass')
        self.assertEqual(watch.end(), 0, watch.err())
        self.assertSound()

    def test_who_wants_to_be_left_alone_holds_up_no_pass(self):
        # 5 s, then 20, then 80: a pass that waited for it would not be over within its interval.
        names = [f'busy{i}' for i in range(8)]
        servers = SmtpServers(self.lab, {n: says('421 come back later\r\n') for n in names})
        watch = self.watch(DOMAIN, *(f'{n}.{DOMAIN}@{servers.addresses[n]}:{servers.port}'
                                     for n in names))
        watch.wait(lambda: watch.passes() >= 3, 3 * INTERVAL + 20, 'three passes')
        # Nor a closer look, which it is to be part of, for the sake of its operator.
        first, last = self.world.addresses[0], self.world.addresses[-1]
        before = len(watch.seen(address=last))
        self.world.exim.roll_out(first)
        watch.wait(lambda: len(watch.seen(address=last)) > before + 4, 40, 'closer looks')
        self.assertEqual(watch.end(), 0, watch.err())
        self.assertNotIn('takes longer', watch.err())
        self.assertIn("skipped (their address asks to come later)", watch.err())
        busy = sorted(seconds(o['time']) for o in watch.seen(address=servers.addresses['busy0']))
        self.assertGreaterEqual(len(busy), 1)
        self.assertGreater(min([b - a for a, b in zip(busy, busy[1:])], default=9), 4.9, busy)
        self.assertSound()

    def test_systemd_is_told(self):
        path = self.lab.path('notify')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(20)
            watch = self.watch(env={'NOTIFY_SOCKET': path, 'WATCHDOG_USEC': '400000'})
            heard = ''
            while heard.count('WATCHDOG=1') < 5 or 'STATUS=' not in heard:
                heard += notify.recv(4096).decode() + '\n'
            self.assertIn('READY=1', heard)
            watch.process.send_signal(signal.SIGHUP)
            while 'RELOADING=1' not in heard:
                heard += notify.recv(4096).decode() + '\n'
            self.assertEqual(watch.end(), 0, watch.err())
            while 'STOPPING=1' not in heard:
                heard += notify.recv(4096).decode() + '\n'

    def test_kill_9_and_again(self):
        for delay in (0.5, 1.5, 3):
            watch = self.watch()
            watch.wait(lambda: os.path.exists(os.path.join(self.world.store, 'data.mdb')) or
                       watch.seen(), 20, 'a store')
            time.sleep(delay)
            watch.end(signal.SIGKILL)
            self.assertSound()
        watch = self.watch()
        watch.wait(lambda: watch.passes() >= 2, 30, 'two passes')
        self.assertEqual(watch.end(), 0, watch.err())
        there = {json.dumps(o, sort_keys=True) for o in
                 observations(self.world.store).records('observation')}
        for o in watch.seen():
            self.assertIn(json.dumps(o, sort_keys=True), there)
        self.assertNotIn('not what was shown before', watch.err())

    def test_usage(self):
        for args, said in ((('--interval', '0.2s', DOMAIN), '--interval'),
                           (('--interval', '10s', '--close-interval', '20s', DOMAIN),
                            '--close-interval'),
                           (('--resume', DOMAIN), 'resume'), ((), 'no targets')):
            with self.subTest(args=args):
                done = programs.run('mxcollect', 'watch', *args, '--store', self.lab.path('none'))
                self.assertEqual(done.status, 2, done)
                self.assertIn(said, done.err)
                self.assertEqual(len(done.err.splitlines()), 1, done)
        self.assertFalse(os.path.exists(self.lab.path('none')))


class ServiceTest(unittest.TestCase):
    """The examples of units, as far as that can be told without systemd as process 1."""

    def analyze(self, *args):
        if not shutil.which('systemd-analyze'):
            self.skipTest('systemd-analyze is not installed')
        return subprocess.run(['systemd-analyze', *args], capture_output=True, text=True,
                              timeout=60, check=False, env={**os.environ, 'LC_ALL': 'C.UTF-8'})

    def unit(self, name):
        return os.path.join(programs.BUILD, 'collector', name)

    def test_hardened(self):
        for name in ('mxcollect.service', 'mxcollect-run.service'):
            with self.subTest(unit=name):
                # 0 is safest, 100 all in reach.
                done = self.analyze('security', '--offline=true', '--threshold=15',
                                    '--no-pager', self.unit(name))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_understood(self):
        with Lab() as lab:
            copies = []
            for source in (self.unit('mxcollect.service'), self.unit('mxcollect-run.service'),
                           os.path.join(packages.TOP, 'collector/systemd/mxcollect-run.timer')):
                with open(source, encoding='utf-8') as f:
                    text = f.read()
                self.assertNotIn('@bindir', text)
                copies.append(lab.path(os.path.basename(source)))
                with open(copies[-1], 'w', encoding='utf-8') as f:
                    f.write(re.sub(r'^ExecStart=\S+', 'ExecStart=/bin/true', text, flags=re.M))
            done = self.analyze('verify', *copies)
            # The manual need not be installed here.
            said = [line for line in done.stderr.splitlines() if "'man " not in line]
            self.assertEqual(said, [])


if __name__ == '__main__':
    tap.main()
