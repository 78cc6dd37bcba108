#!/usr/bin/env python3
"""What `mxdiff log` and `mxdiff windows` find of roll-outs whose truth is known.

Operators of 1 to 5,000 addresses under seeds that can be repeated: instant, staged, canary, stalled,
undone and one-variant roll-outs, two at once, one within a wave of renewals, renewals staggered over
weeks to one shared certificate or to a leaf each; load balancers, lost probes, uneven intervals,
clocks that are wrong, vantages, late arrival. Nothing of how mxdiff works is known here: its lines
are held against the moments at which the servers changed.

    MX509_BUILD=build python3 tests/golden/test_rollout_truth.py    # the short form, as a test
    ./dev bench rollout                                             # 10,000 roll-outs
"""
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
from collections import Counter, defaultdict, namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]

from lab import tap  # noqa: E402
from test_rollouts import BUILD, certificate_line, iso, make_certificates  # noqa: E402

HOUR, DAY = 3600000, 86400000
START = int(datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc).timestamp() * 1000)
DAYS = 40
GAPS = ['io-timeout', 'connection-refused', 'rate-limited', 'temporary-reject']

Key = namedtuple('Key', 'host address sni vantage')


class Rollout:
    """One event: in each place the moments at which its backends changed."""

    def __init__(self, domain, sni, name, renewal):
        self.domain, self.sni, self.name, self.renewal = domain, sni, name, renewal
        self.moments = {}  # Key: [ms of each backend]
        self.visible = set()


class Operator:
    """The steps of each backend of each place, and the roll-outs that they are."""

    def __init__(self, world, number):
        self.world, self.r = world, random.Random(f'{world.seed}/{number}')
        r = self.r
        self.domain = f'op{number}x{world.seed}.test'
        self.size = r.choice([1, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 25, 40])
        if number % 1000 == 501:
            self.size = r.choice([300, 1000, 5000])
        self.big = self.size > 100
        self.places = [(f'mx{i // 4}.{self.domain}', f'10.{i >> 8}.{number % 250}.{i & 255}')
                       for i in range(self.size)]
        self.backends = r.choice([1, 1, 1, 2, 3, 4]) if not self.big else 1
        first = world.certificates['ec'].successor(1)
        own = r.random() < 0.3
        self.old = [first.successor(1) if own else first for _ in self.places]
        self.steps = {}
        for i in range(self.size):
            for sni in ('none', 'hostname'):
                self.steps[i, sni] = [[(0, self.old[i])] for _ in range(self.backends)]
        self.rollouts = []
        scenario = SCENARIOS[number % len(SCENARIOS)]
        scenario(self)

    def target(self):
        """Another certificate, never one that was used before."""
        kind = self.r.choice(['ca', 'names', 'ca', 'rsa', 'sentinel'])
        base = self.world.certificates[kind]
        return base.successor(1) if kind in ('ca', 'names') else base

    def moment(self, first=0.2, last=0.6):
        return START + int(DAYS * DAY * self.r.uniform(first, last))

    def convert(self, name, moments, target, snis=('none', 'hostname'), renewal=False, spread=None):
        """Places that change at moments[i] (None: never), their backends within `spread`."""
        spread = self.r.choice([0, HOUR, 6 * HOUR]) if spread is None else spread
        for sni in snis:
            rollout = Rollout(self.domain, sni, name, renewal)
            for i, moment in enumerate(moments):
                if moment is None:
                    continue
                times = [moment] + [moment + self.r.randrange(spread + 1)
                                    for _ in range(self.backends - 1)]
                for backend, time in zip(self.steps[i, sni], times):
                    new = target[i] if isinstance(target, list) else target
                    backend.append((time, new))
                rollout.moments[i] = times
            if name:
                self.rollouts.append(rollout)


def instant(o):
    o.convert('instant', [o.moment()] * o.size, o.target(), spread=0)


def staged(o):
    begin, over = o.moment(0.1, 0.4), o.r.choice([2 * HOUR, DAY, 10 * DAY])
    o.convert('staged', [begin + int(o.r.random() * over) for _ in range(o.size)], o.target())


def canary(o):
    begin = o.moment(0.1, 0.3)
    rest = begin + int(o.r.uniform(1, 11) * DAY)
    some = max(1, o.size // 20)
    o.convert('canary', [begin if i < some else rest + o.r.randrange(6 * HOUR)
                         for i in range(o.size)], o.target())


def stalled(o):
    begin, some = o.moment(0.1, 0.5), (o.size + 1) // 2
    o.convert('stalled', [begin + o.r.randrange(DAY) if i < some else None
                          for i in range(o.size)], o.target())


def undone(o):
    begin = o.moment(0.1, 0.3)
    times = [begin + o.r.randrange(DAY // 2) for _ in range(o.size)]
    o.convert('undone', times, o.target(), spread=0)
    back = begin + int(o.r.uniform(1, 10) * DAY)
    o.convert('undone-back', [back + o.r.randrange(2 * HOUR)] * o.size, o.old, spread=0)


def one_variant(o):
    begin = o.moment()
    o.convert('variant', [begin + o.r.randrange(12 * HOUR) for _ in range(o.size)],
              o.world.certificates['sentinel'], snis=('none',))


def renewed_together(o):
    begin, over = o.moment(0.1, 0.2), o.r.choice([DAY, 20 * DAY])
    times = sorted(begin + int(o.r.random() * over) for _ in range(o.size))
    o.old[:] = [o.old[0]] * o.size
    for steps in o.steps.values():
        for backend in steps:
            backend[0] = (0, o.old[0])
    o.convert('renewal', times, o.old[0].successor(60), renewal=True)


def renewed_each(o, named=None):
    times = [o.moment(0.05, 0.95) for _ in range(o.size)]
    own = [o.old[0].successor(1) for _ in range(o.size)]
    for (i, _), steps in o.steps.items():
        for backend in steps:
            backend[0] = (0, own[i])
    new = [leaf.successor(60) for leaf in own]
    o.convert(named, times, new)
    return times


def two_at_once(o):
    begin = o.moment()
    half = o.size // 2
    o.convert('two', [begin + o.r.randrange(DAY) if i < half else None for i in range(o.size)],
              o.world.certificates['ca'].successor(1))
    o.convert('two', [begin + o.r.randrange(DAY) if i >= half else None for i in range(o.size)],
              o.world.certificates['names'].successor(1))


def within_renewals(o):
    """Renewals to a leaf each for weeks, and all at once a sentinel, without SNI only."""
    times = [o.moment(0.05, 0.45) for _ in range(o.size)]
    own = [o.old[0].successor(1) for _ in range(o.size)]
    for (i, _), steps in o.steps.items():
        for backend in steps:
            backend[0] = (0, own[i])
    o.convert(None, times, [leaf.successor(60) for leaf in own], spread=0)
    begin = START + int(DAYS * DAY * 0.5)
    o.convert('within', [begin + o.r.randrange(DAY) for _ in range(o.size)],
              o.world.certificates['sentinel'], snis=('none',), spread=0)


def quiet(o):
    """Nothing happens."""


SCENARIOS = [instant, staged, canary, stalled, undone, one_variant, renewed_together, renewed_each,
             two_at_once, within_renewals, quiet]


class World:
    def __init__(self, seed, certificates, first, last, clock_error=120000):
        self.seed, self.certificates, self.clock_error = seed, certificates, clock_error
        self.rollouts, self.one_backend = [], {}
        self.used, self.lines = {}, []
        for number in range(first, last):
            self.play(Operator(self, number))

    def play(self, o):
        r = o.r
        self.rollouts += o.rollouts
        vantages = [('home', r.randint(-self.clock_error, self.clock_error))]
        if r.random() < 0.2 and not o.big:
            vantages.append(('far', r.randint(-self.clock_error, self.clock_error)))
        loss, interval = r.choice([0, 0.02, 0.1, 0.3]), r.choice([2, 4, 6, 8, 12]) * HOUR
        if o.big:
            interval = 12 * HOUR
        for (i, sni), backends in o.steps.items():
            host, address = o.places[i]
            for vantage, wrong in vantages:
                self.probe(o, Key(host, address, sni, vantage), i, backends, loss, interval, wrong)

    def probe(self, o, key, place, backends, loss, interval, wrong):
        r, steps = o.r, [sorted(b, key=lambda s: s[0]) for b in backends]
        head = (f'"vantage":"{key.vantage}","host":"{key.host}","address":"{key.address}",'
                f'"port":25,"sni":"{key.sni}","offer":"default"')
        at, time, end = [0] * len(steps), START + r.randrange(interval), START + DAYS * DAY
        seen, out = [], []
        while time < end:
            b = r.randrange(len(steps)) if len(steps) > 1 else 0
            for x, mine in enumerate(steps):
                while at[x] + 1 < len(mine) and mine[at[x] + 1][0] <= time:
                    at[x] += 1
            if r.random() < loss:
                out.append(f'{{"type":"observation","time":"{iso(time + wrong)}",{head},'
                           f'"outcome":"{r.choice(GAPS)}"}}')
            else:
                leaf = steps[b][at[b]][1]
                self.used[leaf.sha256] = leaf
                seen.append(time)
                out.append(f'{{"type":"observation","time":"{iso(time + wrong)}",{head},'
                           f'"outcome":"success","chain":["{leaf.sha256}"]}}')
            time += int(interval * r.choice([0.5, 0.9, 1, 1, 1.1, 1.5])) + r.randrange(1000)
        if r.random() < 0.2:  # arrives late, in any order
            r.shuffle(out)
        self.lines += out
        if len(backends) == 1:
            self.one_backend[key] = [t for t, _ in steps[0][1:]]
        for rollout in o.rollouts:
            times = rollout.moments.get(place)
            if rollout.sni == key.sni and times:
                rollout.moments.setdefault('keys', {})[key] = times
                if seen and seen[0] < min(times) and seen[-1] >= max(times):
                    rollout.visible.add(key)


def run(program, *args, stdin=None):
    done = subprocess.run([os.path.join(BUILD, *program.split('/')), *args], input=stdin,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f'{args}: status {done.returncode}: {done.stderr}')
    return [json.loads(x) for x in done.stdout.splitlines()]


def ms(text):
    t = datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))
    return int(t.timestamp() * 1000 + 0.5)


class Findings:
    """What was found of the truth, added up over worlds."""

    def __init__(self):
        self.count, self.by_name, self.examples = Counter(), defaultdict(Counter), []

    def example(self, *what):
        if len(self.examples) < 20:
            self.examples.append(' '.join(map(str, what)))

    def check_changes(self, world, log):
        for c in log:
            key = Key(c['host'], c['address'], c['sni'], c['vantage'])
            times = world.one_backend.get(key)
            if times is None or {'gone', 'back'} & set(c['class']):
                continue
            self.count['brackets'] += 1
            if not any(ms(c['after']) < t <= ms(c['before']) for t in times):
                self.count['brackets wrong'] += 1
                self.example('bracket', key, c['after'], c['before'])

    def check_windows(self, world, windows):
        index = defaultdict(list)
        for rollout in world.rollouts:
            for key in rollout.moments.get('keys', {}):
                index[key].append(rollout)
        found = Counter()
        for w in windows:
            votes = Counter()
            for row in w['series']:
                if row['state'] == 'old':
                    continue
                key = Key(row['host'], row['address'], w['sni'], row['vantage'])
                for rollout in index[key]:
                    times = rollout.moments['keys'][key]
                    # The first backend was seen by then; with one it was not before either.
                    if min(times) <= ms(row['before']) and (
                            len(times) > 1 or ms(row['after']) < min(times)) and (
                            len(times) == 1 or ms(row['after']) <= max(times)):
                        votes[rollout] += 1
            self.count['windows'] += 1
            if votes:
                found[votes.most_common(1)[0][0]] += 1
            else:
                self.count['windows that are no roll-out'] += 1
                self.example('false', w['host_group'], w['sni'], w['class'], w['start'],
                             len(w['series']))
        for rollout in world.rollouts:
            places = {k.address for k in rollout.visible}
            if not places or (rollout.renewal and len(places) < 2):
                continue  # nobody could see it; a renewal at one address is none
            self.count['roll-outs'] += 1
            self.by_name[rollout.name][found[rollout]] += 1
            if found[rollout] == 1:
                self.count['found once'] += 1
            else:
                self.example('found', found[rollout], rollout.name, rollout.domain, rollout.sni,
                             len(places))

    def look(self, world, folder):
        store = os.path.join(folder, 'store')
        head = [certificate_line(c) for c in world.used.values()]
        run('store/mxstore', 'import', 'jsonl', '-', '--quiet', '--store', store,
            stdin='\n'.join(head + world.lines) + '\n')
        self.count['observations'] += len(world.lines)
        args = ('--json', '--clock-error', f'{world.clock_error}ms', '--store', store)
        self.check_changes(world, run('differ/mxdiff', 'log', *args))
        self.check_windows(world, run('differ/mxdiff', 'windows', *args))


def simulate(seed, first, last, findings):
    with tempfile.TemporaryDirectory() as folder:
        certificates = make_certificates(folder)
        findings.look(World(seed, certificates, first, last), folder)


class TruthTest(unittest.TestCase):
    def test_truth(self):
        findings = Findings()
        seed = int(os.environ.get('SEED', '1'))
        simulate(seed, 0, int(os.environ.get('OPERATORS', '22')), findings)
        for line in findings.examples:
            print('#', line)
        n = findings.count
        print('#', dict(n))
        self.assertGreater(n['brackets'], 100)
        self.assertEqual(n['brackets wrong'], 0)
        self.assertGreater(n['roll-outs'], 25)
        self.assertGreaterEqual(n['found once'], 0.97 * n['roll-outs'])
        self.assertLessEqual(n['windows that are no roll-out'], 0.03 * n['windows'])


if __name__ == '__main__':
    tap.main()
