#!/usr/bin/env python3
"""The demo itself: it shows the incident, its commands can be repeated, it leaves nothing."""
import os
import re
import shlex
import subprocess
import sys
import time

from common import Lab, programs, tap, unittest
from lab.packages import TOP


def processes():
    """Process id and name of everything that runs, what is not reaped yet included."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat', encoding='latin-1') as f:
                found[int(pid)] = f.read().rpartition(')')[0].partition('(')[2]
        except OSError:
            continue
    return found


def command_lines(word):
    """Command lines that have the word in them."""
    found = []
    for pid in processes():
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                line = f.read().replace(b'\0', b' ').decode('latin-1')
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        # The demo's own lab gets a folder here, by which its processes can be told.
        cls.temporary = cls.lab.path('tmp')
        os.mkdir(cls.temporary)
        os.chmod(cls.temporary, 0o755)
        cls.folder = cls.lab.path('demo')
        start = time.monotonic()
        cls.done = subprocess.run(
            [sys.executable, os.path.join(TOP, 'tests/lab/demo.py'), cls.folder], text=True,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=200, check=False,
            env=programs.environment(TMPDIR=cls.temporary, MX509_BUILD=programs.BUILD,
                                     **{k: v for k, v in os.environ.items()
                                        if k == 'MX509_LAB_PACKAGES'}))
        cls.took = time.monotonic() - start

    def test_it_runs(self):
        self.assertEqual(self.done.returncode, 0, self.done.stdout + self.done.stderr)
        self.assertEqual(self.done.stderr, '')
        self.assertLess(self.took, 60)

    def test_it_is_plain_from_the_output(self):
        out = self.done.stdout
        for words in ('No SNI provided', 'id-ecPublicKey',
                      'rsaEncryption', '127.0.0.31', 'alt2.bigmail.test', 'none', 'trust-loss',
                      'breaks verify, secure at SNI none: Untrusted, certificate-not-trusted'):
            self.assertIn(words, out)
        self.assertRegex(out, r'\b4\b.{0,9}\b5\b')
        self.assertNotIn('\033', out)

    def test_its_commands_can_be_repeated(self):
        shown = re.findall(r'^\$ (.*)$', self.done.stdout, re.M)
        words = [shlex.split(c) for c in shown]
        self.assertEqual([' '.join([os.path.basename(w[0]), *w[1:2]]) for w in words],
                         ['mxcollect run', 'mxdiff show', 'mxdiff log', 'mxdiff windows',
                          'mxstore export'])
        for command in words[1:]:
            with self.subTest(command=' '.join(command[:2])):
                again = subprocess.run(command, cwd=TOP, text=True, capture_output=True,
                                       env=programs.environment(), check=False)
                self.assertEqual(again.returncode, 0, again)
                if command[1] in ('log', 'windows'):
                    self.assertIn(again.stdout, self.done.stdout)

    def test_nothing_stays_behind(self):
        self.assertEqual(command_lines(self.temporary), [])
        self.assertEqual(os.listdir(self.temporary), [])
        self.assertEqual(set(os.listdir(self.folder)), {'store', 'ca', 'export'})


class Interrupted(unittest.TestCase):
    def test_sigterm_leaves_nothing(self):
        with Lab() as lab:
            temporary = lab.path('tmp')
            os.mkdir(temporary)
            os.chmod(temporary, 0o755)
            process = subprocess.Popen(
                [sys.executable, os.path.join(TOP, 'tests/lab/demo.py'), lab.path('demo')],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                text=True, env=programs.environment(TMPDIR=temporary, MX509_BUILD=programs.BUILD))
            while 'All is well' not in (line := process.stdout.readline()) and line:
                pass
            process.terminate()
            process.communicate(timeout=30)
            self.assertEqual(command_lines(temporary), [])
            self.assertEqual(os.listdir(temporary), [])


if __name__ == '__main__':
    tap.main()
