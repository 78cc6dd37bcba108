#!/usr/bin/env python3
"""The long run: what ./dev torture does. Counts go to standard output, as do promises not kept.

    torture.py [--seconds N] [--seed S] [--folder DIR]

Each kind of torture has its share of the time, and what another one before it left. Those that go
through boundaries, of which there are so many, go through all of them where the time is enough;
else through some that lie spread over all, and say how many. The folder is in memory where that can
be: what a power cut does is computed, so that syncing need not cost anything.
"""
import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import power
from crash import Broken, Crash, Golden, Witness, copy, preloaded, read_trace, write
from crowd import Crowd, growth
from flips import Flips
from works import works

WORKERS = os.cpu_count() or 1
KILLS = ('kill-before', 'kill-half', 'kill-after')
ERRORS = ('short', 'eio', 'enospc')
PHI = (5 ** 0.5 - 1) / 2
PASSES = 32


def place_of(i, start):
    """From 0 to 1: numbers i whose places lie close together lie far from each other, evenly."""
    return (i * PHI + start) % 1


def spread(jobs, chance):
    """In an order in which any first few of them are spread over all."""
    start = chance.random()
    return [jobs[i] for i in sorted(range(len(jobs)), key=lambda i: place_of(i, start))]


def spread_passes(sources, chance):
    """The same for what can only be made in its own order, by functions that each make the same
    again when they are called again: several passes, in each of which a part is made use of."""
    start = chance.random()
    for k in range(PASSES):
        i = 0
        for source in sources:
            for one in source():
                if int(place_of(i, start) * PASSES) == k:
                    yield one
                i += 1


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
        self.broken, self.kills_n = [], 0

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

    def flow(self, jobs, seconds):
        """Jobs, as lists of a function and its arguments, by several workers for so long; what
        each of those that were begun returned, with it. One at least is begun."""
        end, done = time.monotonic() + seconds, []
        jobs, turn = iter(jobs), threading.Lock()

        def work(_):
            while not done or time.monotonic() < end:
                with turn:
                    job = next(jobs, None)
                if job is None:
                    return
                done.append((job, self.attempt(*job)))
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, range(WORKERS)))
        return done

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

    def boundaries(self, seconds):
        """Each call of a writer, in a new corpus and in one that is there, alone and beside others
        who have it open."""
        jobs = []
        for before in (0, 5):
            crash = Crash(self.golden, self.path('boundaries'), before, 4)
            for kind in KILLS + ERRORS:
                for number in range(1, crash.boundaries + 1):
                    for company in (False, True)[:1 + (before > 0)]:
                        name = f'{before}-{kind}-{number}-{company}'
                        jobs.append((crash.fault, f'{kind}:{number}', name, company))
        done = self.flow(spread(jobs, random.Random(self.seed)), seconds)
        killed, failed = self.ended(done)
        self.say(f'boundaries: {len(done)} of {len(jobs)} runs, {killed} killed, '
                 f'{failed} with an error that was told')
        self.kills_n += killed
        return len(done)

    @staticmethod
    def ended(done):
        """How many runs were killed, and how many met an error."""
        reached = [job[1].startswith('kill') for job, came in done if came]
        return sum(reached), len(reached) - sum(reached)

    def kills(self, seconds):
        """kill -9 at random."""
        crash = Crash(self.golden, self.path('kills'), 3, 6)
        killed = collections.Counter()

        def job(worker, chance):
            killed[worker] += crash.kill_at_random(str(worker), chance)
        n = self.until(seconds, job)
        self.kills_n += sum(killed.values())
        self.say(f'kills at random: {n} runs, {sum(killed.values())} killed before the end; '
                 f'with those at boundaries {self.kills_n}')
        return n

    # ---- commands -------------------------------------------------------------------------------

    def works(self, seconds):
        """Each call of each command on a whole corpus; power cuts after each of them."""
        begun, chance = time.monotonic(), random.Random(self.seed)
        tried = list(works(self.golden, self.path('works')))
        jobs = [(work.fault, f'{kind}:{number}', f'{kind}-{number}') for work in tried
                for kind in KILLS + ERRORS for number in range(1, work.boundaries + 1)]
        end = begun + seconds
        done = self.flow(spread(jobs, chance), (end - time.monotonic()) / 2)
        killed, failed = self.ended(done)
        self.kills_n += killed
        self.say(f'commands: {len(done)} of {len(jobs)} runs into a fault, {killed} killed, '
                 f'{failed} with an error that was told')
        sources = [lambda work=work: work.cuts(random.Random(self.seed), 2) for work in tried]
        n = sum(1 for source in sources for _ in source())
        cuts = self.flow(self.cut_jobs('works', spread_passes(sources, chance)),
                         end - time.monotonic())
        self.say(f'power cuts of commands: {len(cuts)} of {n}')
        return min(len(done), len(cuts))

    def cut_jobs(self, name, cuts):
        """Jobs of cuts, each made in a folder of its own when its turn comes: the disk goes on."""
        for i, (disk, way, names, judge, *args) in enumerate(cuts):
            target = self.path(name, f'cut-{i}')
            disk.after_cut(target, way, names)
            yield self.cut, f'power cut, {way[0]}, {names} names', target, judge, *args

    @staticmethod
    def cut(name, target, judge, *args):
        try:
            judge(target, *args)
        except Broken as broken:
            raise Broken(f'{name}: {broken}') from None
        shutil.rmtree(target)

    # ---- power ----------------------------------------------------------------------------------

    def record(self, before, batches):
        """A writer's trace: the folder it was made in, and the events."""
        store = self.path('power', f'recorded-{before}', 'corpus')
        trace = self.path('power', f'trace-{before}')
        os.makedirs(os.path.dirname(store))
        self.golden.store(before + batches + 1)
        copy(self.golden.store(before), store)
        Witness(write(store, before, batches, env=preloaded(store, FAULT_TRACE=trace)), before)
        copy(self.golden.store(before), store)
        return os.path.dirname(store), read_trace(trace)

    def cuts(self, recorded, before, chance, n):
        """(disk, way, names, judge, acknowledged, begun) of each cut."""
        folder, events = recorded
        disk = power.Disk(folder)
        for event in events:
            disk.do(event)
            told = [line.split() for line in disk.said.splitlines()]
            begun = max([before] + [int(k) + 1 for word, k in told if word == 'begin'])
            done = max([before] + [int(k) + 1 for word, k in told if word == 'done'])
            for way in power.ways(chance, n):
                for names in {0, len(disk.changes), chance.randrange(len(disk.changes) + 1)}:
                    yield disk, way, names, self.judge_cut, done, begun

    def judge_cut(self, target, done, begun):
        self.golden.judge(os.path.join(target, 'corpus'), done, begun)

    def power(self, seconds, n=4):
        """Cuts after every call of a writer; again with other chances while there is time."""
        end, counts, wanted = time.monotonic() + seconds, [], []
        os.makedirs(self.path('power'))
        recorded = {before: self.record(before, 4) for before in (0, 5)}
        while not counts or time.monotonic() < end:
            sources = [lambda before=before, at=recorded[before], seed=f'{self.seed} {len(counts)}':
                       self.cuts(at, before, random.Random(seed), n) for before in recorded]
            wanted.append(sum(1 for source in sources for _ in source()))
            done = self.flow(self.cut_jobs(f'power/{len(counts)}', spread_passes(
                sources, random.Random(self.seed))), end - time.monotonic())
            counts.append(len(done))
        self.say(f'power cuts of a writer: {sum(counts)}; {counts[0]} of {wanted[0]} in the first of '
                 f'{len(counts)} rounds over its calls')
        return sum(counts)

    # ---- damage ---------------------------------------------------------------------------------

    def flips(self, seconds, batches=12):
        """Damage at places of chance."""
        before = len(self.broken)
        works = [Flips(self.golden, batches, self.path(f'flips-{i}')) for i in range(WORKERS)]
        n = self.until(seconds, lambda worker, chance: works[worker].one(chance))
        counts = sum((w.counts for w in works), collections.Counter())
        sizes = ' and '.join(str(len(form)) for form in works[0].forms)
        self.say(f'damage: {n} changes to files of {sizes} octets: '
                 f'{counts["found"]} found, {counts["harmless"]} harmless, '
                 f'{len(self.broken) - before} missed')
        for what, times in sorted(counts.items()):
            if what not in ('found', 'harmless'):
                self.say(f'  {what}: {times}')
        return counts['found'] + counts['harmless']

    # ---- a crowd --------------------------------------------------------------------------------

    def crowd(self, seconds):
        """Readers and writers at once; some of the readers are killed."""
        crowd = Crowd(self.path('crowd'), seconds)
        self.attempt(crowd.run, random.Random(self.seed))
        self.say(f'crowd: {", ".join(f"{n} {what}" for what, n in crowd.counts.items())}')
        return crowd.counts['exports']

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
    begun = time.monotonic()
    # What the first ones leave is the last one's.
    shares = [(torture.boundaries, 0.10), (torture.works, 0.36), (torture.kills, 0.06),
              (torture.power, 0.06), (torture.crowd, 1 / 6), (torture.flips, 0.25)]
    torture.attempt(torture.dead_reader)
    for i, (phase, share) in enumerate(shares):
        left = max(0, begun + args.seconds - time.monotonic())
        fair = left * share / sum(s for _, s in shares[i:])
        phase(left if i + 1 == len(shares) else min(fair, args.seconds * share))
    torture.say(f'{time.monotonic() - begun:.0f} s')
    if torture.broken:
        torture.say(f'{len(torture.broken)} promises were not kept; see {folder}')
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == '__main__':
    main()
