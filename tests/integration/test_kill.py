#!/usr/bin/env python3
"""kill -9 and SIGTERM in the middle of a pass: the corpus is whole, what was said stands in it."""
import json
import signal
import subprocess
import time

from common import Ca, Lab, observations, programs, tap, unittest
from lab import smtp_servers


class KillTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        leaf = Ca(cls.lab.path('ca')).issue('leaf', ['mx.kill.test'])
        names = [f's{i}' for i in range(40)]
        cls.servers = smtp_servers.SmtpServers(
            cls.lab, {n: smtp_servers.honest for n in names}, leaf)
        cls.targets = [cls.servers.target(n) for n in names]

    def begin(self, store, *more):
        return subprocess.Popen(
            [programs.path('mxcollect'), 'run', *self.targets, '--store', store, '--json',
             '--allow-private', '--per-address-gap', '0', '--rate', '40', *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=programs.environment())

    def said(self, text):
        return [json.loads(line) for line in text.split('\n') if line.endswith('}')]

    def test_kill_9_again_and_again(self):
        store, kept = self.lab.path('killed'), []
        for delay in (0.3, 1.2, 2, 3):
            process = self.begin(store)
            time.sleep(delay)
            process.kill()
            out, _ = process.communicate(timeout=30)
            kept += [o for o in self.said(out) if o['type'] == 'observation']
            check = programs.run('mxstore', 'check', '--store', store)
            if check.status == 2 and not kept:
                continue  # ended before there was a store
            self.assertEqual(check.status, 0, check)
        self.assertTrue(kept, 'the collector was never alive long enough to say anything')
        there = {json.dumps(o, sort_keys=True)
                 for o in observations(store).records('observation')}
        lost = [o for o in kept if json.dumps(o, sort_keys=True) not in there]
        self.assertEqual(lost, [], 'what --json showed as stored is not there')

    def test_sigterm_ends_cleanly_and_says_what_was_left(self):
        store = self.lab.path('ended')
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number.name):
                process = self.begin(store, '--rate', '10')
                time.sleep(1.5)
                process.send_signal(number)
                start = time.monotonic()
                out, err = process.communicate(timeout=60)
                self.assertLess(time.monotonic() - start, 30)
                self.assertIn(process.returncode, (0, 1), err)
                self.assertTrue(self.said(out))
                self.assertRegex(err, r'\d+')
                check = programs.run('mxstore', 'check', '--store', store)
                self.assertEqual(check.status, 0, check)

    def test_two_collectors_at_once(self):
        store = self.lab.path('two')
        both = [self.begin(store, '--vantage', v) for v in ('one', 'two')]
        said = []
        for process in both:
            out, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, err)
            said += [o for o in self.said(out) if o['type'] == 'observation']
        self.assertEqual(len(said), 2 * 3 * len(self.targets))
        self.assertEqual(len(observations(store).records('observation')), len(said))


if __name__ == '__main__':
    tap.main()
