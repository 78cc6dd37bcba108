"""Damage: bits, octets and sectors of data.mdb are changed, one place at a time.

Each change must be found by check, or be harmless: the export is the same, and the corpus takes
the next batch and is right after it. And whatever a damaged corpus exports, no record of it is
one that was not there.
"""
import collections
import os
import subprocess

from crash import Broken, Witness, copy, export, mxstore, write
from lab import programs

SECTOR = 512
NEWLINE = b'\n'
KINDS = ('bit', 'octet', 'zeros', 'noise', 'other page')


def change(chance, data):
    """(what it is, offset, new octets) that differ from what is there."""
    while True:
        kind = chance.choice(KINDS)
        # Head pages are few; damage to them counts.
        at = chance.randrange(8192 if chance.random() < 0.05 else len(data))
        if kind == 'bit':
            new = bytes([data[at] ^ 1 << chance.randrange(8)])
        elif kind == 'octet':
            new = bytes([chance.randrange(256)])
        else:
            at -= at % SECTOR
            new = bytes(SECTOR)
            if kind == 'noise':
                new = chance.randbytes(SECTOR)
            elif kind == 'other page':
                at -= at % 4096
                other = chance.randrange(len(data) // 4096) * 4096
                new = data[other:other + 4096]
        if data[at:at + len(new)] != new:
            return kind, at, new


class Flips:
    """Changes to a corpus of a golden series, as it grew and as compact makes it, where hardly a
    page is free; several may be at work in folders of their own."""

    def __init__(self, golden, n, folder):
        self.golden, self.n = golden, n
        golden.store(n + 1)
        self.store = copy(golden.path(n), folder)
        self.file = os.path.join(folder, 'data.mdb')
        grown = self.read()
        status, _, err = mxstore('compact', '--store', self.store)
        if status != 0:
            raise Broken(f'compact: {err}')
        self.forms = (grown, self.read())
        self.export = export(self.store)
        self.lines = set(self.export.splitlines(keepends=True))
        self.counts = collections.Counter()

    def read(self):
        with open(self.file, 'rb') as f:
            return f.read()

    def one(self, chance):
        data = chance.choice(self.forms)
        kind, at, new = change(chance, data)
        with open(self.file, 'wb') as f:
            f.write(data[:at] + new + data[at + len(new):])
        try:
            self.judge()
        except Broken as broken:
            form = ('grown', 'compact')[self.forms.index(data)]
            raise Broken(f'{form}, {kind} at {at} ({new[:16].hex()}…): {broken}') from None

    def judge(self):
        """Two answers of the corpus, and a third where neither sees anything."""
        status, found, err = mxstore('check', '--store', self.store)
        if status not in (0, 1, 2) or (status != 0 and not (found or err)):
            raise Broken(f'check ended with {status}: {err}')
        whole = self.judge_export()
        if status != 0:
            self.counts['found'] += 1
        elif not whole:
            raise Broken('missed: check finds nothing, the export is another one')
        else:
            self.go_on()
            self.counts['harmless'] += 1

    def judge_export(self):
        """Whether the export is that of the corpus; no record of it is a wrong one."""
        done = subprocess.run([programs.path('mxstore'), 'export', 'jsonl', '--quiet', '--store',
                               self.store], capture_output=True, timeout=300,
                              env=programs.environment(), check=False)
        wrong = [line for line in done.stdout.splitlines(keepends=True)
                 if line.endswith(b'\n') and line not in self.lines]
        if wrong:
            raise Broken(f'a wrong record is exported: {wrong[0][:400]}')
        self.judge_words(done)
        return done.returncode == 0 and done.stdout == self.export

    def judge_words(self, done):
        """An export that is not whole says so: nothing is left out in silence."""
        said = done.stderr.decode('utf-8', 'replace')
        strange = [line for line in said.split('\n')[:-1]
                   if not line.startswith(('mxstore: ', 'mx509: '))]
        if strange or (said and not said.endswith('\n')):
            raise Broken(f'export says what is no line of its: {said}')
        if done.returncode == 0 and done.stdout != self.export:
            raise Broken(f'export leaves out {len(self.lines) - done.stdout.count(NEWLINE)} records'
                         f' without a word: {said}')
        if done.returncode == 1 and ' cannot be read and are left out' not in said:
            raise Broken(f'export ends with 1 and does not say what it leaves out: {said}')
        if done.returncode not in (0, 1, 2) or (done.returncode == 2 and not said):
            raise Broken(f'export ended with {done.returncode}: {said}')
        self.counts[('export whole', 'export in part, and says of what it is not',
                     'export refused, and says why')[done.returncode]] += 1

    def go_on(self):
        """Damage that nobody sees must not come to light when the corpus is written to."""
        told = Witness(write(self.store, self.n, 1, '-e'), self.n)
        if told.acknowledged != self.n + 1:
            raise Broken(f'missed: check finds nothing, but it cannot go on: {told.failed} '
                         f'{told.err}')
        if told.state != self.golden.states[self.n + 1]:
            raise Broken(f'missed: after another batch the corpus is damaged: {told.state}')
