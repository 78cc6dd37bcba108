#!/usr/bin/env python3
"""A list of any length on standard input costs the memory of what is in flight."""
import os
import subprocess
import sys
import time

from common import Lab, free_net, programs, tap, unittest

FEW, MANY = 5000, 200000
PROBED = 40  # one of so many is probed, and refuses; the others are on the blocklist
LEEWAY = 32 << 20  # octets that so many more may cost, sanitized too; read ahead they have 50 MiB


class StreamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.net = free_net().rsplit('.', 2)[0]
        cls.port = cls.lab.free_port([f'{cls.net}.0.1'])  # nobody listens there
        cls.blocklist = cls.lab.path('blocklist')
        with open(cls.blocklist, 'w', encoding='ascii') as f:
            f.write('blocked.test\n')

    def line(self, i):
        name = f'mx{i}.test' if i % PROBED == 0 else f'mx{i}.blocked.test'
        return f'{name}@{self.net}.{i >> 8 & 255}.{i & 255}:{self.port}\n'

    def run_list(self, n):
        """(octets of memory at most, seconds) of a pass over n targets."""
        store, env = self.lab.path(f'store-{n}'), programs.environment()
        # What AddressSanitizer keeps back of what was freed is none of ours.
        env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':quarantine_size_mb=1'
        with open(self.lab.path(f'list-{n}'), 'w', encoding='ascii') as f:
            f.writelines(map(self.line, range(n)))
        began = time.monotonic()
        # A file, so that nothing but the reader holds it up.
        with open(self.lab.path(f'err-{n}'), 'w+', encoding='utf-8') as err, \
                open(self.lab.path(f'list-{n}'), encoding='ascii') as targets:
            process = subprocess.Popen(
                [programs.path('mxcollect'), 'run', '-f', '-', '--store', store, '--allow-private',
                 '--sni', 'none', '--per-address-gap', '0', '--blocklist-file', self.blocklist],
                stdin=targets, stderr=err, env=env)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            err.seek(0)
            said = err.read()
        self.assertEqual(process.returncode, 0, said)
        stat = programs.run('mxstore', 'stat', '--json', '--store', store).lines()[0]
        self.assertEqual(stat['observations'], n // PROBED, stat)
        self.assertIn(f'{n - n // PROBED:,}'.replace(',', ''), said.replace(',', ''))
        return used.ru_maxrss * 1024, time.monotonic() - began

    def test_many_cost_no_more_than_few(self):
        few, _ = self.run_list(FEW)
        many, seconds = self.run_list(MANY)
        print(f'# {FEW} targets: {few >> 20} MiB; {MANY}: {many >> 20} MiB, {seconds:.1f} s',
              file=sys.stderr)
        self.assertLess(many, few + LEEWAY)


if __name__ == '__main__':
    tap.main()
