#!/usr/bin/env python3
"""The short form of ./dev soak: every behaviour of the farm, several threads, nothing lost."""
from common import Lab, tap, unittest
from lab.soak import Soak


class SoakTest(unittest.TestCase):
    def test_soak(self):
        with Lab() as lab:
            soak = Soak(lab, 900, threads=3, timeout=12, concurrency=60)
            soak.run()
            stored, _, _ = soak.check()
            self.assertEqual(soak.failures, [])
            self.assertEqual(stored, 900)


if __name__ == '__main__':
    tap.main()
