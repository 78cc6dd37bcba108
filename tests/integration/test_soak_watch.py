#!/usr/bin/env python3
"""The short form of ./dev soak watch: passes, roll-outs, a follower; each roll-out is told once."""
import os

from common import Lab, tap, unittest
from lab.soak_watch import Soak


class SoakWatchTest(unittest.TestCase):
    def test_soak(self):
        # What AddressSanitizer keeps from being used again is no growth of ours.
        os.environ['ASAN_OPTIONS'] = os.environ.get('ASAN_OPTIONS', '') + ':quarantine_size_mb=1'
        with Lab() as lab:
            soak = Soak(lab, seconds=36, addresses=160, interval=4, every=7, timeout=2, threads=3)
            soak.growth *= 4  # half a minute, and redzones around all that is kept
            soak.run()
            soak.stop()
            observations, _, _ = soak.check()
            self.assertEqual(soak.failures, [])
            self.assertGreater(observations, 160)
            self.assertGreater(soak.roll_outs, 1)
            self.assertLess(soak.idle(3), 5)


if __name__ == '__main__':
    tap.main()
