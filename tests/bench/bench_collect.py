"""What a probe costs: mxcollect beside a bare client (bare_client.c), against the farm.

    bench_collect.py [ROUNDS] [PART…]     MX509_BUILD names the build
    parts: cost memory pass held names stream locks; all of them if none is named

Rounds are interleaved, so that a busy machine disturbs all alike, and each ratio is of two
neighbours. Figures, not verdicts: nothing here fails on time. The aims stand beside.

    cost    CPU a probe, beside the bare client's, with one thread and with two
    memory  of a probe that hangs in the handshake, beside the bare client's
    pass    10,000 addresses of which a third never answer, all at once, against the slowest target
    held    10,000 probes that hang; where the limit of open files is lower, concurrency is cut
    names   DNS look-ups a second of an authoritative server on this machine
    stream  memory for 50,000 and for 1,000,000 targets on standard input
    locks   the time that threads wait for each other, of all that they work
"""
import contextlib
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import programs  # noqa: E402
from lab.dns import NameServer, Zone  # noqa: E402
from lab.lab import Lab, free_net  # noqa: E402

PROBES = 6000  # enough for a start of 25 ms to weigh little
IN_FLIGHT = 64
STALL, SILENT, GOOD = 206, 209, 10  # second octets: lab/farm.c
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


def run_targets(bench, path, *more, stdin=None, wrap=()):
    """(seconds, CPU seconds, most octets of memory, what it said) of a pass."""
    argv = [*wrap, programs.path('mxcollect'), 'run', '-f', path, '--store',
            bench.lab.path(f'store-{bench.n}'), '--allow-private', '--per-address-gap', 0, *more]
    bench.n += 1
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, argv)), stdin=subprocess.PIPE if stdin else None,
                               stderr=subprocess.PIPE, text=True)
    if stdin:
        for line in stdin:
            process.stdin.write(line)
        process.stdin.close()
    said = process.stderr.read().strip().splitlines()
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return (time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024,
            '\n'.join(said[-3:]))


def whole_pass(bench, n=10000, timeout=10):
    """A third of the addresses is silent. The slowest single target is one of those, alone."""
    path, alone = bench.lab.path('pass'), bench.lab.path('alone')
    with open(path, 'w', encoding='ascii') as f:
        for i in range(n):
            octet = SILENT if i % 3 == 0 else GOOD
            f.write(f'mx{i}.farm.test@127.{octet}.{i >> 8}.{i & 255}:{bench.port}\n')
    with open(alone, 'w', encoding='ascii') as f:
        f.write(f'mx.farm.test@127.{SILENT}.0.0:{bench.port}\n')
    options = ('--sni', 'hostname', '--timeout', timeout, '--per-network', 0, '--per-operator', 0)
    slowest = run_targets(bench, alone, *options)[0]
    took, cpu, most, said = run_targets(bench, path, *options, '--concurrency', n)
    print(f'{n} addresses, a third silent: {took:.1f} s, {took / slowest:.2f} x the slowest target '
          f'alone ({slowest:.1f} s); {cpu:.1f} s of CPU, {most >> 20} MiB  aim: 1.5 x\n  {said}')


def held_at_once(bench, n=10000):
    """How many the farm had at once tells what was held: all of them hang until they time out."""
    argv = bench.argv(STALL, n, '--concurrency', n, '--threads', 1, '--timeout', 30)
    with open(bench.lab.path('held.err'), 'w+', encoding='utf-8') as err:
        process = subprocess.Popen(argv, stderr=err)
        most = 0
        while process.poll() is None:
            with contextlib.suppress(OSError):
                most = max(most, len(os.listdir(f'/proc/{process.pid}/fd')))
            time.sleep(0.5)
        err.seek(0)
        cut = [line for line in err.read().splitlines() if 'concurrency' in line]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(f'{n} stalled probes: {most} descriptors open at most, limit {limit[1]}; '
          f'{cut[0] if cut else "concurrency was not cut"}')


def names(bench, n=20000):
    """MX hosts whose addresses the blocklist has: each is looked up, none is probed."""
    zone = Zone('names.test.', '\n'.join(f'h{i} A 127.9.{i >> 8}.{i & 255}' for i in range(n)))
    server = NameServer(bench.lab, [zone], address=free_net() + '5')
    blocked, path = bench.lab.path('blocked'), bench.lab.path('names')
    with open(blocked, 'w', encoding='ascii') as f:
        f.write('127.0.0.0/8\n')
    with open(path, 'w', encoding='ascii') as f:
        f.writelines(f'mx:h{i}.names.test\n' for i in range(n))
    took, cpu, _, said = run_targets(bench, path, '-4', '--resolver', server.resolver,
                                     '--trust-anchor', server.anchor, '--blocklist-file', blocked)
    print(f'{n} names of a signed zone: {n / took:.0f} look-ups a second, {n / cpu:.0f} a second of '
          f'CPU  aim: 1000 a core\n  {said}')


def stream(bench, sizes=(50000, 1000000)):
    """Targets that are read, known, and refused before the first packet."""
    blocked = bench.lab.path('all-blocked')
    with open(blocked, 'w', encoding='ascii') as f:
        f.write('127.0.0.0/8\n')
    for n in sizes:
        lines = (f'mx{i}.farm.test@127.{10 + (i >> 16)}.{i >> 8 & 255}.{i & 255}:{bench.port}\n'
                 for i in range(n))
        took, _, most, said = run_targets(bench, '-', '--blocklist-file', blocked, stdin=lines)
        print(f'{n} targets on standard input: {most / 1048576:.0f} MiB, {took:.1f} s\n  {said}')


def lock_waits(trace):
    """Seconds of each wait for a mutex, by strace's lines: some are in two parts, by thread."""
    waits, pending = [], set()
    with open(trace, encoding='utf-8', errors='replace') as f:
        for line in f:
            thread, text = line.split(maxsplit=1)
            is_lock = 'FUTEX_WAIT_PRIVATE' in text or ('resumed' in text and thread in pending)
            pending.discard(thread)
            if is_lock and 'unfinished' in text:
                pending.add(thread)
            elif is_lock and (took := re.search(r'<([\d.]+)>$', text)):
                waits.append(float(took[1]))
    return waits


def locks(bench):
    """A mutex that is taken is waited for by FUTEX_WAIT, what there is no work for by
    FUTEX_WAIT_BITSET (glibc): the first is what threads lose to each other."""
    trace, threads = bench.lab.path('futex.trace'), 2
    argv = bench.argv(GOOD, PROBES, '--quiet', '--concurrency', IN_FLIGHT, '--threads', threads)
    begin = time.monotonic()
    try:
        subprocess.run(['strace', '-f', '-T', '--seccomp-bpf', '-e', 'trace=futex', '-o', trace,
                        *argv], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        print('locks: strace(1) is not to be had here')
        return
    took = time.monotonic() - begin
    waits = lock_waits(trace)
    print(f'locks, {threads} threads: {len(waits)} waits for {PROBES} probes, '
          f'{100 * sum(waits) / took / (threads + 1):.2f} % of the threads\' time  aim: 2 %')


PARTS = {'memory': lambda bench: memory(bench, 5000), 'pass': whole_pass, 'held': held_at_once,
         'names': names, 'stream': stream, 'locks': locks}


def main():
    words = sys.argv[1:]
    rounds = int(words.pop(0)) if words and words[0].isdigit() else 7
    if set(words) - {'cost', *PARTS}:
        sys.exit(f'usage: bench_collect.py [ROUNDS] [cost {" ".join(PARTS)}]')
    with Lab() as lab:
        bench = Bench(lab)
        if not words or 'cost' in words:
            cost(bench, rounds)
        for name, part in PARTS.items():
            if not words or name in words:
                part(bench)


if __name__ == '__main__':
    main()
