#!/usr/bin/env python3
"""Real OpenSMTPD, whole handshakes (by the help of lab/opensmtpd_key.c)."""
from common import Ca, Lab, collect, free_net, observations, programs, sha256s, tap, unittest
from lab import postfix
from lab.opensmtpd import OpenSmtpd

HOST = 'mx.opensmtpd.test'


class OpenSmtpdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        why = postfix.why_not()
        if why:
            raise unittest.SkipTest(why)
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.leaf = Ca(cls.lab.path('ca')).issue('leaf', [HOST], key='RSA-2048')
        cls.mta = OpenSmtpd(cls.lab, free_net() + '1', HOST, cls.leaf)
        cls.store = cls.lab.path('store')
        cls.done = collect(f'{HOST}@{cls.mta.address}:{cls.mta.port}', store=cls.store)
        cls.records = observations(cls.store)
        cls.seen = cls.records.records('observation')

    def test_whole_handshakes(self):
        self.assertEqual(self.done.status, 0, self.done)
        self.assertEqual(sorted(o['sni'] for o in self.seen), ['hostname', 'none', 'unknown'])
        for o in self.seen:
            with self.subTest(sni=o['sni']):
                self.assertEqual((o['outcome'], o['flags']), ('success', []))
                self.assertEqual(o['chain'], sha256s(self.leaf))
                self.assertEqual(o['server_signature'], 'RSA-PSS')
        there = {c['sha256'] for c in self.records.records('certificate')}
        self.assertLessEqual(set(sha256s(self.leaf)), there)

    def test_what_smtp_and_tls_said(self):
        for o in self.seen:
            with self.subTest(sni=o['sni']):
                self.assertEqual(o['greeting'], f'220 {HOST} ESMTP OpenSMTPD')
                self.assertIn('STARTTLS', o['ehlo'])
                self.assertIs(o['starttls_offered'], True)
                self.assertEqual((o['tls_version'], o['group']), ('TLSv1.3', 'X25519'))
                self.assertIs(o['sni_acknowledged'], {'none': None, 'hostname': True,
                                                      'unknown': False}[o['sni']])

    def test_it_never_saw_mail(self):
        self.assertNotIn('smtp envelope', self.mta.log())

    def test_check_finds_nothing(self):
        self.assertEqual(programs.run('mxstore', 'check', '--store', self.store).status, 0)


if __name__ == '__main__':
    tap.main()
