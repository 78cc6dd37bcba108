#!/usr/bin/env python3
"""Servers that break every rule: each costs its own probe only, and gets the right outcome."""
import os
import time

from common import Ca, Lab, collect, observations, programs, sha256s, tap, unittest
from lab import smtp_servers as s

JUNK = [b'\x30\x82\x01\x00this is no certificate', b'', bytes(range(256))]
LONG = [os.urandom(60000) for _ in range(6)]

# name: (behaviour, outcomes that are right, members that are sure)
CASES = {
    'honest': (s.honest, {'success'}, {'starttls_offered': True}),
    'slow': (s.slow_but_honest, {'success'}, {'starttls_offered': True}),
    'busy': (s.says('421 too many\r\n'), {'rate-limited'}, {'smtp_code': 421}),
    'later': (s.says('450 later\r\n'), {'temporary-reject'}, {'smtp_code': 450}),
    'never': (s.says('554-go\r\n554 away\r\n'), {'permanent-reject'}, {'smtp_code': 554}),
    'busy-ehlo': (s.replies_to_ehlo('421 closing\r\n'), {'rate-limited'}, {'smtp_code': 421}),
    'plain': (s.replies_to_ehlo('250-mx\r\n250-XSTARTTLS\r\n250 STARTTLS2\r\n'),
              {'starttls-not-offered'}, {'starttls_offered': False}),
    'tls-454': (s.replies_to_starttls('454 not now\r\n'), {'starttls-rejected'},
                {'smtp_code': 454}),
    'tls-554': (s.replies_to_starttls('554 no\r\n'), {'starttls-rejected'}, {'smtp_code': 554}),
    'tls-421': (s.replies_to_starttls('421 busy\r\n'), {'rate-limited'}, {'smtp_code': 421}),
    'injects': (s.replies_to_starttls('220 go\r\n250 injected\r\n'), {'protocol-error'},
                {'flags': ['injection']}),
    'garbage': (s.says(os.urandom(4096).replace(b'2', b'x') + b'\r\n'),
                {'protocol-error'}, {}),
    'http': (s.says('HTTP/1.1 400 Bad Request\r\n\r\n'), {'protocol-error'}, {}),
    'escape': (s.says(b'220 mx \x1b[2J\x1b]0;owned\x07\xe2\x80\xae\r\n'),
               {'io-timeout', 'connection-closed'}, {}),
    'closes': (s.closes, {'connection-closed'}, {}),
    'closes-late': (s.closes_after_ehlo, {'connection-closed'}, {}),
    'silent': (s.silent, {'io-timeout'}, {}),
    'drips': (s.drips, {'io-timeout', 'protocol-error'}, {}),
    'endless-line': (s.endless_line, {'protocol-error'}, {}),
    'endless-reply': (s.endless_reply, {'protocol-error', 'io-timeout'}, {}),
    'alert-40': (s.tls_alert(40), {'tls-alert'}, {'tls_alert': 40}),
    'alert-112': (s.tls_alert(112), {'tls-alert'}, {'tls_alert': 112}),
    # Whether it spoke before it had the ClientHello cannot be told: plaintext is injected.
    'no-tls': (s.after_client_hello(b'220 what?\r\n'), {'protocol-error'},
               {'flags': ['injection']}),
    'bad-tls': (s.after_client_hello(b'\x16\x03\x03\x00\x04\x63abc'), {'handshake-error'}, {}),
    'cut-tls': (s.after_client_hello(b''), {'connection-closed', 'handshake-error'}, {}),
    'stalls': (s.after_client_hello(b'\x16', then_waits=True), {'io-timeout'}, {}),
    'junk': (s.presents(JUNK[:1]), {'handshake-error'},
             {'flags': ['chain-unparsed'], 'chain': [programs.hex_sha256(JUNK[0])]}),
    'long': (s.presents(LONG), {'handshake-error'}, {'flags': ['chain-too-long']}),
}


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.certificate = Ca(cls.lab.path('ca')).issue('leaf', ['honest.hostile.test'])
        cls.servers = s.SmtpServers(cls.lab, {n: case[0] for n, case in CASES.items()},
                                    cls.certificate)
        cls.store = cls.lab.path('store')
        start = time.monotonic()
        cls.done = collect(*(cls.servers.target(n) for n in CASES), '--sni', 'none',
                           '--timeout', 4, store=cls.store)
        cls.took = time.monotonic() - start
        cls.connections = dict(cls.servers.connections)
        cls.heard = {name: list(lines) for name, lines in cls.servers.seen.items()}
        cls.records = observations(cls.store)
        cls.seen = {o['host'].split('.')[0]: o for o in cls.records.records('observation')}

    def test_ends_well_and_soon(self):
        self.assertIn(self.done.status, (0, 1), self.done)
        self.assertLess(self.took, 60)

    def test_outcomes(self):
        for name, (_, outcomes, members) in CASES.items():
            with self.subTest(server=name):
                self.assertIn(name, self.seen)
                o = self.seen[name]
                self.assertIn(o['outcome'], outcomes, o)
                for member, value in members.items():
                    self.assertEqual(o[member], value, o)

    def test_one_connection_for_one_probe(self):
        """But those that ask to be called upon later are, twice."""
        for name, (_, outcomes, _) in CASES.items():
            again = outcomes & {'rate-limited', 'temporary-reject'}
            with self.subTest(server=name):
                self.assertEqual(self.connections[name], 3 if again else 1)

    def test_the_dialogue(self):
        self.assertRegex(self.heard['honest'][0], r'^EHLO [a-zA-Z0-9.\[\]:-]+$')
        self.assertNotIn('hostile', self.heard['honest'][0])
        self.assertEqual(self.heard['honest'][1:], ['STARTTLS', 'QUIT'])
        self.assertEqual(self.heard['plain'][1:], ['QUIT'])
        self.assertEqual(self.heard['tls-454'][1:], ['STARTTLS', 'QUIT'])

    def test_a_certificate_that_is_none_is_kept(self):
        names = {c['sha256'] for c in self.records.records('certificate')}
        self.assertIn(programs.hex_sha256(JUNK[0]), names)
        self.assertLessEqual(set(sha256s(self.certificate)), names)

    def test_nothing_of_theirs_reaches_the_terminal(self):
        for argv in (['mxdiff', 'show'], ['mxdiff', 'log'], ['mxstore', 'stat']):
            done = programs.run(*argv, '--store', self.store)
            with self.subTest(command=' '.join(argv)):
                self.assertEqual(done.status, 0, done)
                self.assertNotRegex(done.out, '[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]')

    def test_check_finds_nothing(self):
        done = programs.run('mxstore', 'check', '--store', self.store)
        self.assertEqual(done.status, 0, done)

    def test_again_is_no_change(self):
        """Gaps and repeats make no change."""
        again = collect(*(self.servers.target(n) for n in ('honest', 'busy', 'junk')), '--sni',
                        'none', '--timeout', 4, store=self.store)
        self.assertIn(again.status, (0, 1), again)
        done = programs.run('mxdiff', 'log', '--json', '--store', self.store)
        self.assertEqual(done.records('change'), [])


class NobodyThere(unittest.TestCase):
    def test_refused_and_hint_about_port_25(self):
        with Lab() as lab:
            port = lab.free_port(['127.0.0.1'])
            done = collect(f'mx.hostile.test@127.0.0.1:{port}', '--sni', 'none', '--json',
                           store=lab.path('store'))
            seen = done.records('observation')
            self.assertEqual([(o['outcome'], o['errno']) for o in seen],
                             [('connection-refused', 'ECONNREFUSED')])


if __name__ == '__main__':
    tap.main()
