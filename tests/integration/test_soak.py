#!/usr/bin/env python3
"""The short form of ./dev soak: every behaviour of the farm, several threads, nothing lost."""
from common import Lab, tap, unittest
from lab.soak import Soak


class SoakTest(unittest.TestCase):
    def test_soak(self):
        with Lab() as lab:
            soak = Soak(lab, 1500, threads=3, timeout=6, concurrency=300)
            soak.run()
            stored, _, _ = soak.check()
            self.assertEqual(soak.failures, [])
            self.assertEqual(stored, 1500)


if __name__ == '__main__':
    tap.main()
