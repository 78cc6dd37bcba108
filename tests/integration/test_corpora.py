#!/usr/bin/env python3
"""mxdiff cert over thousands of certificates that nobody on this project wrote, where they are."""
import os
import subprocess
import sys

from common import programs, tap, unittest
from lab.packages import TOP

CORPORA = os.path.join(os.path.dirname(TOP), 'shared', 'corpora')


class CorporaTest(unittest.TestCase):
    def test_no_difference_from_the_oracles(self):
        compare = os.path.join(CORPORA, 'compare.py')
        if not os.path.exists(compare):
            self.skipTest('../shared/corpora is not there')
        done = subprocess.run([sys.executable, compare, programs.path('mxdiff'), CORPORA,
                               '--show', '2'], text=True, capture_output=True, timeout=600,
                              env=programs.environment(), check=False)
        last = done.stdout.strip().split('\n')[-1]
        print(f'# compare.py: {last}', flush=True)
        self.assertEqual(done.stderr, '')
        self.assertRegex(last, r'^\d+ firm yes, ')
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == '__main__':
    tap.main()
