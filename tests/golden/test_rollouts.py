#!/usr/bin/env python3
"""Lifetimes, changes and roll-outs against a plain model of the contract's sentences.

A small simulator with seeds plays operators whose addresses change their certificates in many
ways, and probes that are lost. The model below is written from CONTRACT "Time: the definitions"
and knows nothing of how the program works: slow, and with every sentence in one place. The truth
that the simulator knows must lie in every bracket.
"""
import base64
import datetime
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter, defaultdict, namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ['MX509_BUILD']
sys.path.insert(0, os.path.join(TOP, 'tests'))

from lab import ca, tap  # noqa: E402

SETTLE, DAY, HOUR = 20, 86400000, 3600000
GONE_AFTER, WINDOW_GAP = 7 * DAY, 14 * DAY
START = int(datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc).timestamp() * 1000)
GAPS = [('io-timeout', None), ('rate-limited', 421), ('temporary-reject', 450),
        ('connection-refused', None)]

Series = namedtuple('Series', 'host address port sni sni_name offer vantage')
Seen = namedtuple('Seen', 'time state outcome code')  # state None: not observed
Change = namedtuple('Change', 'series kind old new after before mixed old_gone classes resumed')


def iso(ms):
    t = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return t.strftime('%Y-%m-%dT%H:%M:%S') + f'.{ms % 1000:03}Z'


def bracket(after, before):
    return {'after': iso(after), 'before': iso(before)}


# ---- certificates ---------------------------------------------------------------------------

class Certificate:
    """What the model has to know of one: attributes by which classes are told."""
    made = 0

    def __init__(self, der, base, **facts):
        self.der, self.base = der, base
        self.sha256 = ca.hashlib.sha256(der).hexdigest()
        self.chain = ca.hashlib.sha256(bytes.fromhex(self.sha256)).hexdigest()
        self.facts = facts

    def successor(self, days, keep_key=False):
        """The same names and issuer; another serial number, a later end, another key."""
        der = self.der
        Certificate.made += 1
        serial = Certificate.made.to_bytes(15, 'big')
        old = re.search(rb'\x02\x10\x4d(.{15})', der, re.S).group(1)
        der = der.replace(old, serial, 1)
        ends = list(re.finditer(rb'\x17\x0d(\d{12})Z', der))[1]
        after = self.facts['after'] + datetime.timedelta(days=days)
        der = der[:ends.start(1)] + after.strftime('%y%m%d%H%M%S').encode() + der[ends.end(1):]
        facts = dict(self.facts, after=after)
        if not keep_key:
            point = re.search(rb'\x03\x42\x00\x04(.{64})', der, re.S)
            key = serial * 4 + b'key.'
            der = der[:point.start(1)] + key + der[point.end(1):]
            facts['spki'] = key
        return Certificate(der, self.base, **facts)


def make_certificates(folder):
    first, second = ca.Ca(os.path.join(folder, 'a'), 'First'), ca.Ca(os.path.join(folder, 'b'),
                                                                     'Second')
    after = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
    before = after - datetime.timedelta(days=90)
    names, others = ['mx.sim.test', 'alt.sim.test'], ['mx.other.test']

    def take(path, base, **facts):
        der = ca.ders(path)[0]
        return Certificate(der, base, spki=base, **facts)

    def issue(where, base, hosts, key='P-256', **facts):
        return take(where.issue(base, hosts, key, before, after), base, alg=key,
                    bits=256 if key == 'P-256' else 2048, strength=128 if key == 'P-256' else 112,
                    o=where.organization, names=tuple(hosts), bc='no', ku='leaf', after=after,
                    sentinel=False, **facts)

    made = {'ec': issue(first, 'ec', names), 'rsa': issue(first, 'rsa', names, 'RSA-2048'),
            'ca': issue(second, 'ca', names), 'names': issue(first, 'names', others)}
    made['sentinel'] = take(first.sentinel(), 'sentinel', alg='RSA-2048', bits=2048, strength=112,
                            o='sentinel', names=('sentinel',), bc='ca', ku='sentinel',
                            after=ca.SENTINEL['not_after'], sentinel=True)
    return made


# ---- the model ------------------------------------------------------------------------------

def is_chain(state):
    return isinstance(state, Certificate)


def classes_of(kind, old, new, back, returned):
    """CONTRACT "Classes"."""
    out = set()
    if kind == 'gone':
        return {'gone'}
    if kind == 'back' or back:
        out.add('back')
    if kind == 'rolled-back' or returned:
        out.add('rolled-back')
    if new == 'starttls-not-offered' and old != new:
        out.add('starttls-lost')
    if old == 'starttls-not-offered' and old != new:
        out.add('starttls-gained')
    if (old, new) == ('reported Verified', 'reported Untrusted'):
        out.add('trust-loss')
    if (old, new) == ('reported Untrusted', 'reported Verified'):
        out.add('trust-gain')
    if is_chain(new) and new.facts['sentinel'] and not (is_chain(old) and old.facts['sentinel']):
        out.add('sentinel')
    if not is_chain(old) or not is_chain(new) or old is new:
        return out
    o, n = old.facts, new.facts
    same = {k for k in o if o[k] == n[k]}
    rules = {'key-algorithm-change': 'alg' not in same, 'name-change': 'names' not in same,
             'strength-loss': n['strength'] < o['strength'], 'constraint-change': 'bc' not in same,
             'usage-change': 'ku' not in same, 'ca-change': 'o' not in same,
             'rekey': 'spki' not in same, 'reissue': {'spki', 'after'} <= same,
             'renewal': {'alg', 'bits', 'names', 'o'} <= same and n['after'] > o['after']}
    return out | {c for c, holds in rules.items() if holds}


def lifetimes_of(observed, settle):
    """[(state, [positions among the observed])], in order of their first sightings."""
    lives = []
    for i, seen in enumerate(observed):
        mine = [life for life in lives if life[0] == seen.state
                and sum(s.state != seen.state for s in observed[life[1][-1] + 1:i]) < settle]
        if mine:
            mine[-1][1].append(i)
        else:
            lives.append((seen.state, [i]))
    return lives


def resumptions(observed, lives, life_at, settle):
    """A balancer's rare backend: of each lifetime the one that it goes on with, or None; and the
    first of all those that go on with each other."""
    comes_back = [sum(b - a > 1 for a, b in zip(at, at[1:])) for _, at in lives]
    resumed, root = [], []
    for n, (state, at) in enumerate(lives):
        earlier = [m for m in range(n) if lives[m][0] == state
                   and at[0] - lives[m][1][-1] - 1 < 8 * settle]
        resumed.append(None)
        root.append(n)
        if earlier and (comes_back[earlier[-1]] + comes_back[n] >= 2
                        or comes_back[life_at[at[0] - 1]] >= 2):
            resumed[n], root[n] = earlier[-1], root[earlier[-1]]
    return resumed, root


def changes_of(series, sightings, settle=SETTLE):
    observed = [s for s in sightings if s.state is not None]
    lives = lifetimes_of(observed, settle)
    life_at = {i: n for n, (_, at) in enumerate(lives) for i in at}
    ended = [len(observed) - at[-1] - 1 >= settle for _, at in lives]
    resumed, root = resumptions(observed, lives, life_at, settle)
    returned = []  # the state that the old one had replaced, which had not itself come back: undone
    for n, (state, at) in enumerate(lives):
        old = life_at[at[0] - 1] if n else 0
        returned.append(old > 0 and not returned[old]
                        and observed[lives[old][1][0] - 1].state == state)
    outages = []  # (last observed, the probe that made it gone, observed again or None)
    for i, last in enumerate(observed):
        again = observed[i + 1] if i + 1 < len(observed) else None
        vain = [s for s in sightings if s.state is None and s.time - last.time >= GONE_AFTER
                and (again is None or s.time < again.time)]
        if vain and s_after(vain[0], last):
            outages.append((last, vain[0], again))
    came_back = {again.time for _, _, again in outages if again}
    out = []
    for n, (state, at) in enumerate(lives):
        if n > 0:
            first, before = observed[at[0]], observed[at[0] - 1]
            old = life_at[at[0] - 1]
            old_last = lives[old][1][-1]
            mixed = old_last > at[0] and not ended[old]
            back = first.time in came_back
            out.append(Change(series, 'begin', before.state, state, before.time, first.time, mixed,
                              None if mixed else (observed[old_last].time,
                                                  observed[old_last + 1].time),
                              classes_of('begin', before.state, state, back, returned[n]),
                              resumed[n] is not None))
        if n > 0 and ended[n] and life_at[at[-1] + 1] < n:
            last, then = observed[at[-1]], observed[at[-1] + 1]
            out.append(Change(series, 'rolled-back', state, then.state, last.time, then.time,
                              False, (last.time, then.time),
                              classes_of('rolled-back', state, then.state, False, False),
                              n in resumed or root[life_at[at[-1] + 1]] >= root[n]))
    begins = {c.before for c in out if c.kind == 'begin'}
    for last, vain, again in outages:
        out.append(Change(series, 'gone', last.state, vain.outcome, last.time, vain.time, False,
                          None, {'gone'}, False))
        if again and again.time not in begins:
            out.append(Change(series, 'back', last.state, again.state, last.time, again.time,
                              False, None, classes_of('back', last.state, again.state, True,
                                                      False), False))
    return sorted(out, key=lambda c: (c.before, c.after))


def s_after(a, b):
    return a.time > b.time


def direction(c):
    return 'rolled-back' in c.classes, 'gone' in c.classes, c.kind == 'back'


def linked(a, b):
    """The same fields from-to, or the same class to the same new chain; or what is undone."""
    if direction(a) != direction(b) or abs(a.before - b.before) > WINDOW_GAP:
        return False
    if a.kind in ('gone', 'back'):
        return True
    if a.new == b.new and (a.classes & b.classes or not (a.classes or b.classes)):
        return True
    if 'rolled-back' in a.classes and a.old == b.old:
        return True

    def fields(c):
        if is_chain(c.old) and is_chain(c.new):
            return c.old, c.new
        return ('*' if is_chain(c.old) else c.old, '*' if is_chain(c.new) else c.new)
    return fields(a) == fields(b)


def taken_back(c, changes):
    """The moment at which a change of a series was taken back, or None."""
    for later in changes[changes.index(c) + 1:]:
        presence = later.kind in ('gone', 'back')
        if c.kind in ('gone', 'back'):
            return later.before if presence else None
        if not presence:
            return later.before if later.new == c.old else None
    return None


def clusters(changes, by_series):
    groups = []
    for c in changes:
        near = [g for g in groups if any(linked(c, other) for other in g)]
        for g in near:
            groups.remove(g)
        groups.append(sum(near, []) + [c])
    for g in groups:
        g.sort(key=lambda c: (c.before, c.after, export_order(c.series)))
        part = {}  # a series converts once in a window
        for c in g:
            if c.series in part:
                # Those that are converted no more: taken back, and not converted again since.
                away = sum(1 for s, mine in part.items() if any(
                    (taken_back(x, by_series[s]) or math.inf) <= c.before for x in g
                    if x.series == s and x.before <= c.before
                    and not any(y.series == s and x.before < y.before < c.before for y in g)))
                if 2 * away <= len(part):
                    continue
                yield list(part.values())
                part = {}
            part[c.series] = c
        yield list(part.values())


def export_order(s):
    return (s.host.split('.')[::-1], [int(x) for x in s.address.split('.')], s.port, s.sni,
            s.sni_name or '', s.offer, s.vantage)


def place(s):
    return s.address, s.port


def windows_of(corpus, changes):
    """corpus: {series: sightings}; changes: {series: [Change]}."""
    buckets = defaultdict(list)
    for s in corpus:
        buckets['.'.join(s.host.split('.')[-2:]), s.sni, s.offer].append(s)
    for (group, sni, _), members in buckets.items():
        mine = {s: [c for c in changes[s] if not c.resumed] for s in members}
        all_changes = sorted((c for s in members for c in mine[s]),
                             key=lambda c: (c.before, c.after, export_order(c.series)))
        parts = list(clusters(all_changes, mine))
        for part in parts:
            window = window_of(part, members, corpus, all_changes, is_crowded(part, parts), mine)
            if window:
                yield dict(window, host_group=group, sni=sni)


def is_crowded(part, parts):
    """More than eight windows leave the same state, or several states each."""
    olds = {c.old for c in part}
    return any(sum(old in {c.old for c in p} for p in parts) > 8 for old in olds) or (
        len(olds) > 1 and sum(len({c.old for c in p}) > 1 for p in parts) > 8)


def window_of(part, members, corpus, all_changes, crowded, changes):
    start = min(c.after for c in part), min(c.before for c in part)
    end = max(c.after for c in part), max(c.before for c in part)
    olds, first = {c.old for c in part}, part[0]
    places = {place(c.series) for c in part}
    if len(places) == 1 and first.kind in ('gone', 'back'):
        return None
    showed = {}
    for s in members:
        before = [x for x in corpus[s] if x.state is not None and x.time < start[1]]
        if before:
            showed[s] = before[-1].state
    if len(olds) > 1 and not crowded and first.kind == 'begin' and direction(first) == (0, 0, 0):
        common = first.classes
        for c in part:
            common = common & c.classes or common
        olds |= {state for state in showed.values() if is_chain(state) and state != first.new
                 and common & classes_of('begin', state, first.new, False, False)}
    counted = {s for s, state in showed.items() if state in olds}
    if first.kind == 'back':
        counted = {c.series for c in part}
    converted = {c.series for c in part if not c.mixed}
    mixed = {c.series for c in part if c.mixed}
    if 'renewal' in first.classes and len(places) == 1:
        # Renewals to different leaves are none.
        others = [c for c in all_changes if 'renewal' in c.classes and c.old == first.old]
        if any(a.new != b.new and place(a.series) != place(b.series)
               for a in others for b in others):
            return None
        if {place(s) for s in counted} <= places:
            return None
    done = counted <= converted
    states = {c.series: ('mixed' if c.mixed else 'converted', iso(c.after), iso(c.before))
              for c in part}
    if not crowded:
        states.update({s: ('old', None, None) for s in counted - set(states)})
    return {'start': bracket(*start), 'end': bracket(*end) if done else None,
            'single_instant': bracket(end[0], start[1]) if end[0] < start[1] else None,
            'converted': len(converted & counted), 'mixed': len(mixed & counted),
            'total': len(counted), 'series': states, 'part': part,
            'rolled_back': sum(taken_back(c, changes[c.series]) is not None for c in part)}


# ---- the simulator --------------------------------------------------------------------------

class World:
    """Operators under one seed; `truth` holds the moments of every series with one backend."""

    def __init__(self, seed, certificates, operators, days=40):
        self.random = random.Random(seed)
        self.certificates, self.days = certificates, days
        self.corpus, self.truth, self.rollouts = {}, {}, []
        for n in range(operators):
            self.operator(n, f'op{seed}x{n}.test')

    def moment(self, first=0.2, last=0.7):
        return START + int(self.days * DAY * self.random.uniform(first, last))

    def operator(self, n, domain):
        r, certificates = self.random, self.certificates
        self.domain = domain
        scenario = SCENARIOS[n % len(SCENARIOS)]
        places = [(f'mx{i // 3}.{domain}', f'10.{r.randrange(250)}.{n}.{i + 1}')
                  for i in range(r.choice([1, 2, 3, 5, 8]) if n % 14 != 1 else 20)]
        shared = certificates[r.choice(['ec', 'rsa', 'names'])].base
        old = certificates['ec'].successor(1) if shared == 'ec' else certificates[shared]
        plan = scenario(self, places, old)
        vantages = ['home', 'far'] if r.random() < 0.3 else ['home']
        loss, interval = r.choice([0, 0, 0.1, 0.3]), r.choice([6, 9, 12]) * HOUR
        for sni in ('none', 'hostname'):
            for at, (host, address) in enumerate(places):
                backends = plan(at, sni)
                for vantage in vantages:
                    series = Series(host, address, 25, sni, None, 'default', vantage)
                    self.corpus[series] = self.probe(backends, loss, interval)
                    if len(backends) == 1:
                        self.truth[series] = backends[0]

    def probe(self, backends, loss, interval):
        r, out = self.random, []
        time = START + r.randrange(interval)
        while time < START + self.days * DAY:
            state = [s for t, s in r.choice(backends) if t <= time][-1]
            if state is None or r.random() < loss:
                out.append(Seen(time, None, *r.choice(GAPS)))
            elif is_chain(state) or state.startswith('reported'):
                out.append(Seen(time, state, 'success', 220))
            else:
                out.append(Seen(time, state, state, None))
            time += int(interval * r.choice([0.3, 1, 1, 1, 2.5])) + r.randrange(60000)
        return out


def rollout(world, moments, old, target, sni, back=None):
    """Addresses that convert at moments[at] (None: never), under one variant or all."""
    def plan(at, variant):
        steps = [(0, old)]
        if moments[at] is not None and sni in (None, variant):
            steps.append((moments[at], target))
            if back:
                steps.append((moments[at] + back, old))
        return [steps]
    visible = [m for m in moments if m is not None]
    world.rollouts.append((world.domain, old, target, sni, visible, back))
    return plan


def instant(world, places, old, sni='none', back=None):
    return rollout(world, [world.moment(last=0.5)] * len(places), old,
                   world.certificates['sentinel'], sni, back)


def staged(world, places, old):
    begin = world.moment(last=0.3)
    moments = sorted(begin + int(world.random.uniform(0, 8) * DAY) for _ in places)
    return rollout(world, moments, old, old_to(world, old), None)


def canary(world, places, old):
    begin = world.moment(0.1, 0.2)
    return rollout(world, [begin] + [begin + 9 * DAY] * (len(places) - 1), old,
                   old_to(world, old), None)


def stalled(world, places, old):
    begin = world.moment()
    moments = [begin + i * HOUR if i < (len(places) + 1) // 2 else None
               for i in range(len(places))]
    return rollout(world, moments, old, world.certificates['sentinel'], 'none')


def undone_soon(world, places, old):
    return instant(world, places, old, 'none', back=int(1.5 * DAY))


def undone_late(world, places, old):
    return instant(world, places, old, 'none', back=14 * DAY)


def renewals(world, places, old):
    """Each address its own leaf, renewed when its time has come; some from one they share."""
    first = world.certificates['ec'].successor(1)
    own = [first if i % 2 else first.successor(2) for i in range(len(places))]
    steps = [(world.moment(0.1, 0.9), leaf.successor(60)) for leaf in own]
    return lambda at, sni: [[(0, own[at]), steps[at]]]


def renewed_together(world, places, old):
    first = world.certificates['ec'].successor(1)
    begin = world.moment()
    return rollout(world, [begin + i * 20 * HOUR for i in range(len(places))], first,
                   first.successor(60), None)


def balanced(world, places, old):
    """Two backends an address, converted one after the other."""
    target, moments = old_to(world, old), [world.moment() for _ in places]
    return lambda at, sni: [[(0, old), (moments[at], target)],
                            [(0, old), (moments[at] + 3 * DAY, target)]]


def two_at_once(world, places, old):
    begin = world.moment()
    targets = [world.certificates['sentinel'], world.certificates['ca']]
    return lambda at, sni: [[(0, old), (begin + at * HOUR, targets[at % 2])]]


def away(world, places, old):
    begin = world.moment(0.1, 0.4)
    other = old_to(world, old)
    return lambda at, sni: [[(0, old), (begin, None), (begin + 9 * DAY, other if at % 3 == 2
                                                       else old)]]


def without(world, places, old):
    begin, end = world.moment(0.1, 0.3), world.moment(0.5, 0.9)
    states = {'none': 'starttls-not-offered', 'hostname': 'tls-alert'}
    return lambda at, sni: [[(0, old), (begin + at * HOUR, states[sni]), (end, old)]]


def reported(world, places, old):
    begin = world.moment()
    return lambda at, sni: [[(0, 'reported Verified'), (begin + at * HOUR, 'reported Untrusted')]]


def flapping(world, places, old):
    """An address that goes over and back for weeks, each time for longer than --settle."""
    times = [START + int(DAY * 7.5 * i) for i in range(1, 5)]
    target = old_to(world, old)
    return lambda at, sni: [[(0, old)] + [(t, (target, old)[i % 2])
                                          for i, t in enumerate(times)]]


def old_to(world, old):
    return world.random.choice([c for k, c in world.certificates.items()
                                if c.base != old.base])


SCENARIOS = [instant, staged, canary, stalled, undone_soon, undone_late, renewals,
             renewed_together, balanced, two_at_once, away, without, reported, flapping]


def certificate_line(c):
    return json.dumps({'type': 'certificate', 'sha256': c.sha256,
                       'der': base64.b64encode(c.der).decode()})


def observation_line(series, seen):
    state = seen.state
    chain = [state.sha256] if is_chain(state) else []
    tls = is_chain(state) or (state or '').startswith('reported')
    signature = None
    if is_chain(state):
        signature = 'ECDSA' if state.facts['bits'] == 256 else 'RSA-PSS'
    elif tls:
        signature = 'ECDSA' if state.endswith('Verified') else 'RSA-PSS'
    return json.dumps({
        'type': 'observation', 'time': iso(seen.time), 'vantage': series.vantage, 'domain': None,
        'host': series.host, 'address': series.address, 'port': series.port, 'sni': series.sni,
        'sni_name': series.host if series.sni == 'hostname' else None, 'offer': series.offer,
        'sni_acknowledged': None, 'outcome': seen.outcome, 'smtp_code': seen.code,
        'tls_alert': 112 if state == 'tls-alert' else None, 'errno': None, 'greeting': '220 * hi',
        'ehlo': ['STARTTLS'], 'starttls_offered': state != 'starttls-not-offered',
        'tls_version': 'TLSv1.3' if tls else None,
        'cipher': 'TLS_AES_256_GCM_SHA384' if tls else None, 'group': 'X25519' if tls else None,
        'server_signature': signature, 'chain': chain,
        'reported': {'by': 'postfix', 'status': state.split()[1], 'reason': None}
        if isinstance(state, str) and state.startswith('reported') else None,
        'flags': [], 'ms': {'dns': None, 'connect': 20, 'greeting': 31, 'starttls': 44,
                            'handshake': 52}})


# ---- the tests ------------------------------------------------------------------------------

def shown(state):
    """The members chain, leaf and outcome of a change's old or new."""
    if is_chain(state):
        return {'chain': state.chain, 'leaf': state.sha256, 'outcome': 'success'}
    return {'chain': None, 'leaf': None,
            'outcome': 'success' if state.startswith('reported') else state}


def plain(change):
    """A change of the model in the words of the JSON, less what the model does not know."""
    return {**change.series._asdict(), 'after': iso(change.after), 'before': iso(change.before),
            'class': sorted(change.classes), 'old': shown(change.old), 'new': shown(change.new),
            'old_gone': bracket(*change.old_gone) if change.old_gone else None,
            'state': 'mixed' if change.mixed else 'replaced', 'verdict': None, 'revises': None,
            'type': 'change'}


class Case(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.certificates = make_certificates(cls.tmp.name)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    @classmethod
    def program(cls, program, *args, status=0, stdin=None):
        room = {'mxstore': 'store', 'mxdiff': 'differ'}[program]
        if program == 'mxdiff':
            args += ('--no-verdict',)  # they depend on the machine's roots: test_incident.py
        done = subprocess.run([os.path.join(BUILD, room, program), *args], input=stdin,
                              capture_output=True, text=True, check=False)
        if done.returncode != status:
            raise AssertionError(f'{args}: status {done.returncode}: {done.stderr}')
        return done.stdout

    @classmethod
    def fill(cls, name, lines):
        path = os.path.join(cls.tmp.name, name)
        cls.program('mxstore', 'import', 'jsonl', '-', '--quiet', '--store', path,
                    stdin='\n'.join(lines) + '\n')
        return path

    def read(self, command, *args, store=None):
        out = self.program('mxdiff', command, '--json', *args, '--store', store or self.store)
        return [json.loads(x) for x in out.splitlines()]

class RolloutTest(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        seed = int(os.environ.get('SEED', '1'))
        cls.world = World(seed, cls.certificates, int(os.environ.get('OPERATORS', '14')))
        cls.corpus = cls.world.corpus
        cls.changes = {s: changes_of(s, seen) for s, seen in cls.corpus.items()}
        used = {x.state for seen in cls.corpus.values() for x in seen if is_chain(x.state)}
        cls.head = [certificate_line(c) for c in used]
        cls.lines = [observation_line(s, x) for s, seen in cls.corpus.items() for x in seen]
        cls.store = cls.fill('world', cls.head + cls.lines)

    def test_changes(self):
        got = self.read('log')
        want = Counter(json.dumps(plain(c), sort_keys=True)
                       for s in self.changes.values() for c in s)
        have = Counter()
        for c in got:
            self.assertEqual(list(c), [
                'type', 'id', 'revises', 'host', 'address', 'port', 'sni', 'sni_name', 'offer',
                'vantage', 'after', 'before', 'class', 'severity', 'fields', 'old', 'new',
                'old_gone', 'verdict', 'state', 'clock_stepped'])
            self.assertRegex(c['id'], '^[0-9a-f]{16}$')
            self.assertFalse(c['clock_stepped'])
            c = {k: v for k, v in c.items()
                 if k not in ('id', 'severity', 'fields', 'clock_stepped')}
            c['class'] = sorted(c['class'])
            have[json.dumps(c, sort_keys=True)] += 1
        self.assertEqual(sorted((want - have).elements()), [])
        self.assertEqual(sorted((have - want).elements()), [])
        self.assertEqual(len({c['id'] for c in got}), len(got))
        self.assertEqual([c['before'] for c in got], sorted(c['before'] for c in got))
        self.assertLessEqual({'gone', 'back', 'rolled-back', 'sentinel', 'renewal', 'ca-change',
                              'starttls-lost', 'starttls-gained', 'strength-loss', 'name-change'},
                             {x for c in got for x in c['class']})
        print(f'# {len(self.lines)} observations, {len(self.corpus)} series, {len(got)} changes')

    def test_brackets_contain_the_truth(self):
        for s, steps in self.world.truth.items():
            times = [t for t, _ in steps]
            for c in self.changes[s]:
                self.assertTrue(any(c.after < t <= c.before for t in times), (s, c, steps))

    def test_windows(self):
        got = self.read('windows')
        want = list(windows_of(self.corpus, self.changes))
        have = Counter()
        for w in got:
            self.assertEqual(list(w), [
                'type', 'id', 'host_group', 'sni', 'offer', 'class', 'severity', 'fields', 'start',
                'end', 'single_instant', 'converted', 'mixed', 'total', 'series', 'rolled_back',
                'interval_ms', 'verdict', 'unlisted'])
            for m in w['series']:
                self.assertEqual(list(m), ['host', 'address', 'port', 'sni_name', 'vantage',
                                           'after', 'before', 'state', 'rolled_back', 'left',
                                           'fallback'])
                self.assertEqual(m['fallback'] is None, w['sni'] != 'none')
            self.assertEqual(w['rolled_back'], sum(m['rolled_back'] for m in w['series']))
            series = {str(Series(m['host'], m['address'], m['port'], w['sni'], m['sni_name'],
                                 w['offer'], m['vantage'])):
                      (m['state'], m['after'], m['before']) for m in w['series']}
            self.assertEqual(len(series), len(w['series']))
            order = [m['before'] for m in w['series'] if m['before']]
            self.assertEqual(order, sorted(order))
            have[self.window_key(w, series)] += 1
        expected = Counter(self.window_key(w, {str(k): v for k, v in w['series'].items()})
                           for w in want)
        self.assertEqual(sorted((expected - have).elements()), [])
        self.assertEqual(sorted((have - expected).elements()), [])
        self.assertEqual(len({w['id'] for w in got}), len(got))
        self.assertEqual([w['start']['before'] for w in got],
                         sorted(w['start']['before'] for w in got))
        print(f'# {len(got)} windows')

    @staticmethod
    def window_key(w, series):
        keys = ('host_group', 'sni', 'start', 'end', 'single_instant', 'converted', 'mixed',
                'total', 'rolled_back')
        return json.dumps([[w[k] for k in keys], series], sort_keys=True)

    def test_true_rollouts_are_one_window_each(self):
        windows = list(windows_of(self.corpus, self.changes))
        whole = 0
        for domain, old, target, sni, moments, back in self.world.rollouts:
            for variant in [sni] if sni else ['none', 'hostname']:
                hits = [w for w in windows if (w['host_group'], w['sni']) == (domain, variant)
                        and (w['part'][0].old, w['part'][0].new) == (old, target)]
                places = {place(c.series) for w in hits for c in w['part']}
                if len(moments) == 1 or (back and len(places) < 2):
                    continue  # undone before anybody saw it; a renewal of one address
                self.assertEqual(len(hits), 1, (domain, old.base, target.base, sni))
                whole += 1
                for w in hits:
                    self.assertGreater(w['part'][0].before, min(moments))
                    if not back:
                        self.assertEqual(len(places), len(moments))
        self.assertGreater(whole, len(self.world.rollouts) // 2)

    def test_order_of_arrival(self):
        lines = self.head + self.lines
        random.Random(7).shuffle(lines)
        other = self.fill('shuffled', lines)
        for command in ('log', 'windows', 'show'):
            with self.subTest(command=command):
                one, two = (self.program('mxdiff', command, '--json', '--store', s)
                            for s in (self.store, other))
                self.assertEqual(one, two)

    @staticmethod
    def windows_news(window):
        """Less what the addresses do otherwise, which is no news of the roll-out."""
        return dict(window, series=[{k: v for k, v in s.items() if k != 'fallback'}
                                    for s in window['series']])

    def test_feed(self):
        """Batches of what arrives in any order: who follows the feed knows what log says."""
        r = random.Random(5)
        names = sorted({s.host.split('.', 1)[1] for s in self.corpus})[::3]
        lines = [x for s, x in ((json.loads(x)['host'].split('.', 1)[1], x) for x in self.lines)
                 if s in names]
        late = [x for x in lines if r.random() < 0.1]
        lines = sorted((x for x in lines if x not in set(late)), key=lambda x: json.loads(x)['time'])
        for x in late:
            lines.insert(r.randrange(len(lines)), x)
        cuts = sorted(r.sample(range(len(lines)), 8)) + [len(lines)]
        store, cursor = self.fill('feed', self.head), os.path.join(self.tmp.name, 'cursor')
        known, windows, begin, seen = {}, {}, 0, Counter()
        for cut in cuts:
            self.fill('feed', lines[begin:cut])
            begin = cut
            for e in self.read('feed', '--cursor-file', cursor, store=store):
                seen[e['type']] += 1
                if e['type'] == 'change':
                    self.assertNotIn(e['id'], known)
                    known[e['id']] = dict(e, revises=None)
                    if e['revises']:
                        seen['revised'] += 1
                        del known[e['revises']]
                elif e['type'] == 'altered':
                    self.assertNotEqual(known[e['id']], dict(e, type='change'))
                    known[e['id']] = dict(e, type='change')
                elif e['type'] == 'window':
                    seen['update'] += e['update']
                    self.assertEqual(e['update'], e['id'] in windows)
                    if e['revises']:
                        seen['revised window'] += 1
                        del windows[e['revises']]
                    windows[e['id']] = {k: v for k, v in e.items()
                                        if k not in ('update', 'revises')}
                elif e['type'] == 'retracted':
                    del (known if e['id'] in known else windows)[e['id']]
            log = {c['id']: c for c in self.read('log', store=store)}
            self.assertEqual(sorted(known), sorted(log))
            self.assertEqual(known, log)
            self.assertEqual({k: self.windows_news(w) for k, w in windows.items()},
                             {w['id']: self.windows_news(w)
                              for w in self.read('windows', store=store)})
        self.assertGreater(seen['revised'], 0)
        self.assertGreater(seen['altered'], 0)
        self.assertGreater(seen['update'], 0)
        self.assertGreater(seen['revised window'], 0)
        self.assertEqual([e['type'] for e in self.read('feed', '--cursor-file', cursor,
                                                       store=store)], ['cursor'])

    def test_filters(self):
        every = self.read('log')
        some = every[len(every) // 2]
        host = some['host'].split('.', 1)[1]
        cases = [
            (('--class', 'gone,back'), lambda c: {'gone', 'back'} & set(c['class'])),
            (('--severity', 'warning'), lambda c: c['severity'] in ('warning', 'critical')),
            (('--sni', 'none'), lambda c: c['sni'] == 'none'),
            (('--vantage', 'far'), lambda c: c['vantage'] == 'far'),
            (('--offer', 'rsa'), lambda c: False),
            ((host,), lambda c: c['host'].endswith('.' + host)),
            ((some['address'], some['address']), lambda c: c['address'] == some['address']),
            (('--since', some['before']), lambda c: c['before'] >= some['before']),
            (('--until', some['after']), lambda c: c['after'] < some['after']),
            (('--between', some['after'], some['before']),
             lambda c: c['before'] >= some['after'] and c['after'] < some['before'])]
        for args, holds in cases:
            with self.subTest(args=args):
                self.assertEqual(self.read('log', *args), [c for c in every if holds(c)])

    def test_a_span_tells_what_the_whole_tells(self):
        """The quick answers from the days of a span equal those from all of the history."""
        log, windows = self.read('log'), self.read('windows')
        r = random.Random(11)
        for _ in range(12):
            since = START + int(r.uniform(-1, 40) * DAY)
            until = r.choice([None, since + int(r.expovariate(1 / 2) * DAY)])
            error = r.choice([0, 0, 0, 5 * HOUR])
            args = ['--since', iso(since)] + (['--until', iso(until)] if until else [])
            args += ['--clock-error', f'{error}ms'] if error else []

            def inside(x):
                return x['before'] is not None and x['before'] >= iso(since - error) and (
                    not until or x['after'] < iso(until + error))
            with self.subTest(args=args):
                ids = [c['id'] for c in log if inside(c)]
                self.assertEqual(len(self.read('log', *args)), len(ids))
                if not error:
                    self.assertEqual([c['id'] for c in self.read('log', *args)], ids)
                    self.assertEqual(self.read('windows', *args),
                                     [w for w in windows if any(map(inside, w['series']))])

    def test_operands_do_not_part_an_operator(self):
        domain = next(s for s in self.corpus if s.host.startswith('mx3.')).host.split('.', 1)[1]
        whole = self.read('windows', domain)
        hosts = sorted({s.host for s in self.corpus if s.host.endswith('.' + domain)})
        other = next(s.host for s in self.corpus if not s.host.endswith(domain))
        parts = self.read('windows', *hosts[1:], other, hosts[0])
        self.assertEqual(sorted(w['id'] for w in whole),
                         sorted(w['id'] for w in parts if w['host_group'] == domain))


# What an address shows without SNI day by day while it shows `lllnn` to the host's name; what it is
# said to do, and since which day (0: ever since) and hour: that of the series that changed.
FALLBACKS = [('lllnn', 'same', 0, 0), ('ssssn', 'same', 4, 0), ('llooo', 'other', 2, 0),
             ('lllss', 'sentinel', 3, 0), ('laaaa', 'alert', 1, 0), ('lllll', 'valid', 3, 1)]


class CasesTest(Case):
    """What a simulator does not come to."""

    def place(self, n, sni='none', vantage='home'):
        return Series(f'mx{n}.case.test', f'10.0.0.{n}', 25, sni, None, 'default', vantage)

    def daily(self, series, *states):
        """One observation a day."""
        return [observation_line(series, Seen(START + i * DAY, state, 'success', 220))
                for i, state in enumerate(states)]

    def shuffled(self, name, lines):
        """The store's name after filling it in two orders that must tell the same."""
        stores = [self.fill(f'{name}{i}', lines[::step]) for i, step in enumerate((1, -1))]
        for command in ('log', 'windows', 'show'):
            one, two = (self.program('mxdiff', command, '--json', '--store', s) for s in stores)
            self.assertEqual(one, two)
        return stores[0]

    def test_one_moment(self):
        """Several records of one series in one millisecond, one of them with another greeting."""
        a, b = self.certificates['ec'], self.certificates['ca']
        lines = [certificate_line(a), certificate_line(b), *self.daily(self.place(1), a, a, b, b),
                 *self.daily(self.place(1), a, b, b, a)]
        lines += [x.replace('220 * hi', '220 * ho') for x in lines[2:]]
        store = self.shuffled('moment', lines)
        for c in self.read('log', store=store):
            self.assertLess(c['after'], c['before'])
        self.read_status('diff', '--between', iso(START), iso(START + 2 * DAY), store=store)

    def read_status(self, *args, store):
        got = [self.program('mxdiff', *args, '--json', '--store', s, status=1)
               for s in (store, store[:-1] + '1')]
        self.assertEqual(*got)

    def test_certificates_that_nobody_brought(self):
        """Chains known by name only change as well, and not all alike."""
        a, b = self.certificates['ec'], self.certificates['ca']
        c, d = self.certificates['rsa'], self.certificates['names']
        store = self.shuffled('names', self.daily(self.place(1), a, b)
                              + self.daily(self.place(2), c, d))
        got = self.read('log', store=store)
        self.assertEqual([(x['old']['leaf'], x['new']['leaf'], x['class']) for x in sorted(
            got, key=lambda x: x['host'])], [(a.sha256, b.sha256, []), (c.sha256, d.sha256, [])])
        self.assertEqual([w['total'] for w in self.read('windows', store=store)], [1, 1])

    def test_renewals(self):
        """The canary of a renewal is a window; renewals to different leaves are none."""
        old = self.certificates['ec'].successor(1)
        new, other = old.successor(60), old.successor(60)
        head = [certificate_line(x) for x in (old, new, other)]
        stay, to_new = [old] * 4, [old, new, new, new]
        two = [self.place(1), self.place(1, vantage='far')]
        cases = [('canary', [(self.place(1), to_new), (self.place(2), stay)], [(1, 2)]),
                 ('both', [(self.place(1), to_new), (self.place(2), to_new)], [(2, 2)]),
                 ('one', [(self.place(1), to_new)], []),
                 ('vantages', [(s, to_new) for s in two], []),
                 ('own', [(self.place(1), to_new), (self.place(2), [old, old, other, other]),
                          (self.place(3), stay)], [])]
        for name, series, want in cases:
            with self.subTest(case=name):
                store = self.shuffled(name, head + [x for s, states in series
                                                    for x in self.daily(s, *states)])
                self.assertEqual([(w['converted'], w['total']) for w in self.read(
                    'windows', store=store)], want)

    def test_a_leaf_each_is_no_list_of_lists(self):
        """Many leaves that leave one: each window counts those who stay and names itself alone."""
        old = self.certificates['ec']
        new = [self.certificates['ca'].successor(2 + i) for i in range(12)]
        lines = [certificate_line(x) for x in (old, *new)]
        for i, leaf in enumerate(new):
            days = self.daily(self.place(i + 1), *[old] * (i + 1), *[leaf] * 3)
            lines += days
        windows = self.read('windows', store=self.shuffled('crowd', lines))
        self.assertEqual([(w['converted'], w['total'], w['unlisted'], len(w['series']))
                          for w in windows], [(1, 12 - i, 11 - i, 1) for i in range(12)])

    def test_a_balancer_is_no_rollout(self):
        """A rare backend that is missed for a while: changes by the letter, no windows."""
        common, rare = self.certificates['ec'], self.certificates['ca']
        states = [common] * 3 + ([rare] + [common] * 5) * 4 + [common] * 25 + (
            [rare] + [common] * 5) * 3 + [common] * 25
        store = self.shuffled('rare', [certificate_line(common), certificate_line(rare),
                                       *self.daily(self.place(1), *states)])
        self.assertEqual([('rolled-back' in c['class'], c['state'])
                          for c in self.read('log', store=store)],
                         [(False, 'mixed'), (True, 'replaced'), (False, 'mixed'),
                          (True, 'replaced')])
        # It came, and in the end it was taken back.
        self.assertEqual([('rolled-back' in w['class'], w['rolled_back'])
                          for w in self.read('windows', store=store)], [(False, 1), (True, 0)])

    def test_an_undone_rollout_to_a_leaf_each(self):
        """What is undone had a form for each address: one roll-back all the same."""
        own = [self.certificates['ec'].successor(i + 1) for i in range(4)]
        sentinel = self.certificates['sentinel']
        lines = [certificate_line(x) for x in (*own, sentinel)]
        for i, leaf in enumerate(own):
            last = [sentinel] * 22 if i < 3 else [leaf] * 22
            lines += self.daily(self.place(i + 1), leaf, leaf, *last, *[leaf] * 3)
        windows = self.read('windows', store=self.shuffled('undone', lines))
        self.assertEqual([('rolled-back' in w['class'], w['converted'], w['total'], w['end'] is None)
                          for w in windows], [(False, 3, 4, True), (True, 3, 3, False)])

    def test_a_clock_that_was_set(self):
        """A flag of one of the two observations is told of the change."""
        a, b = self.certificates['ec'], self.certificates['ca']
        lines = self.daily(self.place(1), a, a, b, b) + self.daily(self.place(2), a, a, b, b)
        lines[2] = lines[2].replace('"flags": []', '"flags": ["clock-stepped"]')
        store = self.fill('clock', [certificate_line(a), certificate_line(b), *lines])
        self.assertEqual([(c['address'], c['clock_stepped'])
                          for c in sorted(self.read('log', store=store), key=lambda c: c['address'])],
                         [('10.0.0.1', True), ('10.0.0.2', False)])

    def test_what_they_do_without_sni(self):
        """RFC 8461 7.1: what each address does on no SNI or an unknown one, and since when."""
        leaf, new = self.certificates['ec'], self.certificates['ec'].successor(60)
        other = self.certificates['names'], self.certificates['sentinel']
        lines = [certificate_line(x) for x in (leaf, new, *other)]

        def add(n, sni, *states, host='mx.sim.test', hour=0):
            s = Series(host, f'10.0.1.{n}', 25, sni, None, 'default', 'home')
            for i, x in enumerate(states):
                seen = Seen(START + i * DAY + hour * HOUR, x, 'tls-alert' if x == 'tls-alert'
                            else 'success', 220)
                lines.append(observation_line(s, seen))
        named = [leaf, leaf, leaf, new, new]
        for n, (states, *_) in enumerate(FALLBACKS):
            add(n, 'hostname', *named, hour=1)
            add(n, 'none', *[{'l': leaf, 'n': new, 'o': other[0], 's': other[1],
                              'a': 'tls-alert'}[x] for x in states])
        add(99, 'unknown', leaf, leaf, leaf, leaf)
        store = self.shuffled('fallback', lines)
        rows = {(r['address'], r['sni']): r['fallback'] for r in self.read('show', store=store)}
        for n, (_, does, day, hour) in enumerate(FALLBACKS):
            with self.subTest(does=does, states=FALLBACKS[n][0]):
                got = rows[f'10.0.1.{n}', 'none']
                self.assertEqual(got['does'], does)
                self.assertEqual((got['after'], got['before']), (
                    iso(START + (day - 1) * DAY + hour * HOUR) if day else None,
                    iso(START + day * DAY + hour * HOUR)))
                self.assertIsNone(rows[f'10.0.1.{n}', 'hostname'])
        self.assertEqual(rows['10.0.1.99', 'unknown']['does'], 'valid')
        self.assertIn('RFC 8461', self.program('mxdiff', 'show', '--store', store))

    def test_hostile_words(self):
        """Neither a log's status nor a name in a certificate reaches the terminal as it is."""
        evil = 'Verified\x1b[2J\u202e\u0085'
        lines = self.daily(self.place(1), 'reported Untrusted', 'reported Verified')
        lines = [x.replace('"Verified"', json.dumps(evil)) for x in lines]
        der = self.certificates['ec'].der
        host = der.index(b'mx.sim.test')
        twisted = Certificate(der[:host] + b'\x1b[2J\xe2\x80\xaetest' + der[host + 11:], 'evil',
                              **self.certificates['ec'].facts)
        lines += [certificate_line(twisted), certificate_line(self.certificates['ca']),
                  *self.daily(self.place(2), self.certificates['ca'], twisted)]
        store = self.shuffled('evil', lines)
        for command in ('log', 'windows', 'show'):
            text = self.program('mxdiff', command, '--store', store)
            self.assertIn('1B', text)
            self.assertNotRegex(text, '[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]')

    def test_filtered_feed(self):
        """What is revised into something that the filter does not let through is retracted."""
        a, b, c = (self.certificates[k] for k in ('ec', 'sentinel', 'ca'))
        old = self.certificates['rsa']
        head = [certificate_line(x) for x in (a, b, c, old)]
        days = self.daily(self.place(1), a, b, b)
        store = self.fill('filtered', head + days)
        cursor = os.path.join(self.tmp.name, 'filtered.cursor')
        args = ('feed', '--severity', 'critical', '--cursor-file', cursor)
        first = self.read(*args, store=store)
        self.assertEqual([e['type'] for e in first], ['change', 'window', 'cursor'])
        # It had shown a sentinel before.
        late = Seen(START - HOUR, b, 'success', 220), Seen(START + HOUR, b, 'success', 220)
        self.fill('filtered', [observation_line(self.place(1), x) for x in late])
        events = self.read(*args, store=store)
        self.assertEqual([e for e in events if e['type'] == 'retracted'],
                         [{'type': 'retracted', 'id': e['id']} for e in first[:2]])

    def test_bad_values(self):
        store = self.fill('bad', self.daily(self.place(1), 'reported Verified'))
        for args in (['--class', 'none-such'], ['--class', ''], ['--severity', 'bad'],
                     ['--sni', 'mx'], ['--settle', '0'], ['--between', 'now', '-1h'],
                     ['--ignore', 'x'], ['--group', 'x'], ['--offer', 'x'], ['--vantage', 'X Y'],
                     ['--clock-error', '400d'], ['--since', 'once'], ['--postfix', '3.3'],
                     ['--nexthop', 'a..b'], ['--roots', __file__], ['--roots', '/no/such/roots'],
                     ['bad host']):
            with self.subTest(args=args):
                done = subprocess.run([os.path.join(BUILD, 'differ', 'mxdiff'), 'windows', *args,
                                       '--store', store], capture_output=True, text=True,
                                      check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ''))
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assertIn(args[-1] if len(args) < 3 and args[-1] not in ('', '400d')
                              else args[0], done.stderr)


if __name__ == '__main__':
    tap.main()
