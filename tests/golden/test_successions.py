#!/usr/bin/env python3
"""The classes of real successions: certificates that have the same subject, or are for the same first
host name, and follow each other in time.

Of the repository's corpus, and of the larger one beside the checkout if it is there. The golden file
holds what we derived: the begin of both SHA-256, severity and classes. UPDATE_GOLDEN=1 rewrites it
(where the larger corpus is there).
"""
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter, defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ['MX509_BUILD']
OWN, BESIDE = os.path.join(TOP, 'corpus'), os.path.join(TOP, '..', 'shared', 'corpora')
GOLDEN = os.path.join(HERE, 'successions.tsv')
sys.path.insert(0, os.path.join(TOP, 'tests'))

from lab import tap  # noqa: E402


def files(folder):
    return sorted(os.path.join(d, f) for d, _, names in os.walk(folder) for f in names
                  if f.endswith(('.pem', '.crt', '.der', '.cer', '.cert')))


def ders(path):
    with open(path, 'rb') as f:
        data = f.read()
    blocks = re.findall(rb'-----BEGIN CERTIFICATE-----(.*?)-----END', data, re.S)
    if not blocks:
        return [data]
    found = []
    for block in blocks:
        try:
            found.append(base64.b64decode(b''.join(block.split())))
        except ValueError:
            continue  # a file that tests parsers of PEM
    return found


def facts(paths):
    """{sha256: facts} by mxdiff cert."""
    found = {}
    for i in range(0, len(paths), 500):
        done = subprocess.run([os.path.join(BUILD, 'differ', 'mxdiff'), 'cert', '--json',
                               *paths[i:i + 500]], capture_output=True, check=False)
        for line in done.stdout.splitlines():
            c = json.loads(line)
            if isinstance(c.get('not_before'), str) and isinstance(c.get('subject'), str):
                found[c['sha256']] = c
    return found


def pairs(certificates):
    """Those of one subject, or one host name, in the order of their begin."""
    groups = defaultdict(set)
    for c in certificates.values():
        if c['subject']:
            groups['subject', c['subject']].add((c['not_before'], c['sha256']))
        names = c.get('subject_alt_names')
        hosts = [n for n in (names or {}).get('names', []) if isinstance(n, str)
                 and n.startswith('dns:')]
        if hosts:
            groups['host', hosts[0]].add((c['not_before'], c['sha256']))
    return {(a[1], b[1]) for g in groups.values() for a, b in zip(sorted(g), sorted(g)[1:])
            if a[0] < b[0]}


def observation(n, day, leaf):
    return {'type': 'observation', 'time': f'2026-03-{day:02}T00:00:00.000Z', 'vantage': 'home',
            'host': f'mx{n}.history.test', 'address': f'10.0.{n >> 8}.{n & 255}', 'port': 25,
            'sni': 'none', 'offer': 'default', 'outcome': 'success', 'chain': [leaf]}


class SuccessionTest(unittest.TestCase):
    maxDiff = 2000

    def classes(self, found, der):
        """{(old, new): (severity, classes)} as mxdiff log tells them."""
        used = sorted({x for pair in found for x in pair})
        lines = [{'type': 'certificate', 'sha256': x, 'der': base64.b64encode(der[x]).decode()}
                 for x in used]
        for n, (old, new) in enumerate(sorted(found)):
            lines += [observation(n, 1 + day, (old, new)[day // 2]) for day in range(4)]
        with tempfile.TemporaryDirectory() as folder:
            store = os.path.join(folder, 'store')
            subprocess.run([os.path.join(BUILD, 'store', 'mxstore'), 'import', 'jsonl', '-',
                            '--quiet', '--store', store], check=True, text=True,
                           input='\n'.join(map(json.dumps, lines)) + '\n')
            done = subprocess.run([os.path.join(BUILD, 'differ', 'mxdiff'), 'log', '--json',
                                   '--no-verdict', '--store', store], capture_output=True, text=True, check=True)
        log = [json.loads(x) for x in done.stdout.splitlines()]
        return {(c['old']['leaf'], c['new']['leaf']): (c['severity'], ' '.join(c['class']) or '-')
                for c in log}

    def test_successions(self):
        der = {hashlib.sha256(d).hexdigest(): d for path in files(OWN) + files(BESIDE)
               for d in ders(path)}
        own, every = ({k: c for k, c in facts(paths).items() if k in der}
                      for paths in (files(OWN), files(OWN) + files(BESIDE)))
        found = pairs(own) | pairs(every)
        told = self.classes(found, der)
        self.assertEqual(set(told), found)
        rows = [f'{a[:16]}\t{b[:16]}\t{severity}\t{classes}\n'
                for (a, b), (severity, classes) in sorted(told.items())]
        if os.environ.get('UPDATE_GOLDEN') and os.path.isdir(BESIDE):
            with open(GOLDEN, 'w') as f:
                f.writelines(rows)
        with open(GOLDEN) as f:
            golden = f.readlines()
        self.assertEqual([r for r in rows if r not in golden], [])
        if os.path.isdir(BESIDE):
            self.assertEqual(rows, golden)
            self.assertGreaterEqual(len(rows), 200)
        else:
            self.assertGreater(len(rows), 0)
        print(f'# {len(rows)} successions:',
              dict(Counter(x for r in rows for x in r.split('\t')[3].split())))


if __name__ == '__main__':
    tap.main()
