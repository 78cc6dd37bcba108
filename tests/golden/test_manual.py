#!/usr/bin/env python3
"""The tables of fields and classes in mxdiff(1) are those of the program; UPDATE_GOLDEN=1 writes
them there."""
import json
import os
import re
import subprocess
import sys
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tests'))

from lab import tap  # noqa: E402

MANUAL = os.path.join(TOP, 'differ', 'mxdiff.1')


def rows(key):
    done = subprocess.run([os.path.join(os.environ['MX509_BUILD'], 'differ', 'mxdiff'), 'fields',
                           '--json'], capture_output=True, text=True, check=True)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    return [o for o in objects if key in o]


def table(key):
    lines = ['.Bl -tag -width Ds -compact']
    for row in rows(key):
        doc = f'{row["title"]}: {row["doc"]}' if 'title' in row else row['doc']
        lines += [f'.It Li {row[key]}', f'({row["severity"]})', re.sub(r'(?m)^([.\'])', r'\\&\1', doc)]
    return '\n'.join(lines + ['.El']) + '\n'


class ManualTest(unittest.TestCase):
    maxDiff = None

    def check(self, name, key):
        with open(MANUAL) as f:
            text = f.read()
        begin = text.index(f'.\\" {name}: ')
        begin = text.index('\n', begin) + 1
        end = text.index('.\\" end\n', begin)
        want = table(key)
        if os.environ.get('UPDATE_GOLDEN'):
            with open(MANUAL, 'w') as f:
                f.write(text[:begin] + want + text[end:])
        else:
            self.assertEqual(text[begin:end], want)

    def test_fields(self):
        self.check('fields', 'field')

    def test_classes(self):
        self.check('classes', 'class')


if __name__ == '__main__':
    tap.main()
