#!/usr/bin/env python3
"""mxcollect against real Exim: every address, every variant; the chains as openssl sees them."""
import base64
import re

from common import DOMAIN, UNKNOWN, WorldTest, observations, one_line, programs, sha256s, tap


class EximTest(WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.exim.roll_out(cls.world.addresses[1])
        cls.done = cls.world.collect()
        cls.records = observations(cls.world.store)
        cls.seen = cls.records.records('observation')

    def test_done_and_summed_up(self):
        self.assertStatus(self.done)
        summary = one_line(self.done.out + self.done.err)
        self.assertEqual(len(summary), 1, self.done)
        self.assertRegex(summary[0], r'\b20\b')
        self.assertIn('success', summary[0])

    def test_every_address_and_variant_once(self):
        expected = {(host, address, self.world.exim.port, sni, DOMAIN if sni == 'nexthop' else None)
                    for address, host in self.world.places
                    for sni in ('none', 'hostname', 'nexthop', 'unknown')}
        found = [(o['host'], o['address'], o['port'], o['sni'], o['sni_name'])
                 for o in self.seen]
        names = {(h, a, p, s) for h, a, p, s, _ in found}
        self.assertEqual(names, {(h, a, p, s) for h, a, p, s, _ in expected})
        self.assertEqual(len(found), 20)

    def test_chains_are_those_that_openssl_sees(self):
        ders = {c['sha256'] for c in self.records.records('certificate')}
        for o in self.seen:
            with self.subTest(address=o['address'], sni=o['sni']):
                name = {'none': None, 'hostname': o['host'], 'nexthop': DOMAIN,
                        'unknown': UNKNOWN}[o['sni']]
                chain = programs.s_client(o['address'], o['port'], name)
                self.assertTrue(chain)
                self.assertEqual(o['chain'], [programs.hex_sha256(der) for der in chain])
                self.assertLessEqual(set(o['chain']), ders)

    def test_certificates_are_stored_byte_for_byte(self):
        for c in self.records.records('certificate'):
            with self.subTest(sha256=c['sha256']):
                self.assertEqual(programs.hex_sha256(base64.b64decode(c['der'], validate=True)),
                                 c['sha256'])

    def test_only_the_converted_address_without_sni_shows_the_sentinel(self):
        sentinel = sha256s(self.world.sentinel)
        shown = {(o['address'], o['sni']) for o in self.seen if o['chain'] == sentinel}
        self.assertEqual(shown, {(self.world.addresses[1], 'none')})

    def test_tls_and_smtp_facts(self):
        for o in self.seen:
            with self.subTest(address=o['address'], sni=o['sni']):
                self.assertEqual(o['outcome'], 'success')
                self.assertEqual(o['tls_version'], 'TLSv1.3')
                self.assertRegex(o['cipher'], '^TLS_')
                self.assertTrue(o['group'])
                self.assertIs(o['starttls_offered'], True)
                self.assertIn('STARTTLS', o['ehlo'])
                self.assertEqual(o['flags'], [])
                self.assertIsNone(o['reported'])
                self.assertIsNone(o['errno'])
                self.assertEqual(o['offer'], 'default')
                self.assertEqual(o['server_signature'],
                                 'RSA-PSS' if len(o['chain']) == 1 else 'ECDSA')
                # The banner's clock is a shape, its own name is not.
                self.assertIn(o['host'], o['greeting'])
                self.assertNotRegex(o['greeting'].replace(o['host'], '').replace('220', ''), r'\d')
                for part in ('connect', 'greeting', 'starttls', 'handshake'):
                    self.assertGreaterEqual(o['ms'][part], 0)
                self.assertRegex(o['time'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')

    def test_never_mail_nor_rcpt(self):
        log = self.world.exim.log()
        self.assertIn('daemon started', log)
        self.assertNotRegex(log, re.compile('rejected (MAIL|RCPT)'))

    def test_json_shows_each_record_as_it_is_stored(self):
        store = self.lab.path('store-json')
        world_store, self.world.store = self.world.store, store
        try:
            done = self.world.collect('--json')
        finally:
            type(self).world.store = world_store
        self.assertStatus(done)
        shown = {tuple(sorted((k, repr(v)) for k, v in o.items()))
                 for o in done.records('observation')}
        kept = {tuple(sorted((k, repr(v)) for k, v in o.items()))
                for o in observations(store).records('observation')}
        self.assertEqual(len(shown), 20)
        self.assertEqual(shown, kept)

    def test_target_forms(self):
        port = self.world.exim.port
        host, address = self.world.places[0][1], self.world.addresses[0]
        at = f'[{address}]' if ':' in address else address
        for form, expected in ((f'mx:{host}', 2), (f'{host}@{at}:{port}', 1)):
            with self.subTest(form=form):
                done = self.world.collect(form, '--json')
                self.assertStatus(done)
                seen = done.records('observation')
                self.assertEqual({o['host'] for o in seen}, {host})
                self.assertEqual(len({o['address'] for o in seen}), expected)
                self.assertEqual({o['sni'] for o in seen}, {'none', 'hostname', 'unknown'})

    def test_file_of_targets_with_bad_lines(self):
        text = f'# a comment\n{DOMAIN}\n\nno..name\nmx:{self.world.hosts[0]}\n@@@\n'
        done = self.world.collect('-f', '-', '--json', '--sni', 'none', stdin=text)
        self.assertStatus(done, 1)
        self.assertRegex(done.err, r'\b4\b')
        self.assertRegex(done.err, r'\b6\b')
        self.assertEqual(len({o['address'] for o in done.records('observation')}), 5)

    def test_literal_name_and_family(self):
        done = self.world.collect('--json', '--sni', 'none,www.example.test', '-4')
        self.assertStatus(done)
        seen = done.records('observation')
        self.assertEqual({(o['sni'], o['sni_name']) for o in seen},
                         {('none', None), ('literal', 'www.example.test')})
        self.assertFalse([o for o in seen if ':' in o['address']])

    def test_private_addresses_need_leave(self):
        store = self.lab.path('store-private')
        done = programs.run('mxcollect', 'run', DOMAIN, '--store', store, '--resolver',
                            self.world.dns.resolver, '--trust-anchor', self.world.dns.anchor,
                            '--port', self.world.exim.port)
        self.assertStatus(done, 1)
        self.assertEqual(observations(store).records('observation'), [])
        self.assertIn('--allow-private', done.err)

    def test_check_finds_nothing(self):
        self.assertCheckClean(self.world.store)


if __name__ == '__main__':
    tap.main()
