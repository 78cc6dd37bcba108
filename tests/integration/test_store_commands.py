#!/usr/bin/env python3
"""mxstore merge, backup, compact, prune, delete: on random corpora of fixed seeds."""
import base64
import datetime
import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import time

from common import Lab, observations, programs, tap, unittest

DAY = 86400000
START = 1773792000000  # 2026-03-18T00:00:00Z


def iso(ms):
    seconds, rest = divmod(ms, 1000)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f'{moment:%Y-%m-%dT%H:%M:%S}.{rest:03d}Z'


def certificate(name):
    der = (f'a certificate of {name}, ' * 20).encode()
    return hashlib.sha256(der).hexdigest(), {
        'type': 'certificate', 'sha256': hashlib.sha256(der).hexdigest(),
        'der': base64.b64encode(der).decode()}


def observation(host, address, ms, chain, **more):
    o = {'type': 'observation', 'time': iso(ms), 'vantage': 'here', 'domain': None, 'host': host,
         'address': address, 'port': 25, 'sni': 'none', 'sni_name': None, 'offer': 'default',
         'sni_acknowledged': None, 'outcome': 'success' if chain else 'io-timeout',
         'smtp_code': 220 if chain else None, 'tls_alert': None, 'errno': None,
         'greeting': f'220 {host} ESMTP *' if chain else None,
         'ehlo': ['STARTTLS'] if chain else [], 'starttls_offered': True if chain else None,
         'tls_version': 'TLSv1.3' if chain else None, 'cipher': None, 'group': None,
         'server_signature': None, 'chain': chain, 'reported': None, 'flags': [],
         'ms': {'dns': None, 'connect': 3, 'greeting': 1, 'starttls': 7, 'handshake': 21}}
    return {**o, **more}


def dns(name, ms, rrtype, records):
    return {'type': 'dns', 'time': iso(ms), 'vantage': 'here', 'name': name, 'rrtype': rrtype,
            'status': 'insecure', 'rcode': 'NOERROR', 'ttl': 300, 'records': records}


def sts(domain, ms, result='ok'):
    policy = ['version: STSv1', 'mode: testing', f'mx: *.{domain}', 'max_age: 86400', 'x: \u00e9']
    return {'type': 'sts', 'time': iso(ms), 'vantage': 'here', 'domain': domain, 'result': result,
            'error': None if result == 'ok' else 'certificate has expired',
            'policy': policy if result == 'ok' else []}


def series_of(rng, host, address, days, names, restless):
    """Lifetimes that follow and overlap each other, gaps, several states at one moment."""
    ms, shown = START + rng.randrange(DAY), [rng.choice(names)]
    while ms < START + days * DAY:
        ms += rng.randrange(1, 4) * rng.choice((0, 600000, 3600000, 3600000, 7200000))
        if rng.random() < restless:
            shown = [rng.choice(names)] + (shown[:1] if rng.random() < 0.5 else [])
        if rng.random() < 0.003:
            ms += 9 * DAY * rng.randrange(2)
        if rng.random() < 0.1:
            yield observation(host, address, ms, [])
        else:
            yield observation(host, address, ms, [certificate(rng.choice(shown))[0]])
        ms += 1


def corpus(seed, days=40, hosts=4, restless=0.02):
    rng = random.Random(seed)
    names = [f'c{i}' for i in range(8)]
    lines = [certificate(n)[1] for n in names]
    for i in range(hosts):
        host = f'mx{rng.randrange(4)}.operator{rng.randrange(3)}.test'
        lines += series_of(rng, host, f'192.0.2.{rng.randrange(1, 9)}', days, names,
                           restless)
        lines.append(dns(host, START + rng.randrange(days * DAY), 'A', ['192.0.2.1']))
        lines.append(sts(host, START + i * 1000, ('ok', 'sts-webpki-invalid')[i % 2]))
    return lines


class StoreTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.count = itertools.count()

    def fresh(self):
        return self.lab.path(f'at{next(self.count)}')

    def run_ok(self, *args, status=0, **more):
        done = programs.run('mxstore', *args, **more)
        self.assertEqual(done.status, status, done)
        return done

    def store(self, lines, into=None):
        path = into or self.fresh()
        self.run_ok('import', 'jsonl', '-', '--store', path, '--quiet',
                    stdin=''.join(json.dumps(line) + '\n' for line in lines))
        return path

    def assertClean(self, store):
        self.run_ok('check', '--store', store)

    def snapshot(self, store, ms):
        out = self.fresh()
        self.run_ok('export', 'pem', '--at', iso(ms), '--out', out, '--store', store, '--quiet')
        with open(os.path.join(out, 'SHA256SUMS'), encoding='ascii') as f:
            return f.read()

    def all_of(self, store, at=START + 20 * DAY):
        return observations(store).out, self.snapshot(store, at)

    def holds(self, store, text):
        with open(os.path.join(store, 'data.mdb'), 'rb') as f:
            return text.encode() in f.read()


class Merge(StoreTest):
    def test_any_order_any_repetition(self):
        parts = [corpus(seed, days=8) for seed in (1, 2, 3)]
        # The first one's certificates are in the second alone.
        stores = [self.store([r for r in parts[0] if r['type'] != 'certificate']),
                  *map(self.store, parts[1:])]
        whole = self.all_of(self.store(sum(parts, [])))
        for order in itertools.permutations(stores):
            target = self.fresh()
            self.run_ok('merge', *order, '--store', target, '--quiet')
            self.assertEqual(self.all_of(target), whole)
        said = self.run_ok('merge', *stores, *stores, '--store', target, '--json').lines()[0]
        self.assertEqual((said['observations'], said['dns_answers'], said['certificates']),
                         (0, 0, 0))
        self.assertEqual(self.all_of(target), whole)
        self.run_ok('merge', target, '--store', stores[0], '--quiet')
        self.assertEqual(self.all_of(stores[0]), whole)
        self.assertClean(stores[0])
        self.assertClean(target)

    def test_itself_and_none_are_refused(self):
        store = self.store(corpus(1, days=2))
        other = os.path.join(self.lab.path('link'))
        os.symlink(store, other)
        for source in (store, other, self.lab.path('nowhere')):
            done = self.run_ok('merge', source, '--store', store, status=2)
            self.assertEqual(len(done.err.splitlines()), 1, done)
        self.assertFalse(os.path.exists(self.lab.path('nowhere')))
        target = self.fresh()
        done = self.run_ok('merge', self.lab.path('nowhere'), '--store', target, status=2)
        self.assertIn('nowhere: no corpus is here', done.err)
        self.assertFalse(os.path.exists(target))
        self.run_ok('merge', '--store', store, status=2)


class Backup(StoreTest):
    def test_while_an_import_writes(self):
        lines = corpus(5, days=60, hosts=6)
        store, copy = self.store(lines[:2000]), self.fresh()
        with subprocess.Popen([programs.path('mxstore'), 'import', 'jsonl', '-', '--store', store],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                              env=programs.environment()) as writer:
            writer.stdin.write(''.join(json.dumps(r) + '\n' for r in lines[2000:]))
            writer.stdin.flush()
            said = self.run_ok('backup', copy, '--store', store, '--json').lines()[0]
            writer.stdin.close()
            self.assertEqual(writer.wait(60), 0)
        self.assertClean(copy)
        before = set(observations(copy).out.splitlines())
        now = set(observations(store).out.splitlines())
        self.assertLessEqual(before, now)
        self.assertGreaterEqual(len(before), 1900)
        # With what came later it is the whole again.
        later, restored = self.fresh(), self.fresh()
        self.run_ok('backup', later, '--since', said['cursor'], '--store', store)
        self.run_ok('merge', later, copy, '--store', restored)
        self.assertEqual(self.all_of(restored), self.all_of(store))

    def test_increments(self):
        lines = corpus(6, days=20)
        certificates = [r for r in lines if r['type'] == 'certificate']
        others = [r for r in lines if r['type'] != 'certificate']
        unused = certificate('unused')[1]
        steps = [others[::3], certificates[:4], others[1::3], [unused], certificates[4:],
                 others[2::3]]
        store, dirs, cursor = self.fresh(), [], None
        for step in steps:
            self.store(step, store)
            dirs.append(self.fresh())
            since = ['--since', cursor] if cursor else []
            cursor = self.run_ok('backup', dirs[-1], *since, '--store', store,
                                 '--json').lines()[0]['cursor']
        nothing = self.run_ok('backup', self.fresh(), '--since', cursor, '--store', store,
                              '--json').lines()[0]
        self.assertEqual((nothing['observations'], nothing['certificates']), (0, 0))
        for order in (dirs, dirs[::-1]):
            restored = self.fresh()
            self.run_ok('merge', *order, '--store', restored)
            self.assertEqual(self.all_of(restored), self.all_of(store))
            self.assertClean(restored)

    def test_what_is_refused(self):
        inside = self.store(corpus(1, days=2))
        done = self.run_ok('backup', os.path.join(inside, 'sub'), '--store', inside, status=2)
        self.assertIn('lies in the corpus itself', done.err)
        self.assertFalse(os.path.exists(os.path.join(inside, 'sub')))
        counted = self.run_ok('check', '--json', '--store', inside).lines()
        self.assertEqual(counted, [{'type': 'check', 'findings': 0}])
        store = self.store(corpus(1, days=2))
        held = self.fresh()
        os.mkdir(held)
        with open(os.path.join(held, 'mine'), 'w', encoding='ascii') as f:
            f.write('mine')
        for args in ([held], [store], [self.fresh(), '--since', '99.1'], [],
                     [self.fresh(), '--since', 'x'], [self.fresh(), '--since', '3']):
            done = self.run_ok('backup', *args, '--store', store, status=2)
            self.assertEqual(len(done.err.splitlines()), 1, done)
        self.assertEqual(os.listdir(held), ['mine'])
        self.assertEqual(programs.run('mxstore', 'backup', self.fresh(), '--store',
                                      self.lab.path('no')).status, 2)

    def test_broken_off_is_no_corpus(self):
        store, copy = self.store(corpus(1, days=2)), self.fresh()
        os.makedirs(os.path.join(copy, 'unfinished'))
        shutil.copy(os.path.join(store, 'data.mdb'), os.path.join(copy, 'unfinished'))
        self.assertEqual(programs.run('mxstore', 'stat', '--store', copy).status, 2)
        self.run_ok('backup', copy, '--store', store)
        self.assertEqual(self.all_of(copy), self.all_of(store))
        self.assertNotIn('unfinished', os.listdir(copy))


class Compact(StoreTest):
    def test_in_place_and_out(self):
        # Certificates enough for a dictionary, which compact trains anew.
        lines = corpus(7, days=30) + [certificate(f'number {i}')[1] for i in range(900)]
        store = self.fresh()
        for part in (lines[::2], lines[1::2]):  # late arrivals leave pages half full
            self.store(part, store)
        whole, out = self.all_of(store), self.fresh()
        feed = programs.run('mxdiff', 'feed', '--since', 1, '--store', store)
        size = os.path.getsize(os.path.join(store, 'data.mdb'))
        self.run_ok('compact', '--out', out, '--store', store)
        done = self.run_ok('compact', '--store', store, '--json').lines()[0]
        self.assertEqual(done['octets_after'], os.path.getsize(os.path.join(store, 'data.mdb')))
        self.assertLess(done['octets_after'], size)
        for one in (store, out):
            self.assertEqual(self.all_of(one), whole)
            self.assertClean(one)
            self.assertEqual(programs.run('mxdiff', 'feed', '--since', 1, '--store', one).out,
                             feed.out)
        # What it says it wrote is what stands there, the dictionary too, and stays as it is.
        for _ in range(2):
            parts = self.run_ok('stat', '--store', store, '--json').lines()[0]['parts']
            self.assertEqual(done['records'], sum(p['records'] for p in parts))
            done = self.run_ok('compact', '--store', store, '--json').lines()[0]
        self.store(corpus(8, days=1), store)  # and it can be written
        self.assertClean(store)

    def test_refused_while_another_has_it(self):
        store = self.store(corpus(1, days=2))
        with subprocess.Popen([programs.path('mxstore'), 'import', 'jsonl', '-', '--store', store],
                              stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              env=programs.environment()) as other:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                done = programs.run('mxstore', 'compact', '--store', store)
                if done.status != 0:
                    break
                time.sleep(0.05)
            self.assertEqual(done.status, 2, done)
            self.assertRegex(done.err, r'\A[^\n]*another process[^\n]*\n\Z')
            other.stdin.close()
            other.wait(20)
        self.run_ok('compact', '--store', store)
        self.assertClean(store)

    def test_a_wrong_record_stops_it(self):
        store = self.store(corpus(9, days=10))
        path = os.path.join(store, 'data.mdb')
        with open(path, 'r+b') as f:
            data = f.read()
            f.seek(data.rindex(b'220 mx'))
            f.write(b'221')
        before = open(path, 'rb').read()
        done = self.run_ok('compact', '--store', store, status=2)
        self.assertIn('sub-database evidence', done.err)
        done = self.run_ok('backup', self.fresh(), '--store', store, status=2)
        self.assertIn('sub-database evidence', done.err)
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), before)
        target = self.fresh()
        done = self.run_ok('merge', store, '--store', target, status=1)
        self.assertIn('sub-database evidence', done.err)
        self.assertClean(target)
        self.assertGreater(len(observations(target).lines()), 10)


class Prune(StoreTest):
    def history(self, store, ms):
        """What is to stay: what is shown from ms on, the changes since, the snapshots. And, apart,
        since when addresses do without SNI what they do."""
        shown = [r for t in (ms, ms + 1, ms + DAY, ms + 15 * DAY, START + 400 * DAY)
                 for r in programs.run('mxdiff', 'show', '--json', '--at', iso(t), '--store',
                                       store).lines()]
        since = []
        for record in shown:
            if record.get('fallback'):
                since.append((record['fallback'].pop('after'), record['fallback'].pop('before')))
        log = [c for c in programs.run('mxdiff', 'log', '--json', '--store', store).lines()
               if c['before'] >= iso(ms)]
        late = self.run_ok('export', 'jsonl', '--since', iso(ms), '--store', store).records(
            'observation')
        return {'shown': shown, 'log': log, 'late': late,
                'pem': [self.snapshot(store, t) for t in (ms, ms + 10 * DAY)]}, since

    def assertPruned(self, store, ms, before):
        """All is the same, but that a fallback is known no longer than from what is kept on."""
        history, since = self.history(store, ms)
        self.assertEqual(history, before[0])
        self.assertEqual(len(since), len(before[1]))
        for now, once in zip(since, before[1]):
            if now != once:
                self.assertIsNone(now[0])
                self.assertGreater(now[1], once[1])

    def test_what_follows_stays(self):
        dropped = 0
        for seed in range(20, 24):
            store = self.store(corpus(seed, days=60, hosts=3, restless=0.02 if seed % 2 else 0.002))
            self.store([dns('d.test', START + i * DAY, 'MX', [f'10 m{i // 20}.test'])
                        for i in range(50)], store)
            for ms in (START + 20 * DAY, START + 41 * DAY + 7):
                with self.subTest(seed=seed, ms=ms):
                    before = self.history(store, ms)
                    would = self.run_ok('prune', '--before', iso(ms), '--dry-run', '--store',
                                        store, '--json').lines()[0]
                    self.assertEqual(self.history(store, ms), before)
                    did = self.run_ok('prune', '--before', iso(ms), '--store', store,
                                      '--json').lines()[0]
                    self.assertEqual({**did, 'dry_run': True}, would)
                    self.assertPruned(store, ms, before)
                    self.assertClean(store)
                    again = self.run_ok('prune', '--before', iso(ms), '--store', store,
                                        '--json').lines()[0]
                    self.assertEqual(again['observations'], 0)
                    dropped += did['observations']
        self.assertGreater(dropped, 1000)

    def test_cursors(self):
        store = self.store([certificate('a')[1]])
        for day in range(8):
            self.store([observation('mx.a.test', '192.0.2.1', START + day * DAY + i * 600000,
                                    [certificate('a')[0]]) for i in range(100)], store)
        self.run_ok('prune', '--before', iso(START + 5 * DAY), '--store', store)
        old = programs.run('mxdiff', 'feed', '--since', 3, '--store', store)
        self.assertEqual(old.status, 2)
        self.assertRegex(old.err, r'\A[^\n]*older than what is left[^\n]*\n\Z')
        self.assertEqual(programs.run('mxdiff', 'feed', '--since', 6, '--store', store).status, 0)
        self.store([observation('mx.a.test', '192.0.2.1', START + 99 * DAY, [])], store)
        feed = programs.run('mxdiff', 'feed', '--since', 6, '--store', store)
        self.assertEqual(feed.lines()[-1]['cursor'], '9')
        self.assertClean(store)


class Delete(StoreTest):
    def lines(self):
        chain = [certificate('out')[0]]
        kept = [certificate('shared')[1], dns('keep.test', START, 'MX', ['10 mx.keep.test'])]
        for i in range(30):
            kept.append(observation('mx.keep.test', '192.0.2.1', START + i * 3600000,
                                    [certificate('shared')[0]]))
        gone = [certificate('out')[1], dns('optout.test', START, 'MX', ['10 mx.optout.test']),
                dns('third.test', START, 'MX', ['10 mx.optout.test', '20 mx.keep.test'])]
        for i in range(30):
            ms = START + i * 3600000
            gone.append(observation('mx.optout.test', '192.0.2.2', ms, chain))
            gone.append(observation('mx.optout.test', '192.0.2.2', ms,
                                    [certificate('shared')[0]], sni='hostname',
                                    sni_name='mx.optout.test'))
            gone.append(observation('mx.keep.test', '192.0.2.1', ms, chain, sni='nexthop',
                                    sni_name='optout.test', domain='optout.test'))
        return kept, gone

    def test_import_tells_of_names_that_opted_out(self):
        kept, gone = self.lines()
        store = self.store(kept)
        self.run_ok('delete', 'optout.test', '--store', store)
        done = programs.run('mxstore', 'import', 'jsonl', '-', '--store', store,
                            stdin=''.join(json.dumps(o) + '\n' for o in kept + gone))
        self.assertEqual(done.status, 0, done)
        self.assertEqual([o for o in done.err.splitlines() if 'blocklist' in o],
                         ["mxstore: 90 observations are of names on the corpus's blocklist (first: "
                          'mx.optout.test); mxstore delete drops them again'])
        done = programs.run('mxstore', 'import', 'jsonl', '-', '--store', store,
                            stdin=''.join(json.dumps(o) + '\n' for o in kept))
        self.assertNotIn('blocklist', done.err)

    def test_nothing_of_it_stays(self):
        kept, gone = self.lines()
        store, rest = self.store(kept + gone), self.store(kept)
        would = self.run_ok('delete', 'optout.test', '--dry-run', '--json', '--store', store)
        self.assertTrue(self.holds(store, 'optout'))
        self.assertNotIn('blocklist', os.listdir(store))
        did = self.run_ok('delete', 'OptOut.test.', '--json', '--store', store)
        self.assertEqual(did.lines()[0]['observations'], 90)
        self.assertEqual(did.lines()[0]['dns_answers'], 2)
        self.assertEqual(did.lines()[0]['certificates'], 1)
        self.assertEqual({**did.lines()[0], 'dry_run': True}, would.lines()[0])
        for trace in ('optout', 'a certificate of out'):
            self.assertFalse(self.holds(store, trace))
        self.assertEqual(self.all_of(store), self.all_of(rest))
        self.assertClean(store)
        self.store(gone, store)  # numbers are not given twice, cursors hold
        self.assertEqual(self.all_of(store), self.all_of(self.store(kept + gone)))
        self.assertClean(store)

    def test_one_host(self):
        kept, gone = self.lines()
        store = self.store(kept + gone)
        self.run_ok('delete', 'mx.optout.test', '--store', store)
        self.assertFalse(self.holds(store, 'mx.optout.test'))
        self.assertTrue(self.holds(store, 'optout.test'))
        self.assertClean(store)

    def test_blocklist(self):
        store = self.store(self.lines()[0])
        path = os.path.join(store, 'blocklist')
        with open(path, 'w', encoding='ascii') as f:
            f.write('192.0.2.0/24 # a net\nB.test.\n# no end')
        for name in ('a.test', 'b.test', 'a.test'):
            self.run_ok('delete', name, '--store', store)
        with open(path, encoding='ascii') as f:
            lines = f.read().splitlines()
        self.assertEqual(lines[:3], ['192.0.2.0/24 # a net', 'B.test.', '# no end'])
        self.assertEqual([line.split()[0] for line in lines[3:]], ['a.test'])
        for name in ('192.0.2.1', 'no name', ''):
            self.run_ok('delete', name, '--store', store, status=2)
        self.run_ok('delete', 'a.test', '--store', self.lab.path('none'), status=2)

    def test_said_where_traces_stay(self):
        kept, gone = self.lines()
        store = self.store(kept + gone)
        with subprocess.Popen([programs.path('mxstore'), 'import', 'jsonl', '-', '--store', store],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=programs.environment()) as other:
            deadline = time.monotonic() + 20
            while (programs.run('mxstore', 'compact', '--store', store).status == 0
                   and time.monotonic() < deadline):
                time.sleep(0.05)
            done = self.run_ok('delete', 'optout.test', '--store', store, status=1)
            self.assertIn('mxstore compact', done.err)
            self.assertNotIn('optout', observations(store).out)
            other.stdin.close()
            other.wait(20)
        self.run_ok('compact', '--store', store)
        self.assertFalse(self.holds(store, 'optout'))

    def test_stat_counts_what_is_left(self):
        kept, gone = self.lines()
        store = self.store(gone + kept)
        self.run_ok('delete', 'optout.test', '--store', store, '--quiet')
        left = [json.loads(line) for line in observations(store).out.splitlines()]
        told = self.run_ok('stat', '--json', '--store', store).lines()[0]
        self.assertEqual([told['observations'], told['dns_answers']],
                         [sum(r['type'] == 'observation' for r in left),
                          sum(r['type'] in ('dns', 'sts') for r in left)])


if __name__ == '__main__':
    tap.main()
