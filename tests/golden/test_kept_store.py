#!/usr/bin/env python3
"""Corpora that earlier versions wrote: each must open for ever, and say what it said then.

tests/golden/store/format-N[-WHAT].base64 is the data.mdb, gzipped, octet for octet; .jsonl beside it
its export. They are never written anew: a version that cannot read one of them is wrong.
"""
import base64
import glob
import gzip
import hashlib
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import programs, tap  # noqa: E402
from lab.lab import Lab  # noqa: E402

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'store')


class KeptStoreTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def kept(self):
        """(name, corpus, export) of each."""
        names = sorted(glob.glob(os.path.join(KEPT, '*.base64')))
        self.assertTrue(names)
        for name in names:
            store = self.lab.path(os.path.basename(name))
            os.makedirs(store)
            with open(name, encoding='ascii') as f, \
                    open(os.path.join(store, 'data.mdb'), 'wb') as out:
                out.write(gzip.decompress(base64.b64decode(f.read())))
            with open(name.replace('.base64', '.jsonl'), encoding='utf-8') as f:
                yield os.path.basename(name), store, f.read()

    def run_on(self, store, *args):
        done = programs.run('mxstore', *args, '--store', store)
        self.assertEqual(done.status, 0, done)
        return done.out

    def test_opens_and_says_what_it_said(self):
        for name, store, export in self.kept():
            with self.subTest(name=name):
                self.run_on(store, 'check')
                self.assertEqual(self.run_on(store, 'export', 'jsonl', '--quiet'), export)

    def test_certificates_with_a_dictionary(self):
        """One at least holds certificates that a dictionary of its own compresses."""
        found = 0
        for name, store, export in self.kept():
            records = {p['name']: p['records']
                       for p in json.loads(self.run_on(store, 'stat', '--json'))['parts']}
            if records['dictionary'] == 0 or records['cert'] < records['cert_id']:
                continue
            with self.subTest(name=name), open(os.path.join(store, 'data.mdb'), 'rb') as f:
                data = f.read()
                for o in map(json.loads, export.splitlines()):
                    if o['type'] != 'certificate':
                        continue
                    der = base64.b64decode(o['der'])
                    self.assertEqual(hashlib.sha256(der).hexdigest(), o['sha256'])
                    # mx509-store(5): codec 2, the dictionary's number, the length as a varint.
                    head = bytes([2, 0, len(der) & 127 | 128, len(der) >> 7])
                    self.assertTrue(head in data, o['sha256'])
                    found += 1
        self.assertGreater(found, 0)

    def test_certificates_in_packs(self):
        """One at least holds packs, and is compacted to packs again."""
        found = 0
        for name, store, export in self.kept():
            self.run_on(store, 'compact')
            records = {p['name']: p['records']
                       for p in json.loads(self.run_on(store, 'stat', '--json'))['parts']}
            with self.subTest(name=name):
                self.assertEqual(self.run_on(store, 'export', 'jsonl', '--quiet'), export)
                self.run_on(store, 'check')
            found += 'packs' in name and records['cert'] < records['cert_id'] / 2
        self.assertGreater(found, 0)

    def test_takes_more(self):
        for name, store, export in self.kept():
            with self.subTest(name=name):
                line = next(o for o in export.splitlines() if '"type":"observation"' in o)
                more = line.replace('"time":"2', '"time":"3')
                programs.run('mxstore', 'import', 'jsonl', '-', '--store', store, stdin=more + '\n')
                self.run_on(store, 'check')
                self.assertEqual(set(self.run_on(store, 'export', 'jsonl', '--quiet').splitlines()),
                                 {*export.splitlines(), more})


if __name__ == '__main__':
    tap.main()
