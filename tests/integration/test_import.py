#!/usr/bin/env python3
"""What others collected: zgrab2's lines, Sonar's files, PEM; plain, .gz, .zst; damaged or hostile."""
import base64
import csv
import gzip
import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import unittest

from common import Ca, Lab, observations, one_line, programs, tap
from lab.ca import ders


def b64(der):
    return base64.b64encode(der).decode()


class ImportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        ca = Ca(cls.lab.path('ca'))
        cls.leaf_path = ca.issue('leaf', ['mx.import.test'])
        cls.ders = ders(cls.leaf_path)
        cls.names = [hashlib.sha256(d).hexdigest() for d in cls.ders]
        cls.number = 0

    def fresh(self, name='file'):
        type(self).number += 1
        return self.lab.path(f'{name}{self.number}')

    def write(self, name, data):
        folder = self.fresh('dir')
        os.makedirs(folder)
        path = os.path.join(folder, name)
        with open(path, 'wb') as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return path

    def run_import(self, kind, *args, store=None, **more):
        store = store or self.fresh('store')
        done = programs.run('mxstore', 'import', kind, *args, '--store', store, **more)
        return done, store

    def imported(self, kind, *args, **more):
        """The observations after an import without a complaint."""
        done, store = self.run_import(kind, *args, **more)
        self.assertEqual((done.status, done.err), (0, ''), done)
        return observations(store).records('observation')

    def assertCheckClean(self, store):
        done = programs.run('mxstore', 'check', '--store', store)
        self.assertEqual(done.status, 0, done)


class Zgrab2(ImportTest):
    def grab(self, status='success', module='smtp', protocol='smtp', error=None, tls=True, top=None,
             **result):
        full = {'banner': '220 mx.import.test ESMTP 42 ready\r\n',
                'ehlo': '250-mx.import.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n',
                'starttls': '220 go\r\n'}
        if isinstance(tls, dict):
            full['tls'] = tls
        elif tls:
            full['tls'] = {'handshake_log': {
                'server_hello': {'version': {'name': 'TLSv1.2', 'value': 771},
                                 'cipher_suite': {'hex': '0xC02F', 'value': 49199,
                                                  'name': 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'}},
                'server_certificates': {'certificate': {'raw': b64(self.ders[0]), 'parsed': {'x': 1}},
                                        'chain': [{'raw': b64(d)} for d in self.ders[1:]]},
                'server_key_exchange': {'ecdh_params': {'curve_id': {'name': 'x25519', 'id': 29}},
                                        'signature': {'type': 'rsa', 'valid': True}}}}
        full.update(result)
        full = {k: v for k, v in full.items() if v is not None}
        response = {'status': status, 'protocol': protocol, 'port': 2525, 'result': full,
                    'timestamp': '2026-03-19T09:10:00+03:00'}
        if error:
            response['error'] = error
        line = {'ip': '192.0.2.7', 'domain': 'MX.import.test', 'data': {module: response}}
        line.update(top or {})
        return {k: v for k, v in line.items() if v is not None}

    def one(self, *args, **more):
        found = self.imported('zgrab2', '-', stdin=json.dumps(self.grab(*args, **more)) + '\n')
        self.assertEqual(len(found), 1)
        return found[0]

    def test_success(self):
        o = self.one()
        self.assertEqual(
            {k: o[k] for k in ('time', 'vantage', 'domain', 'host', 'address', 'port', 'sni',
                               'sni_name', 'offer', 'outcome', 'starttls_offered', 'tls_version',
                               'cipher', 'group', 'server_signature', 'chain', 'greeting', 'ehlo')},
            {'time': '2026-03-19T06:10:00.000Z', 'vantage': 'zgrab2', 'domain': None,
             'host': 'mx.import.test', 'address': '192.0.2.7', 'port': 2525, 'sni': 'hostname',
             'sni_name': 'mx.import.test', 'offer': 'default', 'outcome': 'success',
             'starttls_offered': True, 'tls_version': 'TLSv1.2',
             'cipher': 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'group': 'x25519',
             'server_signature': 'RSA', 'chain': self.names,
             'greeting': '220 mx.import.test ESMTP * ready', 'ehlo': ['SIZE *', 'STARTTLS']})

    def test_address_alone(self):
        for ip, host in (('192.0.2.7', '7.2.0.192.in-addr.arpa'),
                         ('2001:db8::1', '1.' + '0.' * 23 + '8.b.d.0.1.0.0.2.ip6.arpa')):
            with self.subTest(ip=ip):
                o = self.one(top={'domain': None, 'ip': ip})
                self.assertEqual((o['host'], o['sni'], o['sni_name']), (host, 'none', None))

    def test_client_hello_says_what_was_sent(self):
        log = self.grab()['data']['smtp']['result']['tls']['handshake_log']
        for sent, sni, name in ((None, 'none', None), ('mx.import.test', 'hostname', 'mx.import.test'),
                                ('Other.test', 'literal', 'other.test')):
            with self.subTest(sent=sent):
                hello = {'version': {'name': 'TLSv1.2'}} | ({'server_name': sent} if sent else {})
                o = self.one(tls={'handshake_log': log | {'client_hello': hello}})
                self.assertEqual((o['sni'], o['sni_name']), (sni, name))

    def test_tls13(self):
        o = self.one(tls={'handshake_log': {
            'server_hello': {'version': {'name': 'TLSv1.2'}, 'key_share': {'name': 'X25519'},
                             'supported_versions': {'selected_version': {'name': 'TLSv1.3'}},
                             'cipher_suite': {'name': 'TLS_AES_128_GCM_SHA256'}},
            'server_certificates': {'certificate': {'raw': b64(self.ders[0])}}}})
        self.assertEqual((o['tls_version'], o['group'], o['chain']),
                         ('TLSv1.3', 'X25519', self.names[:1]))

    def test_outcomes(self):
        nothing = dict(tls=False, banner=None, ehlo=None, starttls=None)
        for args, more, outcome, code, errno in (
                (['connection-refused'], nothing, 'connection-refused', None, None),
                (['connection-timeout'], dict(nothing, error='dial tcp 192.0.2.7:25: connect: '
                                              'connection refused'), 'connection-refused', None,
                 'ECONNREFUSED'),
                (['unknown-error'], dict(nothing, error='connect: no route to host'),
                 'unreachable', None, 'EHOSTUNREACH'),
                (['io-timeout'], nothing, 'io-timeout', None, None),
                (['connection-closed'], dict(tls=False, starttls=None), 'connection-closed', None,
                 None),
                (['protocol-error'], nothing, 'protocol-error', None, None),
                (['application-error'], dict(nothing, banner='421 busy\r\n'), 'rate-limited', 421,
                 None),
                (['application-error'], dict(nothing, banner='451 later\r\n'), 'temporary-reject',
                 451, None),
                (['application-error'], dict(nothing, banner='554 no\r\n'), 'permanent-reject', 554,
                 None),
                (['application-error'], dict(tls=False, starttls='454 no TLS\r\n'),
                 'starttls-rejected', 454, None),
                (['success'], dict(tls=False, starttls=None, ehlo='250-a\r\n250 SIZE\r\n'),
                 'starttls-not-offered', 250, None),
                (['handshake-error'], dict(tls={'handshake_log': None}), 'handshake-error', None,
                 None)):
            with self.subTest(args=args, outcome=outcome):
                o = self.one(*args, **more)
                self.assertEqual((o['outcome'], o['smtp_code'], o['errno'], o['chain']),
                                 (outcome, code, errno, []))

    def test_alert(self):
        for log, alert in (({'alert': 112}, 112), ({}, 40)):
            o = self.one('handshake-error', tls={'handshake_log': log},
                         error='remote error: tls: handshake failure')
            self.assertEqual((o['outcome'], o['tls_alert']), ('tls-alert', alert))

    def test_other_modules_are_passed_over_and_counted(self):
        both = self.grab(module='tls25')
        both['data'] |= {'http': {'status': 'success', 'protocol': 'http', 'timestamp': 'x'}}
        lines = [both, {'ip': '192.0.2.8', 'data': {'http': {'status': 'success'}}},
                 {'domain': 'gone.test', 'error': 'could not resolve'},
                 self.grab('invalid-inputs', tls=False, banner=None, ehlo=None, starttls=None)]
        done, store = self.run_import('zgrab2', '-', '--json', '--vantage', 'berlin',
                                      stdin='\n'.join(map(json.dumps, lines)))
        self.assertEqual((done.status, done.lines()[0]['skipped']), (0, 3), done)
        found = observations(store).records('observation')
        self.assertEqual([(o['outcome'], o['vantage']) for o in found], [('success', 'berlin')])

    def test_bad_lines_are_named_and_the_rest_goes_on(self):
        good = json.dumps(self.grab())
        bad = ['{', '[]', '7', '{"ip":"nowhere","data":{}}',
               json.dumps(self.grab(top={'domain': 'no name'})),
               json.dumps(self.grab(tls={'handshake_log': {'server_certificates': {
                   'certificate': {'raw': '?'}}}})),
               good.replace('2026-03-19T09:10:00+03:00', 'noon'),
               good.replace('2525', '1e999'), good.replace('2525', '9' * 400),
               '[' * 5000, '{"ip":' + '[' * 100000, 'x\0y',
               '{"ip":"192.0.2.1","ip":"192.0.2.2"}', '[' + '1,' * 100000 + '1]']
        text = '\n'.join([good] + bad + [good.replace('192.0.2.7', '192.0.2.8')]) + '\n'
        done, store = self.run_import('zgrab2', '-', stdin=text)
        self.assertEqual(done.status, 1, done)
        lines = one_line(done.err)
        self.assertEqual(len(lines), len(bad), done)
        for n, line in enumerate(lines, 2):
            self.assertIn(f'standard input:{n}: ', line)
        self.assertEqual(len(observations(store).records('observation')), 2)
        self.assertCheckClean(store)

    def test_hostile_words(self):
        o = self.one(banner='220 a\x00b \x1b[2J‮ \r\n',
                     ehlo='250-x\r\n250-STARTTLS\r\n250 EV\x00IL\r\n')
        self.assertNotIn('\x1b', o['greeting'])
        self.assertNotIn('\0', o['greeting'] + ''.join(o['ehlo']))


class Sonar(ImportTest):
    def sha1(self, i):
        return hashlib.sha1(self.ders[i]).hexdigest()

    def certs(self, *which):
        return ''.join(f'{self.sha1(i)},{b64(self.ders[i])}\n' for i in which)

    def test_port_0_is_none(self):
        self.assertEqual(self.run_import('sonar', '--port', '0', 'file')[0].status, 2)

    def test_one_day(self):
        stem = '2020-06-01-1590969600-smtp_starttls_25_'
        certs = self.write(stem + 'certs.gz', gzip.compress(self.certs(0, 1).encode()))
        ends = self.write(stem + 'endpoints.gz', gzip.compress((
            f'192.0.2.1,25,{self.sha1(0)}\n192.0.2.1,25,{self.sha1(1)}\n'
            f'192.0.2.2,25,{self.sha1(1)}\n192.0.2.2,587,{self.sha1(1)}\n').encode()))
        names = self.write(stem + 'names.gz', gzip.compress(b'whatever\n'))
        found = self.imported('sonar', names, ends, certs)
        self.assertEqual(
            [(o['host'], o['address'], o['port'], o['chain'], o['outcome'], o['sni'], o['vantage'],
              o['time']) for o in found],
            [('1.2.0.192.in-addr.arpa', '192.0.2.1', 25, self.names, 'success', 'none', 'sonar',
              '2020-06-01T00:00:00.000Z'),
             ('2.2.0.192.in-addr.arpa', '192.0.2.2', 25, self.names[1:], 'success', 'none', 'sonar',
              '2020-06-01T00:00:00.000Z'),
             ('2.2.0.192.in-addr.arpa', '192.0.2.2', 587, self.names[1:], 'success', 'none',
              'sonar', '2020-06-01T00:00:00.000Z')])

    def test_increments(self):
        """A certificate of an earlier run and day; what is absent later is not removed."""
        store = self.fresh('store')
        for day, which, hosts in (('20131030', (0, 1), '192.0.2.1'), ('20131106', (), '192.0.2.3')):
            files = [self.write(day + '_certs.gz', self.certs(*which)),
                     self.write(day + '_hosts.gz', f'{hosts},{self.sha1(0)}\n')]
            done, _ = self.run_import('sonar', *files, store=store)
            self.assertEqual((done.status, done.err), (0, ''), done)
        self.assertEqual([(o['address'], o['port'], o['time'][:10], o['chain'])
                          for o in observations(store).records('observation')],
                         [('192.0.2.1', 443, '2013-10-30', self.names[:1]),
                          ('192.0.2.3', 443, '2013-11-06', self.names[:1])])

    def test_again_changes_nothing(self):
        files = [self.write('20131030_certs.gz', self.certs(0)),
                 self.write('20131030_hosts.gz', f'192.0.2.1,{self.sha1(0)}\n')]
        done, store = self.run_import('sonar', *files)
        once = observations(store).out
        done, _ = self.run_import('sonar', *files, '--json', store=store)
        self.assertEqual((done.status, done.lines()[0]['observations']), (0, 0), done)
        self.assertEqual(observations(store).out, once)

    def test_unknown_certificate(self):
        path = self.write('20131030_hosts', f'192.0.2.1,{"ab" * 20}\n192.0.2.2,{"ab" * 20}\n')
        done, store = self.run_import('sonar', path)
        self.assertEqual(done.status, 1, done)
        self.assertIn(f'{path}:1: ', done.err)
        self.assertIn('_certs', done.err)
        self.assertEqual(observations(store).out, '')

    def test_standard_input(self):
        text = self.certs(0) + f'192.0.2.1,{self.sha1(0)}\n'
        done, _ = self.run_import('sonar', '-', stdin=text)
        self.assertEqual(done.status, 1)
        self.assertIn('--port', done.err)
        done, _ = self.run_import('sonar', '-', '--port', '25', stdin=text)
        self.assertEqual(done.status, 1)
        self.assertIn('--time', done.err)
        found = self.imported('sonar', '-', '--port', '25', '--time', '2020-01-01T00:00:00Z',
                              stdin=text)
        self.assertEqual([(o['port'], o['time']) for o in found], [(25, '2020-01-01T00:00:00.000Z')])

    def test_bad_lines(self):
        bad = ['x', f'{self.sha1(0)},{b64(self.ders[1])}', f'{self.sha1(0)},?', f'1.2.3,{self.sha1(0)}',
               f'192.0.2.1,99999,{self.sha1(0)}', f'192.0.2.1,25,{self.sha1(0)},x', '192.0.2.1,zz']
        path = self.write('20131030_hosts', '\n'.join([self.certs(0).strip()] + bad + [
            f'192.0.2.9,{self.sha1(0)}']))
        done, store = self.run_import('sonar', path)
        self.assertEqual((done.status, len(one_line(done.err))), (1, len(bad)), done)
        self.assertEqual([o['address'] for o in observations(store).records('observation')],
                         ['192.0.2.9'])


class Jsonl(ImportTest):
    def observation(self, address, chain):
        return json.dumps({'type': 'observation', 'time': '2026-03-19T06:00:00.000Z',
                           'vantage': 'here', 'host': 'mx.import.test', 'address': address,
                           'port': 25, 'sni': 'none', 'offer': 'default', 'outcome': 'success',
                           'chain': chain}) + '\n'

    def test_named_certificates(self):
        """What is still missing at the end is said; the status is of what was taken."""
        seen = self.write('seen', self.observation('192.0.2.1', self.names))
        given = self.write('given', ''.join(
            json.dumps({'type': 'certificate', 'sha256': n, 'der': b64(d)}) + '\n'
            for n, d in zip(self.names, self.ders)))
        done, store = self.run_import('jsonl', seen, '--json')
        self.assertEqual(done.status, 0, done)
        self.assertEqual(done.lines()[0]['certificates_missing'], len(self.names))
        self.assertEqual(done.err, f'mxstore: {len(self.names)} certificates that the observations '
                         f'name were not given (first: {min(self.names)}); import them too, in '
                         'any order\n')
        done, _ = self.run_import('jsonl', given, store=store)
        self.assertEqual((done.status, done.err), (0, ''))
        done, _ = self.run_import('jsonl', seen, given)  # in any order
        self.assertEqual((done.status, done.err), (0, ''))
        done, _ = self.run_import('jsonl', seen, store=store)
        self.assertEqual((done.status, done.err), (0, ''))

    def test_mapped_addresses_stay_what_they_are(self):
        text = ''.join(self.observation(a, []) for a in (
            '192.0.2.1', '::FFFF:192.0.2.1', '::ffff:c000:201', '2001:db8::1'))
        wanted = ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1']
        stores = []
        for kind in ('jsonl', 'zgrab2'):
            lines = text if kind == 'jsonl' else ''.join(json.dumps(
                {'ip': a, 'domain': 'mx.import.test', 'data': {'smtp': {
                    'status': 'io-timeout', 'protocol': 'smtp', 'port': 25,
                    'timestamp': '2026-03-19T07:00:00Z'}}}) + '\n' for a in wanted)
            done, store = self.run_import(kind, '-', stdin=lines)
            self.assertEqual(done.status, 0, done)
            stores.append(store)
            self.assertEqual([o['address'] for o in observations(store).records('observation')],
                             wanted)
        once = observations(stores[0]).out
        done, copy = self.run_import('jsonl', '-', stdin=once)
        self.assertEqual(observations(copy).out, once)
        both = self.fresh('store')
        done = programs.run('mxstore', 'merge', *stores, '--store', both)
        self.assertEqual(done.status, 0, done)
        self.assertEqual([o['address'] for o in observations(both).records('observation')],
                         [a for a in wanted for _ in stores])


class Compressed(ImportTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = [json.dumps({'type': 'certificate', 'sha256': n, 'der': b64(d)})
                 for n, d in zip(cls.names, cls.ders)]
        for i in range(2000):
            lines.append(json.dumps({
                'type': 'observation', 'time': f'2026-03-19T06:{i // 60:02}:{i % 60:02}.000Z'
                if i < 3600 else '', 'vantage': 'here', 'host': f'mx{i % 7}.import.test',
                'address': '192.0.2.1', 'port': 25, 'sni': 'none', 'offer': 'default',
                'outcome': 'success', 'chain': cls.names[:1 + i % 2]}))
        cls.text = '\n'.join(lines) + '\n'
        store = cls.lab.path('reference')
        programs.run('mxstore', 'import', 'jsonl', '-', '--store', store, stdin=cls.text)
        cls.export = observations(store).out

    def zstd(self, data):
        if not shutil.which('zstd'):
            self.skipTest('zstd(1) is not installed')
        return subprocess.run(['zstd', '-qc'], input=data, capture_output=True, check=True).stdout

    def test_gzip_and_zstd(self):
        data = self.text.encode()
        half = len(data) // 2
        for name, packed in (('gz', gzip.compress(data)), ('zst', self.zstd(data)),
                             ('members', gzip.compress(data[:half]) + gzip.compress(data[half:])),
                             ('frames', self.zstd(data[:half]) + self.zstd(data[half:]))):
            for stdin in (False, True):
                with self.subTest(name=name, stdin=stdin):
                    path, store = self.write('data', packed), self.fresh('store')
                    with open(path, 'rb') as f:
                        done = subprocess.run(
                            [programs.path('mxstore'), 'import', 'jsonl', '--store', store,
                             '-' if stdin else path], stdin=f, capture_output=True,
                            env=programs.environment(), check=False)
                    self.assertEqual((done.returncode, done.stderr), (0, b''))
                    self.assertEqual(observations(store).out, self.export)

    def test_cut(self):
        packed = gzip.compress(self.text.encode())
        path = self.write('cut.jsonl.gz', packed[:len(packed) // 2])
        good = self.write('good.jsonl', self.text)
        done, store = self.run_import('jsonl', path)
        self.assertEqual(done.status, 1, done)
        self.assertEqual(len(one_line(done.err)), 1, done)
        self.assertRegex(done.err, rf'cut\.jsonl\.gz: gzip data end too soon, at octet '
                         rf'{len(packed) // 2}; the \d+ lines before are kept')
        kept = observations(store).records('observation')
        self.assertGreater(len(kept), 100)
        self.assertLess(len(kept), 2000)
        self.assertCheckClean(store)
        done, store = self.run_import('jsonl', path, good)
        self.assertEqual(done.status, 1, done)
        self.assertEqual(observations(store).out, self.export)

    def test_damaged(self):
        packed = bytearray(gzip.compress(self.text.encode()))
        packed[-8] ^= 1
        done, _ = self.run_import('jsonl', self.write('bad.gz', bytes(packed)))
        self.assertEqual((done.status, len(one_line(done.err))), (1, 1), done)
        self.assertIn('damaged before octet', done.err)
        done, _ = self.run_import('jsonl', self.write('twice.gz', gzip.compress(gzip.compress(
            b'x'))))
        self.assertEqual((done.status, len(one_line(done.err))), (1, 1), done)
        self.assertIn('compressed twice', done.err)

    def test_pem(self):
        with open(self.leaf_path, 'rb') as f:
            pem = f.read()
        where = ('--host', 'mx.import.test', '--address', '192.0.2.1', '--time',
                 '2026-03-19T06:10:00Z')
        found = self.imported('pem', self.write('leaf.pem.gz', gzip.compress(pem)), *where)
        self.assertEqual([o['chain'] for o in found], [self.names])
        done, _ = self.run_import('pem', self.write('cut.gz', gzip.compress(pem)[:100]), *where)
        self.assertEqual((done.status, len(one_line(done.err))), (1, 1), done)
        self.assertIn('end too soon', done.err)

    def test_bomb_costs_constant_memory(self):
        """400 MB of one line, and a million empty ones, out of half a megabyte."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        for fill, n in ((b'x', 400), (b'\n', 1)):
            with self.subTest(fill=fill):
                bomb = gzip.compress(fill * (1 << 20)) * n
                done, _ = self.run_import('jsonl', self.write('bomb.gz', bomb))
                self.assertEqual(done.status, 1 if fill == b'x' else 0, done)
        after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(after - before, 200 << 10)

    def test_many_bad_lines_are_counted(self):
        done, _ = self.run_import('jsonl', '-', stdin='{\n' * 5000)
        self.assertEqual(done.status, 1, done)
        self.assertEqual(len(one_line(done.err)), 21, done)
        self.assertIn('4980 lines more were not taken', done.err)
        self.assertIn('5000 bad', done.out)


class Audit(ImportTest):
    """A manifest and its files, as somebody reads them who has nothing else."""

    def test_files_open(self):
        junk = b'no certificate at all'
        chains = {'mx1': self.ders, 'mx2': [junk], 'mx3': [self.ders[0], junk], 'mx4': self.ders[:1]}
        text = ''
        for der in [*self.ders, junk]:
            text += json.dumps({'type': 'certificate', 'sha256': hashlib.sha256(der).hexdigest(),
                                'der': b64(der)}) + '\n'
        for name, chain in chains.items():
            text += json.dumps({
                'type': 'observation', 'time': '2026-03-19T06:10:00Z', 'vantage': 'here',
                'host': f'{name}.import.test', 'address': '192.0.2.1', 'port': 25, 'sni': 'none',
                'offer': 'default', 'outcome': 'success',
                'chain': [hashlib.sha256(d).hexdigest() for d in chain]}) + '\n'
        done, store = self.run_import('jsonl', '-', stdin=text)
        self.assertEqual(done.status, 0, done)
        folders = [self.fresh('audit') for _ in range(2)]
        for folder, zone, umask in zip(folders, ('Asia/Tokyo', 'UTC'), ('077', '022')):
            done = programs.run('mxstore', 'export', 'pem', '--at', '2026-03-20T00:00:00Z', '--out',
                                folder, '--store', store,
                                env=programs.environment(TZ=zone),
                                wrap=('sh', '-c', f'umask {umask}; exec "$@"', 'sh'))
            self.assertEqual(done.status, 0, done)
            self.assertIn('2 chains have certificates that OpenSSL does not open', done.err)
            subprocess.run(['sha256sum', '-c', '--quiet', '--strict', 'SHA256SUMS'], cwd=folder,
                           check=True)
        self.assertEqual(*({n: open(os.path.join(f, n), 'rb').read() for n in os.listdir(f)}
                           for f in folders))
        with open(os.path.join(folders[0], 'manifest.tsv'), encoding='utf-8') as f:
            rows = list(csv.DictReader(f, delimiter='\t'))
        self.assertEqual([os.path.splitext(r['file'])[1] for r in rows],
                         ['.pem', '.txt', '.txt', '.pem'])
        for row, chain in zip(rows, chains.values()):
            path = os.path.join(folders[0], row['file'])
            self.assertEqual(ders(path), chain)
            self.assertEqual(row['sha256'], hashlib.sha256(chain[0]).hexdigest())
            if path.endswith('.pem'):
                for tool in (['openssl', 'x509', '-noout', '-in'], ['certtool', '-i', '--infile']):
                    done = subprocess.run([*tool, path], check=False, capture_output=True)
                    self.assertEqual(done.returncode, 0, (tool, done))


class Csv(ImportTest):
    HOSTILE = '220 =cmd|\'/C calc\'!A0, "quoted"'

    def test_golden(self):
        """Like the cells of CONTRACT: formulas defused, commas and quotes quoted."""
        base = {'type': 'observation', 'vantage': 'here', 'host': 'mx.import.test', 'port': 25,
                'address': '192.0.2.1', 'sni': 'none', 'offer': 'default'}
        lines = [
            {**base, 'time': '2026-03-19T06:10:00.001Z', 'outcome': 'success', 'smtp_code': 220,
             'sni': 'nexthop', 'sni_name': 'import.test', 'domain': 'import.test',
             'greeting': self.HOSTILE, 'ehlo': ['STARTTLS', 'SIZE *'], 'starttls_offered': True,
             'chain': ['ab' * 32, 'cd' * 32], 'flags': ['injection', 'clock-stepped'],
             'ms': {'dns': None, 'connect': 3}},
            {**base, 'time': '2026-03-19T06:10:00.002Z', 'outcome': 'tls-alert', 'tls_alert': 40,
             'address': '2001:db8::1', 'greeting': '=1+1', 'cipher': '@x', 'errno': '-E',
             'reported': {'by': 'postfix', 'status': 'Untrusted', 'reason': '+a\nb'}}]
        done, store = self.run_import('jsonl', '-', stdin='\n'.join(map(json.dumps, lines)))
        self.assertEqual(done.status, 0, done)
        done = programs.run('mxstore', 'export', 'csv', '--store', store)
        self.assertEqual(done.status, 0, done)
        with open(os.path.join(os.path.dirname(__file__), '..', 'golden', 'export.csv'), encoding='utf-8',
                  newline='') as f:
            self.assertEqual(done.out, f.read())
        rows = list(csv.DictReader(io.StringIO(done.out)))
        self.assertEqual(rows[0]['greeting'], self.HOSTILE)
        self.assertEqual([rows[1][k] for k in ('greeting', 'cipher', 'errno', 'reported_reason')],
                         ["'=1+1", "'@x", "'-E", "'+a\\x0Ab"])

    def test_filters_are_those_of_jsonl(self):
        text = ''
        for i in range(60):
            text += json.dumps({
                'type': 'observation', 'vantage': ('a', 'b')[i % 2], 'host': f'mx{i % 3}.x{i % 4}.test',
                'port': 25, 'address': f'192.0.2.{i % 5}', 'sni': ('none', 'unknown')[i // 30],
                'offer': 'default', 'outcome': 'io-timeout', 'time': f'2026-03-{1 + i % 6:02}T00:00:00Z',
                'ms': {'dns': i}}) + '\n'
        done, store = self.run_import('jsonl', '-', stdin=text)
        self.assertEqual(done.status, 0, done)
        sizes = set()
        for args in ((), ('--host', 'x1.test'), ('--host', 'mx1.x1.test'), ('--address', '192.0.2.3'),
                     ('--sni', 'unknown'), ('--vantage', 'b'), ('--since', '2026-03-03T00:00:00Z'),
                     ('--until', '2026-03-03T00:00:00Z', '--address', '192.0.2.3'),
                     ('--host', 'nowhere.test')):
            with self.subTest(args=args):
                lines = observations(store, *args).records('observation')
                done = programs.run('mxstore', 'export', 'csv', '--store', store, *args)
                rows = list(csv.DictReader(io.StringIO(done.out)))
                keys = ('time', 'host', 'address', 'sni', 'vantage', 'outcome')
                self.assertEqual([[o[k] for k in keys] for o in lines],
                                 [[r[k] for k in keys] for r in rows])
                self.assertEqual([str(o['ms']['dns']) for o in lines],
                                 [r['ms_dns'] for r in rows])
                sizes.add(len(rows))
        self.assertGreater(len(sizes), 5)
        done = programs.run('mxstore', 'export', 'csv', '--store', store, '--address', 'here')
        self.assertEqual((done.status, len(one_line(done.err))), (2, 1), done)


if __name__ == '__main__':
    tap.main()
