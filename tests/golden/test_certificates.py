#!/usr/bin/env python3
"""`mxdiff cert --json` of every certificate of corpus/, against one file each. What the manifest
says of them is checked too.

UPDATE_GOLDEN=1 rewrites what is expected.
"""
import base64
import csv
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MXDIFF = os.path.join(os.environ['MX509_BUILD'], 'differ', 'mxdiff')
CORPUS = os.path.join(TOP, 'corpus')
sys.path.insert(0, os.path.join(TOP, 'tests'))

from lab import tap  # noqa: E402


def manifest():
    with open(os.path.join(CORPUS, 'MANIFEST.tsv'), newline='') as f:
        return list(csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE))


class Certificates(unittest.TestCase):
    maxDiff = None

    def test_each_has_its_facts(self):
        rows = manifest()
        out = subprocess.run([MXDIFF, 'cert', '--json', '--', *(row['file'] for row in rows)],
                             cwd=CORPUS, capture_output=True, timeout=120)
        self.assertEqual((out.returncode, out.stderr), (0, b''))
        lines = out.stdout.decode('utf-8').split('\n')
        self.assertEqual((len(lines), lines[-1]), (len(rows) + 1, ''))
        for row, line in zip(rows, lines):
            with self.subTest(row['file']):
                self.check(row, json.loads(line))

    def check(self, row, facts):
        self.assertEqual((facts['file'], facts['index']), (row['file'], 0))
        self.assertEqual((facts['sha256'], str(facts['len'])), (row['sha256'], row['len']))
        got = json.dumps(facts, indent=1, ensure_ascii=False) + '\n'
        name = os.path.basename(row['file']).replace('.pem', '.json')
        path = os.path.join(HERE, 'certificates', name)
        if os.environ.get('UPDATE_GOLDEN'):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(got)
        with open(path, encoding='utf-8') as f:
            self.assertEqual(got, f.read())

    def test_der_is_as_good_as_pem(self):
        """The same facts, and no complaint; what is neither is one."""
        for row in manifest()[:5]:
            with open(os.path.join(CORPUS, row['file'])) as f:
                pem = f.read()
            body = pem.split('-----BEGIN')[1].split('-----')[1]
            with self.subTest(row['file']), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, 'c.der')
                with open(path, 'wb') as f:
                    f.write(base64.b64decode(body))
                out = subprocess.run([MXDIFF, 'cert', '--json', path], capture_output=True,
                                     timeout=60)
                self.assertEqual((out.returncode, out.stderr), (0, b''))
                self.assertEqual(json.loads(out.stdout)['sha256'], row['sha256'])
                with open(path, 'wb') as f:
                    f.write(b'none')
                out = subprocess.run([MXDIFF, 'cert', '--json', path], capture_output=True,
                                     timeout=60)
                self.assertEqual(out.returncode, 1)
                self.assertIn(b'give PEM or DER', out.stderr)

    def test_every_file_is_in_the_manifest(self):
        listed = {row['file'] for row in manifest()}
        there = {f'{room}/{name}' for room in ('certificates', 'incident')
                 for name in os.listdir(os.path.join(CORPUS, room)) if name.endswith('.pem')}
        self.assertEqual(listed, there)

    def test_text_of_each_is_fit_for_a_terminal(self):
        files = [row['file'] for row in manifest()]
        out = subprocess.run([MXDIFF, 'cert', '--', *files], cwd=CORPUS, capture_output=True,
                             timeout=60)
        self.assertEqual(out.returncode, 0)
        for c in out.stdout.decode('utf-8'):
            self.assertFalse(c != '\n' and (ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0), repr(c))


if __name__ == '__main__':
    tap.main()
