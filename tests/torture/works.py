"""What an operator does to a whole corpus, cut short: compact, prune, delete, merge, backup (also
of what has come since another one), repair.

Whenever it ends, the corpus is the old one or the new one, never less (merge: all of the old one,
and nothing but what the new one has), other corpora are as they were; and the same command, given
again, makes the new one.
"""
import json
import os
import shutil

import power
from crash import (KILLED, NO_CORPUS, Broken, Witness, copy, export, mxstore, preloaded, read_trace,
                   state, write)

N = 8  # batches
BEFORE = 5  # of which a backup was made before


class Work:
    """A command of mxstore on `corpus`; `made` names a corpus that it makes beside it."""

    def __init__(self, golden, folder, name, *args, made=None):
        self.golden, self.folder, self.name, self.args, self.made = golden, folder, name, args, made
        self.subject = made or 'corpus'
        self.other = self.prepare_other() if name == 'merge' else None
        first = self.prepare('clean')
        self.old = NO_CORPUS if made else self.look(first, self.subject)
        self.kept = {} if not made else {'corpus': self.look(first, 'corpus')}
        self.least = set() if made else self.lines(first)
        if self.other:
            self.kept['other'] = self.look(first, 'other')
        trace = os.path.join(folder, 'trace')
        status, _, err = self.run(first, FAULT_TRACE=trace)
        if status != 0:
            raise Broken(f'{name}: status {status}: {err}')
        self.new, self.most = self.look(first, self.subject), self.lines(first)
        self.events, self.recorded = read_trace(trace), None
        self.boundaries = sum(1 for event in self.events if event.call != 'said')
        os.unlink(trace)

    def prepare_other(self):
        """A corpus of another writer."""
        other = os.path.join(self.folder, 'source')
        told = Witness(write(other, 0, N, '-w', '1'), 0)
        if told.acknowledged != N:
            raise Broken(f'{self.name}: {told.failed}')
        return other

    def prepare(self, name):
        folder = os.path.join(self.folder, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        copy(self.golden.store(N), os.path.join(folder, 'corpus'))
        if self.other:
            copy(self.other, os.path.join(folder, 'other'))
        return folder

    def run(self, folder, **plan):
        args = [os.path.join(folder, a[1:]) if a.startswith('@') else a for a in self.args]
        store = os.path.join(folder, 'corpus')
        return mxstore(self.name, *args, '--store', store, env=preloaded(store, **plan))

    @staticmethod
    def look(folder, name):
        return state(os.path.join(folder, name))

    def lines(self, folder):
        return set(export(os.path.join(folder, self.subject)).splitlines())

    def judge(self, folder, done=False):
        """Old or new; done: new."""
        for name, wanted in self.kept.items():
            if self.look(folder, name) != wanted:
                raise Broken(f'{self.name}: {folder}/{name} is not as it was')
        found = self.look(folder, self.subject)
        if found == self.new or (found == self.old and not done):
            return
        there = self.lines(folder) if found != NO_CORPUS else set()
        if done or self.name != 'merge' or not self.least <= there <= self.most:
            raise Broken(f'{self.name}: {folder}/{self.subject} is neither old nor new: '
                         f'{len(self.least - there)} records are lost, '
                         f'{len(there - self.most)} invented')

    def again(self, folder):
        """Given again, it makes the new one; what is made already stays."""
        if self.made and self.look(folder, self.made) == self.new:
            return
        status, _, err = self.run(folder)
        if status != 0:
            raise Broken(f'{self.name}: given again it ends with {status}: {err}')
        self.judge(folder, done=True)

    def fault(self, plan, name):
        """One run into a fault; true if it came to it."""
        folder = self.prepare(name)
        try:
            status, _, err = self.run(folder, FAULT=plan)
            # delete: what was asked for is gone, but the room it took was not given back.
            done = (0, 1) if self.name == 'delete' else (0,)
            if status not in (*done, 2, KILLED) or (status > 0 and not err):
                raise Broken(f'{self.name}: ends with {status}: {err}')
            self.judge(folder, done=status in done)
            self.again(folder)
        except Broken as broken:
            raise Broken(f'{plan}: {broken}') from None
        shutil.rmtree(folder)
        return status != 0

    def cuts(self, chance, n):
        """(disk, way, names, judge, done) of power cuts after each of its calls; done: after its
        end."""
        disk = power.Disk(self.prepare('recorded'))
        if self.recorded is None:
            trace = os.path.join(self.folder, 'trace')
            self.run(disk.root, FAULT_TRACE=trace)
            self.recorded = read_trace(trace)
            os.unlink(trace)
        for k, event in enumerate(self.recorded):
            disk.do(event)
            done = k + 1 == len(self.recorded)
            for way in power.ways(chance, n):
                for names in {0, len(disk.changes), chance.randrange(len(disk.changes) + 1)}:
                    yield disk, way, names, self.judge_cut, done

    def judge_cut(self, target, done):
        self.judge(target, done)
        self.again(target)


class Increment(Work):
    """A backup of what has come since another one: with that it is the corpus."""

    def __init__(self, golden, folder):
        full = os.path.join(folder, 'full')
        status, out, err = mxstore('backup', full, '--json', '--store', golden.store(BEFORE))
        if status != 0:
            raise Broken(f'backup: {err}')
        super().__init__(golden, folder, 'backup', '@copy', '--since', json.loads(out)['cursor'],
                         made='copy')
        parts = (os.path.join(folder, 'clean', 'copy'), full)
        status, _, err = mxstore('merge', *parts, '--store', os.path.join(folder, 'merged'))
        found = self.look(folder, 'merged')
        if status != 0 or found != golden.states[N]:
            raise Broken(f'backup --since: with the one before it is not the corpus: {err}')


def works(golden, folder):
    """Each command, in a folder of its own."""
    for name, args, made in (
            ('compact', (), None),
            ('compact', ('--out', '@copy'), 'copy'),
            ('prune', ('--before', '2026-03-19T06:30:00Z', '--settle', '1'), None),
            ('delete', ('ledger3.w0.test', 'd1.w0.test'), None),
            ('merge', ('@other',), None),
            ('backup', ('@copy',), 'copy'),
            ('check', ('--repair',), None)):
        place = os.path.join(folder, name + (f'-{made}' if made else ''))
        os.makedirs(place)
        yield Work(golden, place, name, *args, made=made)
    place = os.path.join(folder, 'backup-since')
    os.makedirs(place)
    yield Increment(golden, place)
