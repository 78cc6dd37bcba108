#!/usr/bin/env python3
"""Logs of Postfix: the incident told from them alone; years and zones, folds, damage, repetition.

Where the collection of lines with labels is beside the checkout, each of its summaries is looked
for among what was imported."""
import csv
import fcntl
import gzip
import os
import pty
import struct
import subprocess
import termios
import time
import unittest

from common import Lab, observations, one_line, programs, tap
from lab.packages import TOP

TLS13 = 'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 '
ECDSA = TLS13 + 'server-signature ECDSA (prime256v1) server-digest SHA256'
RSA = TLS13 + 'server-signature RSA-PSS (2048 bits) server-digest SHA256'
PLACES = [('mx1.bigmail.example', '2001:db8::1a'), ('mx1.bigmail.example', '192.0.2.26'),
          ('alt1.bigmail.example', '192.0.2.27'), ('alt1.bigmail.example', '2001:db8::1b'),
          ('alt2.bigmail.example', '2001:db8::1c')]
COLLECTION = os.path.join(TOP, '..', 'shared', 'corpora', 'postfix-logs')
INCIDENT = os.path.join(TOP, '..', 'shared', 'incident', 'postfix.log')


def up(word, place=PLACES[0], tls=ECDSA, stamp='Mar 19 06:00:00', who='mail postfix/smtp[42]'):
    host, address = place
    return f'{stamp} {who}: {word} TLS connection established to {host}[{address}]:25: {tls}'


def failed(place, stamp, why='self-signed certificate', who='mail postfix/smtp[42]'):
    host, address = place
    return f'{stamp} {who}: certificate verification failed for {host}[{address}]:25: {why}'


BEFORE = [up('Verified', p, stamp=f'Mar 19 06:00:0{n}') for n, p in enumerate(PLACES)]
AFTER = [line for n, p in enumerate(PLACES[:4])
         for line in (failed(p, f'Mar 19 09:17:1{n}'),
                      up('Untrusted', p, RSA, f'Mar 19 09:17:1{n}'),
                      f'Mar 19 09:17:1{n} mail postfix/smtp[42]: 4ZABCDEF: Server certificate not '
                      'verified')] + [up('Verified', PLACES[4], stamp='Mar 19 09:17:14')]
PACIFIC = ('--year', 2026, '--time-zone', '-07:00')


class LogTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.number = 0

    def fresh(self, name):
        type(self).number += 1
        return self.lab.path(f'{name}{self.number}')

    def write(self, lines, changed=None):
        path = self.fresh('log')
        data = lines if isinstance(lines, bytes) else ('\n'.join(lines) + '\n').encode()
        with open(path, 'wb') as f:
            f.write(data)
        if changed is not None:
            os.utime(path, (changed, changed))
        return path

    def load(self, *args, store=None, **more):
        store = store or self.fresh('store')
        return programs.run('mxstore', 'import', 'postfix-log', *args, '--store', store,
                            **more), store

    def loaded(self, *args, **more):
        done, store = self.load(*args, **more)
        self.assertEqual((done.status, done.err), (0, ''), done)
        return observations(store).records('observation')

    def times(self, *args, **more):
        return [o['time'] for o in sorted(self.loaded(*args, **more), key=lambda o: o['time'])]

    def one(self, lines, *args, **more):
        found = self.loaded(self.write(lines), '--year', 2026, '--time-zone', 'UTC', *args, **more)
        self.assertEqual(len(found), 1, found)
        return found[0]


class Incident(LogTest):
    def diff(self, store, command, *args):
        done = programs.run('mxdiff', command, *args, '--store', store, '--json')
        self.assertEqual((done.status, done.err), (0, ''), done)
        return done.lines()

    def test_told_from_two_logs(self):
        done, store = self.load(*PACIFIC, self.write(BEFORE), self.write(AFTER))
        self.assertEqual((done.status, done.err), (0, ''), done)
        found = observations(store).records('observation')
        self.assertEqual(len(found), 10)
        self.assertEqual({(o['host'], o['address']) for o in found}, set(PLACES))
        self.assertEqual({(o['sni'], o['vantage'], o['outcome'], o['tls_version'], o['group'])
                          for o in found}, {('none', 'mail', 'success', 'TLSv1.3', 'X25519')})
        for between in (('2026-03-19T12:00Z', '2026-03-20T00:00Z'),
                        ('2026-03-19T13:00:04Z', '2026-03-19T17:00Z')):
            with self.subTest(between=between):
                windows = self.diff(store, 'windows', '--between', *between)
                self.assertEqual(len(windows), 1)
        w = windows[0]
        self.assertEqual((w['class'], w['severity'], w['converted'], w['total'], w['end']),
                         (['trust-loss'], 'critical', 4, 5, None))
        self.assertEqual(w['start'], {'after': '2026-03-19T13:00:00.000Z',
                                      'before': '2026-03-19T16:17:10.000Z'})
        self.assertEqual(w['single_instant'], {'after': '2026-03-19T13:00:03.000Z',
                                               'before': '2026-03-19T16:17:10.000Z'})
        fields = {f['field']: (f['old'], f['new']) for f in w['fields']}
        self.assertEqual(fields['server_signature'], ('ECDSA', 'RSA-PSS'))
        self.assertEqual([r['status'] for r in fields['reported']], ['Verified', 'Untrusted'])
        self.assertEqual(self.diff(store, 'windows', '--since', '2026-03-19T17:00Z'), [])
        for command in ('log', 'feed'):
            changes = [c for c in self.diff(store, command) if c['type'] == 'change']
            self.assertEqual([c['class'] for c in changes], [['trust-loss']] * 4)
        self.assertEqual(self.diff(store, 'log', '--sni', 'hostname'), [])
        self.assertEqual(len(self.diff(store, 'log', '--sni', 'none', 'bigmail.example')), 4)
        shown = programs.run('mxdiff', 'show', '--store', store)
        self.assertEqual((shown.out.count('Untrusted, RSA-PSS'), shown.out.count('Verified, ECDSA')),
                         (4, 1), shown)
        self.assertEqual((shown.out.count('Untrusted, as logged'),
                          shown.out.count('Verified, as logged')), (4, 1), shown)
        for absent in ('VANTAGE', 'Without SNI'):  # one MTA's word, and nothing known of others
            self.assertNotIn(absent, shown.out)

    def on_terminal(self, columns, *args):
        """Lines of mxdiff on a terminal of that width, without colours."""
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        with open(its, 'wb', buffering=0) as out:
            done = subprocess.run([programs.path('mxdiff'), *args], stdout=out, timeout=120,
                                  env=programs.environment(NO_COLOR='1'), check=False)
            self.assertEqual(done.returncode, 0)
            return os.read(ours, 65536).decode().split('\r\n')[:-1]

    def test_on_a_narrow_terminal_rows_are_still_told_apart(self):
        _, store = self.load(*PACIFIC, self.write(BEFORE), self.write(AFTER))
        lines = self.on_terminal(80, 'show', '--store', store)
        self.assertLessEqual(max(map(len, lines)), 80, lines)
        self.assertEqual(len({line[:line.index(' none ')] for line in lines[1:]}), 5, lines)
        for address in ('192.0.2.26:25', '[2001:db8::1a]:25'):
            self.assertTrue(any(f' {address} ' in line for line in lines), lines)
        # What it means for senders goes last.
        self.assertNotIn('ISSUER', self.on_terminal(105, 'show', '--store', store)[0])
        self.assertIn('AT VERIFY', self.on_terminal(105, 'show', '--store', store)[0])

    def test_two_vantages_are_told_apart(self):
        lines = [up('Verified'), up('Untrusted', tls=RSA, who='backup postfix/smtp[7]')]
        _, store = self.load(*PACIFIC, self.write(lines))
        shown = programs.run('mxdiff', 'show', '--store', store)
        self.assertEqual(shown.status, 0, shown)
        title, *rows = shown.out.splitlines()
        at = title.index('VANTAGE')
        self.assertEqual(sorted(row[at:].split()[0] for row in rows), ['backup', 'mail'], shown)
        shown = programs.run('mxdiff', 'show', '--vantage', 'mail', '--store', store)
        self.assertNotIn('VANTAGE', shown.out)

    def test_the_way_back_is_trust_gained(self):
        later = [up('Verified', PLACES[1], stamp='Mar 21 06:00:00')]
        _, store = self.load(*PACIFIC, self.write(BEFORE), self.write(AFTER), self.write(later))
        changes = [c for c in self.diff(store, 'log', '--settle', '1') if c['address'] == PLACES[1][1]]
        self.assertEqual([c['class'] for c in changes], [['trust-loss'],
                                                         ['rolled-back', 'trust-gain']])

    def test_what_a_policy_did_not_like_is_not_trust(self):
        """A chain that is trusted, but names somebody else (up to Postfix 3.5)."""
        relay = '{}[{}]:25'.format(*PLACES[1])
        lines = [up('Verified', PLACES[1]), up('Trusted', PLACES[1], stamp='Mar 19 07:00:00'),
                 f'Mar 19 07:00:01 mail postfix/smtp[42]: 4ZABCDEF: to=<a@b.c>, relay={relay}, delay=1,'
                 ' delays=1/0/0/0, dsn=4.7.5, status=deferred (Server certificate not verified)']
        _, store = self.load(*PACIFIC, self.write(lines))
        self.assertEqual([c['class'] for c in self.diff(store, 'log')], [['trust-loss']])
        _, store = self.load(*PACIFIC, self.write(lines[:2]))
        self.assertEqual([c['class'] for c in self.diff(store, 'log')], [[]])

    def test_resumed_sessions_are_no_change(self):
        lines = [up('Verified'), up('Verified', tls=TLS13.strip(), stamp='Mar 19 06:10:00'),
                 up('Verified', stamp='Mar 19 06:20:00')]
        _, store = self.load(*PACIFIC, self.write(lines))
        self.assertEqual(len(observations(store).records('observation')), 3)
        self.assertEqual(self.diff(store, 'log'), [])

    def test_the_reported_one(self):
        if not os.path.exists(INCIDENT):
            self.skipTest('the log of the incident is not here')
        done, store = self.load(INCIDENT, '--json')
        self.assertEqual((done.status, done.err), (0, ''), done)
        summary = done.lines()[0]
        self.assertEqual((summary['observations'], summary['bad'], summary['year_guessed']),
                         (5, 0, 14))
        found = observations(store).records('observation')
        self.assertEqual(sorted((o['reported']['status'], o['server_signature'],
                                 o['reported']['reason'], o['vantage'], o['sni']) for o in found),
                         [('Untrusted', 'RSA-PSS', 'self-signed certificate', 'postfix-log', 'none')]
                         * 4 + [('Verified', 'ECDSA', None, 'postfix-log', 'none')])


class When(LogTest):
    def test_new_year_within_a_file(self):
        lines = [up('Verified', stamp=s) for s in
                 ('Nov 30 10:00:00', 'Dec 31 23:59:59', 'Jan  1 00:00:01', 'Dec 31 23:59:58',
                  'Jan  2 00:00:00', 'Mar  1 00:00:00')]
        self.assertEqual(self.times(self.write(lines), '--year', 2024, '--time-zone', 'UTC'),
                         [f'{t}.000Z' for t in
                          ('2024-11-30T10:00:00', '2024-12-31T23:59:58', '2024-12-31T23:59:59',
                           '2025-01-01T00:00:01', '2025-01-02T00:00:00', '2025-03-01T00:00:00')])

    def test_new_year_is_seen_on_lines_that_say_nothing_too(self):
        lines = [up('Verified', stamp='Jun  1 00:00:00'),
                 'Dec  1 00:00:00 mail postfix/qmgr[1]: 4ZABCDEF: removed',
                 'Jan  1 00:00:00 mail postfix/qmgr[1]: 4ZABCDEF: removed',
                 up('Verified', stamp='May 31 00:00:00')]
        self.assertEqual(self.times(self.write(lines), '--year', 2024, '--time-zone', 'UTC'),
                         ['2024-06-01T00:00:00.000Z', '2025-05-31T00:00:00.000Z'])

    def test_the_year_is_the_newest_that_can_be(self):
        changed = 1709337600  # 2024-03-02
        lines = [up('Verified', stamp=s) for s in ('Dec 30 10:00:00', 'Feb 29 12:00:00')]
        self.assertEqual(self.times(self.write(lines, changed), '--time-zone', 'UTC'),
                         ['2023-12-30T10:00:00.000Z', '2024-02-29T12:00:00.000Z'])
        today = time.strftime('%b %d %H:%M:%S', time.gmtime(time.time() - 3600))
        soon = time.strftime('%b %d %H:%M:%S', time.gmtime(time.time() + 3 * 86400))
        found = self.times(self.write([up('Verified', stamp=s) for s in (today, soon)]),
                           '--time-zone', 'UTC')
        self.assertEqual(found[1][:4], time.strftime('%Y', time.gmtime(time.time() - 3600)))
        self.assertLess(found[0], found[1])

    def test_it_is_said(self):
        done, _ = self.load(self.write([up('Verified')]))
        self.assertRegex(done.out, r'1 lines have no year: taken as of \d{4}-03-19T06:00:00Z .*--year')
        done, _ = self.load(self.write([up('Verified')]), '--year', 2026)
        self.assertNotIn('--year', done.out)

    def test_zones(self):
        log = self.write([up('Verified', stamp='Mar 19 09:17:00')])
        zones = [('+05:30', '03:47'), ('-0700', '16:17'), ('UTC', '09:17')]
        if os.path.exists('/usr/share/zoneinfo/America/Los_Angeles'):
            zones += [('America/Los_Angeles', '16:17'), ('Europe/Berlin', '08:17')]
        for zone, utc in zones:
            with self.subTest(zone=zone):
                self.assertEqual(self.times(log, '--year', 2026, '--time-zone', zone),
                                 [f'2026-03-19T{utc}:00.000Z'])
        for zone in ('Nowhere/City', '../../etc/passwd', '/etc/passwd', '', '+25:00', '+1:5', 'posix'):
            with self.subTest(zone=zone):
                done, _ = self.load(log, '--time-zone', zone)
                self.assertEqual((done.status, len(one_line(done.err))), (2, 1), done)
                self.assertIn('--time-zone', done.err)

    def test_the_hour_that_comes_twice(self):
        if not os.path.exists('/usr/share/zoneinfo/Europe/Berlin'):
            self.skipTest('no tzdata')
        stamps = ['Oct 25 01:30:00', 'Oct 25 02:30:00', 'Oct 25 02:59:00', 'Oct 25 02:10:00',
                  'Oct 25 03:10:00', 'Mar 29 02:30:00']
        log = self.write([up('Verified', stamp=s) for s in stamps])
        self.assertEqual(self.times(log, '--year', 2026, '--time-zone', 'Europe/Berlin'),
                         [f'2026-{t}.000Z' for t in
                          ('03-29T01:30:00', '10-24T23:30:00', '10-25T00:30:00', '10-25T00:59:00',
                           '10-25T01:10:00', '10-25T02:10:00')])

    def test_stamps_that_say_it_all(self):
        stamps = ['2026-03-19T06:00:00.125+01:00', '2026-03-19T06:00:00-0700', 'Mar 19 2025 06:00:00',
                  '<22>1 2026-03-19T06:00:00Z']
        lines = [up('Verified', stamp=s) for s in stamps[:3]]
        lines.append(up('Verified', stamp=stamps[3], who='mail postfix/smtp 42 - -').replace(
            '- -: ', '- - '))
        self.assertEqual(self.times(self.write(lines), '--time-zone', 'UTC'),
                         ['2025-03-19T06:00:00.000Z', '2026-03-19T05:00:00.125Z',
                          '2026-03-19T06:00:00.000Z', '2026-03-19T13:00:00.000Z'])

    def test_no_stamp(self):
        line = up('Verified', stamp='', who='posttls-finger').strip()
        self.assertEqual(self.times(self.write([line], 1700000000)), ['2023-11-14T22:13:20.000Z'])
        self.assertEqual(self.times(self.write([line]), '--time', '2026-03-19T06:00Z'),
                         ['2026-03-19T06:00:00.000Z'])
        self.assertEqual(self.times(self.write([up('Verified', PLACES[1]), line]), *PACIFIC),
                         ['2026-03-19T13:00:00.000Z'] * 2)

    def test_no_such_day(self):
        done, store = self.load(self.write([up('Verified', stamp='Feb 30 06:00:00'),
                                            up('Verified')]), '--year', 2026)
        self.assertEqual((done.status, len(one_line(done.err))), (1, 1), done)
        self.assertEqual(len(observations(store).records('observation')), 1)


class What(LogTest):
    def test_from_where(self):
        for machine, vantage in (('mail', 'mail'), ('MX-1.Example.org', 'mx-1-example-org'),
                                 ('XXXXXX', 'postfix-log'), ('***', 'postfix-log'),
                                 ('INFO   ', 'postfix-log')):
            with self.subTest(machine=machine):
                self.assertEqual(self.one([up('Verified', who=f'{machine} postfix/smtp[42]')])
                                 ['vantage'], vantage)
        names = {self.one([up('Verified', who=f'{"m" * 60}{n} postfix/smtp[42]')])['vantage']
                 for n in range(3)}
        self.assertEqual((len(names), {len(n) for n in names}), (3, {32}))
        self.assertEqual(self.one([up('Verified')], '--vantage', 'berlin')['vantage'], 'berlin')
        done, _ = self.load(self.write([up('Verified')]), '--vantage', 'Not Fit')
        self.assertEqual(done.status, 2)

    def test_sni(self):
        host, address = PLACES[1]
        peer, q = f'{host}[{address}]:25', 'Mar 19 06:00:00 mail postfix/smtp[42]: '
        sent = (q + f'4ZABCDEF: to=<a@b.c>, relay={peer}, delay=1, delays=1/0/0/0, tls=%s, dsn=2.0.0,'
                ' status=sent (250 ok)')
        for lines, sni, name in (
                ([up('Verified', PLACES[1])], 'none', None),
                ([up('Verified', PLACES[1]), sent % 'dane'], 'hostname', None),
                ([up('Verified', PLACES[1]), sent % 'may'], 'none', None),
                ([q + f'{peer}: SNI hostname: {host}', up('Verified', PLACES[1])], 'hostname', host),
                ([q + f'{peer}: SNI hostname: Bigmail.Example', up('Verified', PLACES[1])], 'literal',
                 'bigmail.example')):
            with self.subTest(lines=lines):
                o = self.one(lines)
                self.assertEqual((o['sni'], o['sni_name']), (sni, name))

    def test_folded(self):
        whole = up('Untrusted', tls=RSA)
        for fold in ('\n    ', '\n\t', ' \n', '\n'):
            for at in ('connection ', 'established to ', ':25: ', 'with ', 'bits) ', 'X25519 ',
                       'server-signature '):
                with self.subTest(fold=fold, at=at):
                    if at == 'server-signature ' and fold.endswith('\n'):
                        continue  # nothing shows that it goes on
                    lines = [failed(PLACES[0], 'Mar 19 06:00:00').replace('for ', 'for' + fold),
                             whole.replace(at, at.strip() + fold), up('Verified', PLACES[1])]
                    found = self.loaded(self.write(lines), '--year', 2026)
                    self.assertEqual(sorted((o['address'], o['reported']['status'], o['group'],
                                             o['server_signature'], o['reported']['reason'])
                                            for o in found),
                                     [('192.0.2.26', 'Verified', 'X25519', 'ECDSA', None),
                                      ('2001:db8::1a', 'Untrusted', 'X25519', 'RSA-PSS',
                                       'self-signed certificate')])

    def test_other_programs_are_passed_over(self):
        lines = [up('Verified', who='mail postfix/smtpd[42]'),
                 'Mar 19 06:00:00 mail postfix/smtpd[7]: Untrusted TLS connection established from '
                 f'c.example[192.0.2.9]: {RSA}',
                 'Mar 19 06:00:00 mail sshd[7]: Verified TLS connection established to x',
                 'Mar 19 06:00:00 mail postfix/qmgr[1]: 4ZABCDEF: removed', '', 'whatever',
                 'Trusted TLS connection established to m[private/lmtp]: TLSv1 with cipher A (1/1 bits)']
        done, store = self.load(self.write(lines), '--json')
        self.assertEqual((done.status, done.err, done.lines()[0]['observations']), (0, '', 0), done)
        self.assertEqual(observations(store).lines(), [])

    def test_repeated(self):
        log = self.write(BEFORE + AFTER)
        _, store = self.load(log, *PACIFIC)
        before = observations(store).out
        done, _ = self.load(log, *PACIFIC, '--json', store=store)
        summary = done.lines()[0]
        self.assertEqual((summary['observations'], summary['repeated']), (0, 10))
        self.assertEqual(observations(store).out, before)
        done = programs.run('mxstore', 'check', '--store', store)
        self.assertEqual(done.status, 0, done)
        # What was exported is imported the same.
        copy = self.fresh('store')
        self.assertEqual(programs.run('mxstore', 'import', 'jsonl', '-', '--store', copy,
                                      stdin=before).status, 0)
        self.assertEqual(observations(copy).out, before)

    def test_compressed_and_from_standard_input(self):
        text = '\n'.join(BEFORE + AFTER) + '\n'
        self.assertEqual(len(self.loaded(self.write(gzip.compress(text.encode())), *PACIFIC)), 10)
        self.assertEqual(len(self.loaded('-', *PACIFIC, stdin=text)), 10)
        cut = gzip.compress(text.encode())[:-40]
        done, _ = self.load(self.write(cut), *PACIFIC)
        self.assertEqual((done.status, len(one_line(done.err))), (1, 1), done)

    def test_hostile(self):
        good = [up('Verified', PLACES[1]), up('Verified', PLACES[2])]
        bad = [up('Verified', ('mx\x1b[31m.example', '192.0.2.9')),
               up('Verified', ('a' * 300 + '.example', '192.0.2.9')),
               up('Verified', ('mx.example', 'IP address')),
               up('Verified', ('mx.example', '999.0.0.1')),
               up('Verified', ('-', '192.0.2.9')),
               up('Verified', ('mx.example', '192.0.2.9')).replace(']:25:', ']:99999:'),
               'Mar 19 06:00:00 mail postfix/smtp[7]: TLS connection established to mx.example: '
               'TLSv1 with cipher A (1/1 bits)']
        for line in bad:
            with self.subTest(line=line[:90]):
                done, store = self.load(self.write([good[0], line, good[1]]), *PACIFIC)
                lines = one_line(done.err)
                self.assertEqual((done.status, len(lines)), (1, 1), done)
                self.assertIn(':2: ', lines[0])
                self.assertNotIn('\x1b', done.err)
                self.assertEqual(len(observations(store).records('observation')), 2)
        text = ('\n'.join(good) + '\n').encode()
        odd = (b'\0\0\0\n' + failed(PLACES[3], 'Mar 19 06:00:00', 'untrusted issuer /CN=M').encode() +
               b'\xfcller\0\x1b[1m \xe2\x80\xae\n' + b'\xff\xfe\n' + b'\n' * 5 + text)
        done, store = self.load(self.write(odd), *PACIFIC)
        self.assertEqual((done.status, done.err), (0, ''), done)
        found = {o['address']: o['reported']['reason']
                 for o in observations(store).records('observation')}
        self.assertEqual(found['2001:db8::1b'].split('M')[1][:4], '\\xFC')
        self.assertEqual(len(found), 3)
        shown = programs.run('mxdiff', 'log', '--store', store)
        self.assertNotIn('\x1b', shown.out)

    def test_a_line_of_100_megabytes(self):
        log = self.write(BEFORE)
        with open(log, 'ab') as f:
            for _ in range(100):
                f.write(b'x' * (1 << 20))
            f.write(b'\n' + '\n'.join(AFTER).encode() + b'\n')
        done, store = self.load(log, *PACIFIC, '--quiet')
        os.unlink(log)
        lines = one_line(done.err)
        self.assertEqual((done.status, len(lines)), (1, 1), done)
        self.assertIn(':6: longer than', lines[0])
        self.assertEqual(len(observations(store).records('observation')), 10)

    def test_many_open_connections_take_no_memory(self):
        lines = [failed(('mx.example', f'192.0.{n >> 8 & 255}.{n & 255}'), 'Mar 19 06:00:00',
                        who=f'mail postfix/smtp[{n}]') for n in range(30000)]
        store = self.fresh('store')
        child = subprocess.Popen([programs.path('mxstore'), 'import', 'postfix-log', '--year', '2026',
                                  '--store', store, '--quiet', self.write(lines)],
                                 env=programs.environment())
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, 0)
        self.assertEqual(len(observations(store).records('observation')), 30000)
        if 'ASAN_OPTIONS' not in os.environ:
            self.assertLess(used.ru_maxrss, 150 << 10)

    def test_usage(self):
        for args in ((), ('--year', '10000', 'x'), ('--year', 'mmxxvi', 'x'), ('/nonexistent',)):
            with self.subTest(args=args):
                done, _ = self.load(*args)
                self.assertEqual((done.status, len(one_line(done.err))), (2, 1), done)


class Collection(LogTest):
    def test_every_summary_is_there(self):
        if not os.path.isdir(COLLECTION):
            self.skipTest('the collection of lines is not here')
        done, store = self.load(os.path.join(COLLECTION, 'samples.log'), '--year', 2026,
                                '--time-zone', 'UTC')
        # Five lines name no address.
        self.assertEqual((done.status, len(one_line(done.err))), (1, 5), done)
        found = [(o['address'], o['port'], o['tls_version'], o['cipher'], o['group'],
                  o['server_signature'], o['reported'] and o['reported']['status'])
                 for o in observations(store).records('observation')]
        with open(os.path.join(COLLECTION, 'labels.tsv'), encoding='utf-8') as f:
            rows = list(csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE))
        wanted = [r for r in rows if r['event'] == 'tls-summary' and r['direction'] == 'to' and
                  r['peer_ip'] and r['cipher']]
        self.assertGreater(len(wanted), 25)
        for r in wanted:
            with self.subTest(line=r['line']):
                self.assertIn((r['peer_ip'], int(r['peer_port'] or 25), r['protocol'], r['cipher'],
                               r['key_exchange_param'] or r['key_exchange'] or None,
                               r['server_signature'] or None, r['tls_status'] or None), found)


if __name__ == '__main__':
    tap.main()
