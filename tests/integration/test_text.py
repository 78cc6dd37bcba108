#!/usr/bin/env python3
"""What people read: tables on a terminal that is narrow, the words of an age, an empty snapshot."""
import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

from common import Lab, programs, tap, unittest
from test_store_commands import START, certificate, dns, iso, observation

ADDRESSES = ['2a00:1450:4010:c1c::1a', '2a00:1450:4010:c1c::1b', '2a00:1450:4025:c03::1a']


class TextTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.store = cls.lab.path('store')
        sha256, record = certificate('x')
        host = 'alt1.aspmx.long-name-of-an-operator.test'
        records = [record, dns('a.test', START, 'MX', [f'10 {host}'])]
        records += [dns(host, START, 'AAAA', sorted(ADDRESSES))]
        for i, address in enumerate(ADDRESSES):
            records.append(observation(host, address, START + 200 * i, [sha256]))
        records += [dns('b.test', START, 'MX', ['10 mx.b.test']),
                    dns('mx.b.test', START, 'A', ['192.0.2.1', '192.0.2.2']),
                    observation('mx.b.test', '192.0.2.1', START, [sha256]),
                    observation('mx.b.test', '192.0.2.2', START + 1000, [sha256])]
        done = programs.run('mxstore', 'import', 'jsonl', '-', '--store', cls.store,
                            stdin=''.join(json.dumps(o) + '\n' for o in records))
        if done.status != 0:
            raise AssertionError(done)

    def terminal(self, width, *args):
        """What mxdiff says on a terminal of so many columns, without its colours."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, width, 0, 0))
        process = subprocess.Popen([programs.path('mxdiff'), *args, '--store', self.store],
                                   stdout=theirs, stdin=subprocess.DEVNULL, env=programs.environment())
        os.close(theirs)
        said = b''
        with contextlib.suppress(OSError):  # what a terminal's end is
            while more := os.read(ours, 4096):
                said += more
        os.close(ours)
        self.assertEqual(process.wait(60), 0)
        return re.sub('\x1b\\[[0-9;]*m', '', said.decode()).split('\r\n')

    def test_addresses_are_told_apart(self):
        for args in (('show',), ('policy', 'a.test')):
            for width in (80, 100, 200):
                with self.subTest(args=args, width=width):
                    said = self.terminal(width, *args)
                    rows = [line for line in said if re.match(r'alt1\S+ +\[\S+ +none ', line)]
                    del rows[len(ADDRESSES):]  # a second table
                    self.assertEqual(len(rows), len(ADDRESSES), said)
                    self.assertTrue(all(len(line) <= width for line in rows), rows)
                    cells = [line.split()[1] for line in rows]
                    self.assertEqual(len(set(cells)), len(cells), cells)
                    for cell, address in zip(cells, ADDRESSES):
                        head, cut, tail = cell.partition('…')
                        whole = f'[{address}]:25'
                        self.assertTrue(whole.startswith(head) and whole.endswith(tail), cell)
                        self.assertTrue(tail if cut else cell == whole, cell)

    def test_an_age_is_one_where_it_reads_so(self):
        for domain, ms, age in (('a.test', 61400, '1 min 1 s'), ('a.test', 61150, '1 min 1 s'), ('b.test', 62000, '1 min 1 s to 1 min 2 s')):
            with self.subTest(domain=domain, ms=ms):
                done = programs.run('mxdiff', 'policy', domain, '--at', iso(START + ms), '--store',
                                    self.store)
                self.assertIn(f', seen last {age} before that time', done.out)

    def test_a_snapshot_of_nothing(self):
        out = self.lab.path('pem')
        done = programs.run('mxstore', 'export', 'pem', '--at', iso(START - 1), '--out', out,
                            '--store', self.store)
        self.assertEqual((done.status, done.err),
                         (0, f'{out}: nothing had been observed by that time\n'), done)
        with open(os.path.join(out, 'manifest.tsv'), encoding='ascii') as f:
            self.assertEqual(len(f.readlines()), 1)
        self.assertEqual(sorted(os.listdir(out)), ['SHA256SUMS', 'manifest.tsv'])


if __name__ == '__main__':
    tap.main()
