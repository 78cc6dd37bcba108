#!/usr/bin/env python3
"""A short torture of the corpus: ./dev torture is the long one. TORTURE_SEED repeats a run."""
import os
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                'torture'))

import crash  # noqa: E402
from common import programs, tap  # noqa: E402
from crowd import Crowd  # noqa: E402
from torture import Torture, place  # noqa: E402

SEED = os.environ.get('TORTURE_SEED') or str(time.time_ns())
SECONDS = 4  # of each test, about, where nothing else keeps the machine busy


class TortureTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='mx509-torture-', dir=place())
        self.addCleanup(folder.cleanup)
        self.torture = Torture(folder.name, SEED)
        self.said = []
        self.torture.say = self.said.append

    def tearDown(self):
        for line in self.said:
            print(f'# {line}')
        self.assertEqual(self.torture.broken, [], f'TORTURE_SEED={SEED}')

    def test_boundaries(self):
        self.torture.boundaries(share=0.08)

    def test_kills(self):
        self.torture.kills(SECONDS)

    def test_power(self):
        self.torture.power(0, n=0)

    def test_damage(self):
        self.torture.flips(SECONDS)

    def test_crowd(self):
        self.torture.crowd(SECONDS)

    def test_dead_reader(self):
        self.torture.dead_reader()

    def test_a_wait_is_said(self):
        store = self.torture.path('waited')
        holder = crash.write(store, 0, 1, '-H', '2500')
        Crowd.wait_for(holder, 'hold 0')
        lines = crash.export(self.torture.golden.store(1)).decode()
        for more, said in (((), ['mxstore: ' + store + ': another writer is at work; waiting for '
                                 'it to finish']), (('--quiet',), [])):
            done = programs.run('mxstore', 'import', 'jsonl', '-', '--store', store, *more,
                                stdin=lines)
            self.assertEqual(done.status, 0, done)
            self.assertEqual([line for line in done.err.splitlines() if 'writer' in line], said)
        holder.communicate()


if __name__ == '__main__':
    tap.main()
