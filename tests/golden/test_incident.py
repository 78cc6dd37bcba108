#!/usr/bin/env python3
"""The incident as a golden test: probes every ten minutes of that day, under the variants none and
hostname, of the five addresses that the report names; the moments of conversion are invented.

The sentinel is the real one (corpus/incident), the leaf is a look-alike (incident/leaf.pem) under
a CA that is the test's only root (incident/ca.pem).
UPDATE_GOLDEN=1 rewrites what is expected.
"""
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ['MX509_BUILD']
sys.path.insert(0, os.path.join(TOP, 'tests'))

from lab import tap  # noqa: E402

SUFFIX = 'gmail-smtp-in.l.google.com'
# The fifth is converted in the second part only.
PLACES = [('2607:f8b0:4023:1c03::1a', SUFFIX, '06:05'), ('142.250.142.26', SUFFIX, '06:50'),
          ('142.250.115.27', 'alt1.' + SUFFIX, '08:00'),
          ('2607:f8b0:4023:1004::1b', 'alt1.' + SUFFIX, '09:12'),
          ('2607:f8b0:4003:c15::1b', 'alt2.' + SUFFIX, '11:35')]
DAY = '2026-03-19'


def der(path):
    with open(path) as f:
        body = f.read().split('-----BEGIN CERTIFICATE-----')[1].split('-----END')[0]
    return base64.b64decode(body)


def minutes(clock):
    return int(clock[:2]) * 60 + int(clock[3:])


def observation(minute, place, sni, sentinel, chain):
    address, host, _ = place
    return {
        'type': 'observation', 'time': f'{DAY}T{minute // 60:02}:{minute % 60:02}:00.000Z',
        'vantage': 'home', 'domain': None, 'host': host, 'address': address, 'port': 25,
        'sni': sni, 'sni_name': host if sni == 'hostname' else None, 'offer': 'default',
        'sni_acknowledged': False if sni == 'hostname' else None, 'outcome': 'success',
        'smtp_code': 220, 'tls_alert': None, 'errno': None, 'greeting': '220 * ESMTP * - gsmtp',
        'ehlo': ['SIZE *', '8BITMIME', 'STARTTLS'], 'starttls_offered': True,
        'tls_version': 'TLSv1.3', 'cipher': 'TLS_AES_256_GCM_SHA384', 'group': 'X25519',
        'server_signature': 'RSA-PSS' if sentinel else 'ECDSA', 'chain': [chain],
        'reported': None, 'flags': [],
        'ms': {'dns': None, 'connect': 20, 'greeting': 31, 'starttls': 44, 'handshake': 52}}


def records(until):
    """The morning's observations up to a time of the day, in order of time."""
    certs = [der(os.path.join(HERE, 'incident', 'leaf.pem')),
             der(os.path.join(TOP, 'corpus', 'incident', 'invalid2.pem'))]
    names = [hashlib.sha256(c).hexdigest() for c in certs]
    for name, cert in zip(names, certs):
        yield {'type': 'certificate', 'sha256': name, 'der': base64.b64encode(cert).decode()}
    for minute in range(minutes('05:00'), minutes(until) + 1, 10):
        for place in PLACES:
            for sni in ('none', 'hostname'):
                converted = sni == 'none' and minute >= minutes(place[2])
                yield observation(minute, place, sni, converted, names[converted])


class IncidentTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def run_program(self, program, *args, status=0, stdin=None):
        room = {'mxstore': 'store', 'mxdiff': 'differ'}[program]
        if program == 'mxdiff':
            args += ('--roots', os.path.join(HERE, 'incident', 'ca.pem'))
        done = subprocess.run([os.path.join(BUILD, room, program), *args], input=stdin,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def store(self, name, until, shuffle=None):
        path = os.path.join(self.tmp.name, name)
        if not os.path.exists(path):
            lines = [json.dumps(r) for r in records(until)]
            if shuffle:
                lines[2:] = shuffle(lines[2:])
            self.run_program('mxstore', 'import', 'jsonl', '-', '--store', path, '--quiet',
                             stdin='\n'.join(lines) + '\n')
        return path

    def golden(self, name, text):
        path = os.path.join(HERE, 'incident', name)
        if os.environ.get('UPDATE_GOLDEN'):
            with open(path, 'w') as f:
                f.write(text)
        with open(path) as f:
            self.assertEqual(text, f.read())

    def test_windows(self):
        store = self.store('four', '11:30')
        got = self.run_program('mxdiff', 'windows', '--json', '--store', store)
        self.golden('windows-four.jsonl', got)
        self.assertEqual(len(got.splitlines()), 1)
        window = json.loads(got)
        self.assertEqual(window['start'], {'after': f'{DAY}T06:00:00.000Z',
                                           'before': f'{DAY}T06:10:00.000Z'})
        self.assertEqual((window['converted'], window['total'], window['end']), (4, 5, None))
        self.assertEqual((window['sni'], window['host_group']), ('none', 'google.com'))
        self.assertLessEqual({'sentinel', 'key-algorithm-change', 'strength-loss',
                              'constraint-change', 'usage-change', 'name-change', 'ca-change'},
                             set(window['class']))

    def test_windows_when_all_are_converted(self):
        store = self.store('five', '12:30')
        got = self.run_program('mxdiff', 'windows', '--json', '--store', store)
        self.golden('windows-five.jsonl', got)
        window = json.loads(got)
        self.assertEqual((window['converted'], window['total']), (5, 5))
        self.assertEqual(window['end'], {'after': f'{DAY}T11:30:00.000Z',
                                         'before': f'{DAY}T11:40:00.000Z'})

    def test_text(self):
        store = self.store('four', '11:30')
        for command in ('show', 'log', 'windows'):
            with self.subTest(command=command):
                self.golden(command + '.txt', self.run_program(
                    'mxdiff', command, '--utc', '--store', store))

    def test_log_and_order_of_arrival(self):
        want = self.run_program('mxdiff', 'log', '--json', '--store', self.store('four', '11:30'))
        self.golden('log.jsonl', want)
        self.assertEqual(len(want.splitlines()), 4)
        for name, shuffle in (('reversed', lambda x: x[::-1]), ('odd', lambda x: x[1::2] + x[::2])):
            with self.subTest(order=name):
                store = self.store(name, '11:30', shuffle)
                self.assertEqual(self.run_program('mxdiff', 'log', '--json', '--store', store), want)

    def test_clock_error_widens(self):
        store = self.store('four', '11:30')
        log = self.run_program('mxdiff', 'log', '--json', '--clock-error', '30s', '--store', store)
        first = json.loads(log.splitlines()[0])
        self.assertEqual((first['after'], first['before']),
                         (f'{DAY}T05:59:30.000Z', f'{DAY}T06:10:30.000Z'))

    def test_exit_code(self):
        store = self.store('four', '11:30')
        for command in ('log', 'windows'):
            self.run_program('mxdiff', command, '--exit-code', '--store', store, status=1)
            self.run_program('mxdiff', command, '--exit-code', '--since', f'{DAY}T10:00Z',
                             '--store', store)

    def test_show_at(self):
        store = self.store('four', '11:30')
        rows = [json.loads(r) for r in self.run_program(
            'mxdiff', 'show', '--json', '--at', f'{DAY}T06:30:00Z', '--sni', 'none', '--store',
            store).splitlines()]
        self.assertEqual(len(rows), 5)
        self.assertEqual(sum('invalid2' in r['subject'] for r in rows), 1)
        one = [json.loads(r) for place in ('142.250.142.26:25', '[2607:f8b0:4023:1c03::1a]:25')
               for r in self.run_program('mxdiff', 'show', '--json', place, '--sni', 'none',
                                         '--store', store).splitlines()]
        self.assertEqual([r['address'] for r in one],
                         ['142.250.142.26', '2607:f8b0:4023:1c03::1a'])

    def test_diff_between(self):
        store = self.store('four', '11:30')
        got = self.run_program('mxdiff', 'diff', '--between', f'{DAY}T06:00Z', f'{DAY}T09:17Z',
                               'google.com', '--json', '--store', store, status=1)
        self.assertEqual(len(got.splitlines()), 3)
        self.run_program('mxdiff', 'diff', '--between', f'{DAY}T05:00Z', f'{DAY}T06:00Z',
                         '--store', store)

    def test_feed_in_two_halves(self):
        """A reader that stopped at a cursor sees just what came after, late arrivals too."""
        path = os.path.join(self.tmp.name, 'halves')
        lines = [json.dumps(r) for r in records('11:30')]
        early = lines[:2] + [x for x in lines[2:] if 'T05:' in x or 'T11:' in x]
        late = [x for x in lines[2:] if x not in early]
        args = ('import', 'jsonl', '-', '--quiet', '--store', path)
        self.run_program('mxstore', *args, stdin='\n'.join(early) + '\n')
        first = [json.loads(x) for x in self.run_program(
            'mxdiff', 'feed', '--store', path).splitlines()]
        self.assertEqual([e['type'] for e in first], ['change'] * 4 + ['window', 'cursor'])
        self.assertEqual({e['after'] for e in first[:4]}, {f'{DAY}T05:50:00.000Z'})
        self.run_program('mxstore', *args, stdin='\n'.join(late) + '\n')
        second = [json.loads(x) for x in self.run_program(
            'mxdiff', 'feed', '--since', first[-1]['cursor'], '--store', path).splitlines()]
        changes = [e for e in second if e['type'] == 'change']
        self.assertEqual({e['revises'] for e in changes}, {e['id'] for e in first[:4]})
        windows = [json.loads(x) for x in self.run_program(
            'mxdiff', 'windows', '--json', '--store', path).splitlines()]
        told = [e for e in second if e['type'] == 'window']
        self.assertEqual([e['revises'] for e in told], [first[4]['id']])
        self.assertEqual([e['id'] for e in told], [w['id'] for w in windows])
        log = self.run_program('mxdiff', 'log', '--json', '--store', path).splitlines()
        self.assertEqual({e['id'] for e in changes}, {json.loads(x)['id'] for x in log})
        third = self.run_program('mxdiff', 'feed', '--since', second[-1]['cursor'], '--store', path)
        self.assertEqual([json.loads(x)['type'] for x in third.splitlines()], ['cursor'])


if __name__ == '__main__':
    tap.main()
