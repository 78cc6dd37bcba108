"""What a probe costs: mxcollect beside a bare client (bare_client.c), against the farm.

    bench_collect.py [ROUNDS]     MX509_BUILD names the build

Rounds are interleaved, so that a busy machine disturbs all alike, and each ratio is of two
neighbours. Figures, not verdicts: nothing here fails on time. The aims stand beside.
"""
import os
import random
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import programs  # noqa: E402
from lab.lab import Lab  # noqa: E402

PROBES = 2000
IN_FLIGHT = 64
STALL, GOOD = 206, 10  # second octets: lab/farm.c
NAME = 'mx.farm.test'


def build_path(*parts):
    return os.path.join(programs.BUILD, *parts)


class Bench:
    def __init__(self, lab):
        self.lab, self.n = lab, 0
        self.port = lab.free_port(['127.0.0.1'])
        self.farm = lab.spawn('farm', self.on(1, build_path('tests', 'lab', 'farm'), self.port),
                              drop=False)
        lab.wait_listening('farm', self.farm, ['127.0.0.1'], self.port)

    @staticmethod
    def on(core, *argv):
        """The farm has a core of its own, where there are two."""
        pin = ['taskset', '-c', str(core)] if os.cpu_count() > 1 else []
        return [*pin, *map(str, argv)]

    def targets(self, octet, n):
        path = self.lab.path(f'targets-{octet}-{n}')
        if not os.path.exists(path):
            with open(path, 'w', encoding='ascii') as f:
                for i in range(n):
                    f.write(f'{NAME}@127.{octet}.{i >> 8}.{i & 255}:{self.port}\n')
        return path

    def bare(self, n, concurrency=IN_FLIGHT, octet=GOOD, hold=None):
        out = subprocess.run(
            self.on(0, build_path('tests', 'bench', 'bare_client'), self.port,
                    f'127.{octet}.0.0', n, concurrency, *([hold] if hold else [])),
            check=False, text=True, capture_output=True).stdout.split()
        return int(out[0]), float(out[2])

    def argv(self, octet, n, *more):
        self.n += 1
        return [programs.path('mxcollect'), 'run', '-f', self.targets(octet, n), '--store',
                self.lab.path(f'store-{self.n}'), '--allow-private', '--sni', 'hostname',
                '--per-address-gap', '0', *map(str, more)]

    def collect(self, n, *more, pin=True, octet=GOOD):
        """(microseconds of CPU a probe, seconds)"""
        argv = self.argv(octet, n, '--quiet', '--concurrency', IN_FLIGHT, *more)
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(self.on(0, *argv) if pin else argv, check=True, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = sum(getattr(after, f) - getattr(before, f) for f in ('ru_utime', 'ru_stime'))
        return cpu * 1e6 / n, time.monotonic() - begin

    def held(self, n):
        """Octets of mxcollect a probe that hangs in the handshake."""
        process = subprocess.Popen(
            self.argv(STALL, n, '--quiet', '--concurrency', n, '--threads', 1, '--timeout', 60),
            stderr=subprocess.DEVNULL)
        samples = []
        try:
            while len(samples) < 2 or samples[-1] != samples[-2] or len(samples) < 6:
                time.sleep(1)
                samples.append(rss(process.pid))
        finally:
            process.kill()
            process.wait()
        return samples[-1]


def rss(pid):
    with open(f'/proc/{pid}/statm', encoding='ascii') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def show(name, values, unit, aim=''):
    print(f'{name:44} {statistics.median(values):9.2f} {unit:8} '
          f'({min(values):.2f}–{max(values):.2f})  {aim}', flush=True)


def cost(bench, rounds):
    bare, ours, two = [], [], []
    for i in range(rounds):
        order = [lambda: bare.append(bench.bare(PROBES)[1]),
                 lambda: ours.append(bench.collect(PROBES, '--threads', 1)[0]),
                 lambda: two.append(bench.collect(PROBES, '--threads', 2, pin=False)[0])]
        random.Random(i).shuffle(order)
        for one in order:
            one()
    show('bare client', bare, 'µs CPU')
    show('mxcollect, one thread', ours, 'µs CPU')
    show('mxcollect, two threads', two, 'µs CPU')
    show('one thread / bare client', [a / b for a, b in zip(ours, bare)], '', 'aim: 1.15')
    show('two threads / one thread', [a / b for a, b in zip(two, ours)], '', 'aim: 1.10')


def memory(bench, n):
    n = min(n, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 3000) // 2)
    held, bare = bench.bare(n, n, STALL, hold=60)
    few, many = bench.held(64), bench.held(n)
    print(f'{n} stalled in the handshake: bare client {bare / 1024:.1f} KiB each ({held} held), '
          f'mxcollect {(many - few) / (n - 64) / 1024:.1f} KiB each  aim: bare + 8')


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with Lab() as lab:
        bench = Bench(lab)
        cost(bench, rounds)
        memory(bench, 5000)


if __name__ == '__main__':
    main()
