#!/usr/bin/env python3
"""A short torture of the corpus: ./dev torture is the long one. TORTURE_SEED repeats a run."""
import os
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                'torture'))

import crash  # noqa: E402
from common import programs, tap  # noqa: E402
from crowd import wait_for  # noqa: E402
from torture import Torture, place  # noqa: E402

SEED = os.environ.get('TORTURE_SEED') or str(time.time_ns())
SECONDS = 4  # of each test, about, where nothing else keeps the machine busy


class TortureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix='mx509-torture-', dir=place())
        cls.addClassCleanup(folder.cleanup)
        cls.torture = Torture(folder.name, SEED)
        cls.torture.say = lambda text: print(f'# {text}')

    def tearDown(self):
        broken, self.torture.broken = self.torture.broken, []
        self.assertEqual(broken, [], f'TORTURE_SEED={SEED}')

    def test_boundaries(self):
        self.assertGreater(self.torture.boundaries(SECONDS), 0)

    def test_commands(self):
        self.assertGreater(self.torture.works(4 * SECONDS), 0)

    def test_kills(self):
        self.assertGreater(self.torture.kills(SECONDS), 0)

    def test_power(self):
        self.assertGreater(self.torture.power(SECONDS), 0)

    def test_damage(self):
        self.assertGreater(self.torture.flips(SECONDS, batches=8), 0)

    def test_crowd(self):
        self.assertGreater(self.torture.crowd(SECONDS), 0)

    def test_dead_reader(self):
        self.torture.dead_reader()

    def test_a_wait_is_said(self):
        store, source = self.torture.path('waited'), self.torture.path('source.jsonl')
        with open(source, 'wb') as f:
            f.write(crash.export(self.torture.golden.store(1)))
        holder = crash.write(store, 0, 1, '-H')
        wait_for(holder, 'hold 0')
        waiting, quiet = (subprocess.Popen(
            [programs.path('mxstore'), 'import', 'jsonl', source, '--store', store, *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=programs.environment()) for more in ((), ('--quiet',)))
        self.assertEqual(waiting.stderr.readline(),
                         f'mxstore: waiting for another writer of {store}\n')
        holder.communicate()
        for process in (waiting, quiet):
            _, err = process.communicate()
            self.assertEqual(process.returncode, 0, err)
            self.assertNotIn('writer', err)


if __name__ == '__main__':
    tap.main()
