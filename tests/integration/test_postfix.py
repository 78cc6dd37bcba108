#!/usr/bin/env python3
"""Real Postfix with tls_server_sni_maps: mxcollect and openssl see the same chains."""
import os

from common import Ca, Lab, collect, free_net, has_ipv6, observations, programs, sha256s, tap, \
    unittest
from lab import postfix

HOST = 'mx.postfix.test'


class PostfixTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        why = postfix.why_not()
        if why:
            raise unittest.SkipTest(why)
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        ca, net = Ca(cls.lab.path('ca')), free_net()
        cls.leaf, cls.sentinel = ca.issue('leaf', [HOST]), ca.sentinel()
        cls.rsa = ca.issue('rsa', ['other.postfix.test'], key='RSA-2048')
        cls.addresses = [net + '1'] + (['::1'] if has_ipv6() else [])
        cls.mta = postfix.Postfix(cls.lab, [(a, HOST) for a in cls.addresses], cls.sentinel,
                                  {HOST: cls.leaf, 'other.postfix.test': cls.rsa})
        cls.store = cls.lab.path('store')
        targets = [f'{HOST}@[{a}]' if ':' in a else f'{HOST}@{a}' for a in cls.addresses]
        cls.done = collect(*targets, '--sni', 'none,hostname,unknown,other.postfix.test',
                           store=cls.store, port=cls.mta.port)
        cls.seen = observations(cls.store).records('observation')

    def test_every_variant_succeeds(self):
        self.assertEqual(self.done.status, 0, self.done)
        self.assertEqual({o['outcome'] for o in self.seen}, {'success'})
        self.assertEqual(len(self.seen), 4 * len(self.addresses))

    def test_chains_are_those_that_openssl_sees(self):
        for o in self.seen:
            with self.subTest(address=o['address'], sni=o['sni']):
                name = {'none': None, 'hostname': HOST, 'unknown': 'unknown.mx509.invalid',
                        'literal': o['sni_name']}[o['sni']]
                chain = programs.s_client(o['address'], o['port'], name)
                self.assertTrue(chain)
                self.assertEqual(o['chain'], [programs.hex_sha256(der) for der in chain])

    def test_the_map_decides(self):
        want = {'none': self.sentinel, 'unknown': self.sentinel, 'hostname': self.leaf,
                'literal': self.rsa}
        for o in self.seen:
            with self.subTest(address=o['address'], sni=o['sni']):
                self.assertEqual(o['chain'], sha256s(want[o['sni']]))

    def test_the_server_saw_a_polite_client(self):
        log = self.mta.log()
        self.assertIn('starttls=1', log)
        self.assertRegex(log, r'disconnect from .* quit=1')
        self.assertNotIn('mail=', log)

    def test_nothing_is_seen_outside(self):
        self.assertFalse(os.path.exists(self.lab.path('postfix-ns', 'etc')))


if __name__ == '__main__':
    tap.main()
