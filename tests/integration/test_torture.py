#!/usr/bin/env python3
"""A short torture of the corpus: ./dev torture is the long one. TORTURE_SEED repeats a run."""
import os
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                'torture'))

from common import tap  # noqa: E402
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


if __name__ == '__main__':
    tap.main()
