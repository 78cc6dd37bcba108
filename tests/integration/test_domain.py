#!/usr/bin/env python3
"""Evidence of the domain: the TXT records of MTA-STS and TLSRPT, and TLSA wherever it may stand."""
from common import Lab, NameServer, Zone, collect, free_net, observations, one_line, tap, unittest
from lab.smtp_servers import SmtpServers, says

HEX = '0123456789abcdef' * 4


class DomainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.mta = SmtpServers(cls.lab, {'m': says('554 none here\r\n')})
        a = cls.mta.addresses['m']
        port = cls.mta.port
        piece = '"' + 'x' * 250 + '" '
        cls.dns = NameServer(cls.lab, [
            Zone('all.test.', f'@ MX 10 mx\nmx A {a}\n_{port}._tcp.mx TLSA 3 1 1 {HEX.upper()}\n'
                 '_mta-sts TXT "v=STSv1; " "id=2026" "0319;"\n'
                 '_smtp._tls TXT "v=TLSRPTv1;rua=mailto:r@all.test"'),
            Zone('plain.test.', f'@ MX 10 mx\nmx A {a}\n_{port}._tcp.mx TLSA 3 1 1 {HEX}\n'
                 f'target A {a}', signed=False),
            Zone('alias.test.', f'@ MX 10 mx\nmx CNAME real\nreal A {a}\n'
                 f'_{port}._tcp.mx TLSA 3 1 1 {HEX}\n_{port}._tcp.real TLSA 3 1 1 {HEX}'),
            Zone('half.test.', f'@ MX 10 mx\nmx CNAME target.plain.test.\n'
                 f'_{port}._tcp.mx TLSA 2 0 1 {HEX}'),
            # ldns signs no set of more than 64 KiB in its canonical form: hence the short name.
            Zone('k.test.', f'@ MX 10 @\n@ A {a}\n' + '\n'.join(
                f'_{port}._tcp TLSA 3 1 1 {i:064x}' for i in range(1000))),
            Zone('many.test.', f'@ MX 10 mx\nmx A {a}\n' + '\n'.join(
                f'_mta-sts TXT "{i}"' for i in range(1100)), signed=False),
            Zone('huge.test.', f'@ MX 10 mx\nmx A {a}\n_mta-sts TXT {piece * 200}\n'
                 '_smtp._tls TXT ' + ('"' + '\\001' * 250 + '" ') * 100, signed=False),
            Zone('null.test.', '@ MX 0 .'),
            Zone('forged.test.', f'@ MX 10 mx\nmx A {a}\n_mta-sts TXT "v=STSv1; id=before"',
                 forge=('id=before', 'id=behind')),
        ], address=free_net() + '1')

    def collect(self, *domains):
        store = self.lab.path(f'store-{self.id()}')
        done = collect(*domains, '--sni', 'none', '--json', store=store, dns=self.dns,
                       port=self.mta.port)
        self.assertEqual(sorted(done.records('dns'), key=str),
                         sorted(observations(store).records('dns'), key=str))
        done.err = '\n'.join(l for l in one_line(done.err) if 'has not answered for' not in l)
        return done, {(r['name'], r['rrtype']): r for r in done.records('dns')}

    def tlsa(self, records, host):
        return records.get((f'_{self.mta.port}._tcp.{host}', 'TLSA'))

    def test_texts(self):
        done, records = self.collect('all.test')
        self.assertEqual((done.status, len(one_line(done.err))), (0, 1), done)
        sts = records['_mta-sts.all.test', 'TXT']
        self.assertEqual((sts['status'], sts['records']),
                         ('secure', ['"v=STSv1; " "id=2026" "0319;"']))
        self.assertEqual(records['_smtp._tls.all.test', 'TXT']['records'],
                         ['"v=TLSRPTv1;rua=mailto:r@all.test"'])
        self.assertEqual(self.tlsa(records, 'mx.all.test')['records'], [f'3 1 1 {HEX}'])

    def test_what_is_not_there_is_evidence(self):
        _, records = self.collect('alias.test')
        for name in ('_mta-sts.alias.test', '_smtp._tls.alias.test'):
            r = records[name, 'TXT']
            self.assertEqual((r['status'], r['rcode'], r['records']), ('secure', 'NXDOMAIN', []))

    def test_tlsa_of_an_alias(self):
        """RFC 7672 section 2.2.3: where it leads, and at the name."""
        _, records = self.collect('alias.test')
        for host in ('mx.alias.test', 'real.alias.test'):
            self.assertEqual(self.tlsa(records, host)['status'], 'secure')
        self.assertEqual(records['mx.alias.test', 'CNAME']['status'], 'secure')

    def test_tlsa_of_a_secure_alias_of_an_insecure_name(self):
        """RFC 7672 section 2.2.2: at the name alone."""
        _, records = self.collect('half.test')
        self.assertEqual(records['mx.half.test', 'A']['status'], 'insecure')
        cname = records['mx.half.test', 'CNAME']
        self.assertEqual((cname['status'], cname['records']), ('secure', ['target.plain.test']))
        self.assertEqual(self.tlsa(records, 'mx.half.test')['records'], [f'2 0 1 {HEX}'])
        self.assertIsNone(self.tlsa(records, 'target.plain.test'))

    def test_no_tlsa_where_it_could_not_count(self):
        _, records = self.collect('plain.test')
        self.assertFalse([key for key in records if key[1] == 'TLSA'])
        self.assertEqual(records['_mta-sts.plain.test', 'TXT']['status'], 'insecure')

    def test_bogus_text(self):
        _, records = self.collect('forged.test')
        r = records['_mta-sts.forged.test', 'TXT']
        self.assertEqual((r['status'], r['records']), ('bogus', []))

    def test_who_takes_no_mail_is_not_asked(self):
        _, records = self.collect('null.test')
        self.assertEqual(set(records), {('null.test', 'MX')})

    def test_a_thousand_tlsa_records(self):
        done, records = self.collect('k.test')
        self.assertEqual((done.status, len(one_line(done.err))), (0, 1), done)
        found = self.tlsa(records, 'k.test')
        self.assertEqual(found['status'], 'secure')
        self.assertEqual(found['records'], [f'3 1 1 {i:064x}' for i in range(1000)])

    def test_more_than_are_kept(self):
        done, records = self.collect('many.test', 'all.test')
        said = [line for line in one_line(done.err) if '1100' in line]
        self.assertEqual(len(said), 1, done)
        self.assertIn('_mta-sts.many.test', said[0])
        self.assertEqual(len(records['_mta-sts.many.test', 'TXT']['records']), 1024)
        self.assertIn(('_mta-sts.all.test', 'TXT'), records)

    def test_huge_text(self):
        done, records = self.collect('huge.test')
        self.assertEqual(len(records['_mta-sts.huge.test', 'TXT']['records'][0]), 253 * 200 - 1)
        self.assertEqual(records['_smtp._tls.huge.test', 'TXT']['records'], [])
        said = [line for line in one_line(done.err) if '_smtp._tls.huge.test' in line]
        self.assertEqual(len(said), 1, done)


if __name__ == '__main__':
    tap.main()
