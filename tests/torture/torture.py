#!/usr/bin/env python3
"""The long run: what ./dev torture does. Counts go to standard output, as do promises not kept.

    torture.py [--seconds N] [--seed S] [--folder DIR]

Every boundary of a writer and of each command is gone through once, whatever it takes; the rest shares the time. The
folder is in memory where that can be: what a power cut does is computed, so that syncing need not
cost anything.
"""
import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import sys
import tempfile
import time

import power
from crash import Broken, Crash, Golden, Witness, copy, preloaded, read_trace, write
from crowd import Crowd, growth
from flips import Flips
from works import works

WORKERS = os.cpu_count() or 1
KILLS = ('kill-before', 'kill-half', 'kill-after')
ERRORS = ('short', 'eio', 'enospc')


def place():
    """Where to torture: in memory, else where temporary files are (None)."""
    memory = '/dev/shm'
    if 'TMPDIR' in os.environ or not os.access(memory, os.W_OK):
        return None
    return memory if shutil.disk_usage(memory).free > 1 << 30 else None


class Torture:
    def __init__(self, folder, seed):
        self.folder, self.seed = folder, seed
        self.golden = Golden(os.path.join(folder, 'golden'))
        self.broken, self.counts = [], collections.Counter()

    def say(self, text):
        print(text, flush=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def attempt(self, job, *args):
        try:
            return job(*args)
        except Broken as broken:
            self.broken.append(str(broken))
            self.say(f'broken: {broken}')
            return None

    def all(self, jobs):
        """Jobs, as lists of a function and its arguments, by several workers."""
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(lambda job: self.attempt(*job), jobs))

    def until(self, seconds, job):
        """job(worker, chance), again and again by each worker; how often."""
        end = time.monotonic() + seconds

        def work(worker):
            chance, n = random.Random(f'{self.seed} {worker}'), 0
            while time.monotonic() < end:
                self.attempt(job, worker, chance)
                n += 1
            return n
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return sum(pool.map(work, range(WORKERS)))

    # ---- kills and errors -----------------------------------------------------------------------

    def boundaries(self, share=1.0):
        """Each call of a writer, in a new corpus and in one that is there, alone and beside others
        who have it open; a share of them, of chance."""
        chance, jobs = random.Random(self.seed), []
        for before in (0, 5):
            crash = Crash(self.golden, self.path('boundaries'), before, 4)
            for kind in KILLS + ERRORS:
                for number in range(1, crash.boundaries + 1):
                    for company in (False, True)[:1 + (before > 0)]:
                        name = f'{before}-{kind}-{number}-{company}'
                        jobs.append((crash.fault, f'{kind}:{number}', name, company))
        jobs = [job for job in jobs if chance.random() < share]
        reached = self.all(jobs)
        killed = sum(1 for job, done in zip(jobs, reached) if done and job[1].startswith('kill'))
        self.say(f'boundaries: {len(jobs)} runs, {killed} killed, '
                 f'{sum(map(bool, reached)) - killed} with an error that was told')
        shutil.rmtree(self.path('boundaries'))

    def kills(self, seconds):
        """kill -9 at random."""
        crash = Crash(self.golden, self.path('kills'), 3, 6)
        killed = collections.Counter()

        def job(worker, chance):
            killed[worker] += crash.kill_at_random(str(worker), chance)
        n = self.until(seconds, job)
        self.say(f'kills at random: {n} runs, {sum(killed.values())} killed before the end')

    # ---- commands -------------------------------------------------------------------------------

    def works(self, share=1.0, cuts=1.0):
        """Each call of each command on a whole corpus; power cuts after each of them."""
        chance, jobs, cut = random.Random(self.seed), [], 0
        for work in works(self.golden, self.path('works')):
            jobs += [(work.fault, f'{kind}:{number}', f'{kind}-{number}')
                     for kind in KILLS + ERRORS for number in range(1, work.boundaries + 1)]
            for one in work.cuts(chance, 2):
                if chance.random() < cuts:
                    self.attempt(work.cut, *one)
                    cut += 1
        jobs = [job for job in jobs if chance.random() < share]
        ended = sum(map(bool, self.all(jobs)))
        self.say(f'commands: {len(jobs)} runs into a fault, {ended} ended by it; {cut} power cuts')
        shutil.rmtree(self.path('works'))

    # ---- power ----------------------------------------------------------------------------------

    def record(self, before, batches):
        """A writer's trace: the disk before it, and the events."""
        store = self.path('power', f'recorded-{before}', 'corpus')
        trace = self.path('power', f'trace-{before}')
        os.makedirs(os.path.dirname(store))
        copy(self.golden.store(before), store)
        self.golden.store(before + batches + 1)
        disk = power.Disk(os.path.dirname(store))
        Witness(write(store, before, batches, env=preloaded(store, FAULT_TRACE=trace)), before)
        return disk, read_trace(trace)

    def cuts(self, before, chance, n):
        """(disk, way, names, acknowledged, begun) of cuts after each event."""
        disk, events = self.record(before, 4)
        for event in events:
            disk.do(event)
            told = [line.split() for line in disk.said.splitlines()]
            begun = max([before] + [int(k) + 1 for word, k in told if word == 'begin'])
            done = max([before] + [int(k) + 1 for word, k in told if word == 'done'])
            for way in power.ways(chance, n):
                for names in {0, len(disk.changes), chance.randrange(len(disk.changes) + 1)}:
                    yield disk, way, names, done, begun

    def cut(self, disk, way, names, done, begun):
        name, choose, choose_length = way
        target = self.path('power', 'cut')
        disk.after_cut(target, choose, choose_length, names)
        try:
            self.golden.judge(os.path.join(target, 'corpus'), done, begun)
        except Broken as broken:
            raise Broken(f'power cut, {name}, {names} names: {broken}') from None

    def power(self, seconds, n=4, share=1.0):
        """Cuts after every call of a writer, a share of them; again with other chances while there
        is time."""
        end, cuts, rounds = time.monotonic() + seconds, 0, 0
        while rounds == 0 or time.monotonic() < end:
            chance = random.Random(f'{self.seed} {rounds}')
            shutil.rmtree(self.path('power'), ignore_errors=True)
            for before in (0, 5):
                for cut in self.cuts(before, chance, n):
                    if chance.random() < share:
                        self.attempt(self.cut, *cut)
                        cuts += 1
            rounds += 1
        self.say(f'power cuts: {cuts}, in {rounds} rounds over a writer\'s calls')

    # ---- damage ---------------------------------------------------------------------------------

    def flips(self, seconds, batches=12):
        """Damage at places of chance."""
        before = len(self.broken)
        works = [Flips(self.golden, batches, self.path(f'flips-{i}')) for i in range(WORKERS)]
        n = self.until(seconds, lambda worker, chance: works[worker].one(chance))
        counts = sum((w.counts for w in works), collections.Counter())
        self.say(f'damage: {n} changes to a file of {len(works[0].data)} octets: '
                 f'{counts["found"]} found, {counts["harmless"]} harmless, '
                 f'{len(self.broken) - before} missed')
        for what, n in sorted(counts.items()):
            if what not in ('found', 'harmless'):
                self.say(f'  {what}: {n}')

    # ---- a crowd --------------------------------------------------------------------------------

    def crowd(self, seconds):
        """Readers and writers at once; some of the readers are killed."""
        crowd = Crowd(self.path('crowd'))
        self.attempt(crowd.run, seconds, random.Random(self.seed))
        told = ', '.join(f'{n} {what}' for what, n in crowd.counts.items())
        self.say(f'crowd: {told}; the file ends at {crowd.sizes[-1] if crowd.sizes else 0} octets')

    def dead_reader(self):
        """A reader that was killed keeps no page of a writer that goes on."""
        without, beside = (growth(self.path(f'growth-{dead}'), dead) for dead in (False, True))
        self.say(f'a dead reader: the file has {beside} octets, {without} without one')
        if beside > without * 3 // 2:
            self.broken.append('a dead reader makes the file grow')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--seconds', type=int, default=600)
    parser.add_argument('--seed', default=str(time.time_ns()))
    parser.add_argument('--folder', help='for what is tortured; removed if all went well')
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='mx509-torture-', dir=args.folder or place())
    torture = Torture(folder, args.seed)
    torture.say(f'seed {args.seed}, in {folder}')
    torture.boundaries()
    torture.works()
    torture.kills(args.seconds * 0.25)
    torture.power(args.seconds * 0.2)
    torture.flips(args.seconds * 0.35)
    torture.crowd(args.seconds * 0.2)
    torture.attempt(torture.dead_reader)
    if torture.broken:
        torture.say(f'{len(torture.broken)} promises were not kept; see {folder}')
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == '__main__':
    main()
