#!/usr/bin/env python3
"""Names: secure, insecure, bogus, unvalidated; MXs of every kind; resolvers that fail."""
import subprocess
import time

from common import Lab, NameServer, Zone, collect, free_net, observations, one_line, \
    programs, tap, unittest
from lab.dns import SilentResolver, StrippingResolver
from lab.smtp_servers import SmtpServers, says


class DnsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        # One behaviour is enough: what counts here is which addresses are dialled.
        cls.mta = SmtpServers(cls.lab, {f'm{i}': says('554 none here\r\n') for i in range(6)})
        a = [cls.mta.addresses[f'm{i}'] for i in range(6)]
        many = '\n'.join(f'@ MX {i} h{i}\nh{i} A {a[i % 6]}' for i in range(40))
        cls.net = free_net()
        cls.dns = NameServer(cls.lab, [
            Zone('signed.test.', f'@ MX 10 mx\nmx A {a[0]}\nmx A {a[1]}'),
            Zone('plain.test.', f'@ MX 10 mx\nmx A {a[0]}', signed=False),
            Zone('broken.test.', f'@ MX 10 mx\nmx A {a[0]}', wrong_ds=True),
            Zone('forged.test.', f'@ MX 10 mx\nmx A {cls.net}77', forge=(f'{cls.net}77', a[0])),
            Zone('implicit.test.', f'@ A {a[2]}'),
            Zone('null.test.', f'@ MX 0 .\n@ A {a[0]}'),
            Zone('nothing.test.', '@ TXT "no mail"'),
            Zone('cname.test.', f'@ MX 10 alias\nalias CNAME real\nreal A {a[3]}'),
            Zone('dangling.test.', '@ MX 10 gone'),
            Zone('many.test.', many),
            Zone('shared.test.', '@ MX 10 mx.signed.test.'),
            Zone('mapped.test.', '@ MX 10 mx\nmx AAAA ::ffff:127.0.0.1'),
        ], address=cls.net + '1')

    def collect(self, name, *args, dns=None, **more):
        self.store = self.lab.path('store-' + name)
        return collect(*args, '--sni', 'none', '--json', store=self.store, dns=dns or self.dns,
                       port=self.mta.port, **more)

    def dialled(self, done):
        return sorted({o['address'] for o in done.records('observation')})

    def dns_records(self, done, name, rrtype):
        found = [r for r in done.records('dns') if (r['name'], r['rrtype']) == (name, rrtype)]
        self.assertTrue(found, f'no {rrtype} of {name}: {done}')
        return found[0]

    def address(self, *numbers):
        return sorted(self.mta.addresses[f'm{i}'] for i in numbers)

    def test_secure(self):
        done = self.collect('secure', 'signed.test')
        self.assertEqual(self.dialled(done), self.address(0, 1))
        mx = self.dns_records(done, 'signed.test', 'MX')
        self.assertEqual((mx['status'], mx['rcode'], mx['records']),
                         ('secure', 'NOERROR', ['10 mx.signed.test']))
        a = self.dns_records(done, 'mx.signed.test', 'A')
        self.assertEqual((a['status'], a['records']), ('secure', self.address(0, 1)))
        self.assertEqual(self.dns_records(done, 'mx.signed.test', 'AAAA')['records'], [])

    def test_insecure(self):
        done = self.collect('insecure', 'plain.test')
        self.assertEqual(self.dialled(done), self.address(0))
        self.assertEqual(self.dns_records(done, 'plain.test', 'MX')['status'], 'insecure')

    def test_bogus_is_not_dialled(self):
        for domain in ('broken.test', 'forged.test'):
            with self.subTest(domain=domain):
                done = self.collect(domain, domain)
                self.assertEqual(self.dialled(done), [])
                self.assertEqual(done.status, 1, done)
                self.assertIn(domain, done.err)
                self.assertIn('bogus', done.err + done.out)
        self.assertEqual(self.dns_records(done, 'mx.forged.test', 'A')['status'], 'bogus')

    def test_implicit_mx(self):
        done = self.collect('implicit', 'implicit.test')
        self.assertEqual(self.dialled(done), self.address(2))
        self.assertEqual({o['host'] for o in done.records('observation')}, {'implicit.test'})

    def test_null_mx(self):
        done = self.collect('null', 'null.test')
        self.assertEqual(self.dialled(done), [])
        self.assertEqual(self.dns_records(done, 'null.test', 'MX')['records'], ['0 .'])
        self.assertIn('null-mx', done.err + done.out)

    def test_no_mx(self):
        for domain in ('nothing.test', 'does-not-exist.test'):
            with self.subTest(domain=domain):
                done = self.collect(domain, domain)
                self.assertEqual(self.dialled(done), [])
                self.assertEqual(done.status, 1, done)
                self.assertIn('no-mx', done.err + done.out)

    def test_cname_mx(self):
        done = self.collect('cname', 'cname.test')
        self.assertEqual(self.dialled(done), self.address(3))
        self.assertEqual({o['host'] for o in done.records('observation')}, {'alias.cname.test'})
        self.assertIn('; 1 MX that is an alias', done.err)

    def test_cname_of_the_first_name(self):
        """Recorded also where it is asked for before DNSSEC is known to work."""
        done = self.collect('first-cname', 'mx:alias.cname.test')
        cname = self.dns_records(done, 'alias.cname.test', 'CNAME')
        self.assertEqual((cname['status'], cname['records']), ('secure', ['real.cname.test']))

    def test_mx_without_address(self):
        done = self.collect('dangling', 'dangling.test')
        self.assertEqual(self.dialled(done), [])
        self.assertEqual(done.status, 1, done)
        self.assertIn('gone.dangling.test', done.err)

    def test_many_mxs(self):
        done = self.collect('many', 'many.test')
        self.assertEqual(len({o['host'] for o in done.records('observation')}), 40)
        self.assertEqual(len(self.dns_records(done, 'many.test', 'MX')['records']), 40)

    def test_addresses_that_are_refused(self):
        store = self.lab.path('store-refused')
        done = programs.run('mxcollect', 'run', 'mapped.test', 'signed.test', '--json', '--store',
                            store, '--resolver', self.dns.resolver, '--trust-anchor',
                            self.dns.anchor, '--port', self.mta.port)
        self.assertEqual(done.status, 1, done)
        self.assertEqual(self.dialled(done), [])
        self.assertIn('--allow-private', done.err)

    def test_shared_host_is_probed_once_without_nexthop(self):
        done = self.collect('shared', 'signed.test', 'shared.test')
        self.assertEqual(len(done.records('observation')), 2, done)

    def test_one_failing_domain_costs_only_itself(self):
        done = self.collect('mixed', 'broken.test', 'signed.test', 'null.test', 'plain.test')
        self.assertEqual(self.dialled(done), self.address(0, 1))

    def test_the_records_are_stored(self):
        self.collect('stored', 'signed.test')
        kept = observations(self.store).records('dns')
        self.assertIn(('signed.test', 'MX', 'secure'),
                      {(r['name'], r['rrtype'], r['status']) for r in kept})

    def test_resolver_that_strips_dnssec_is_said_once(self):
        strips = StrippingResolver(self.lab, self.dns, address=self.net + '2')
        strips.anchor = self.dns.anchor
        done = self.collect('strips', 'signed.test', 'plain.test', 'broken.test', dns=strips)
        self.assertEqual({r['status'] for r in done.records('dns')}, {'unvalidated'}, done)
        self.assertEqual(self.dialled(done), self.address(0, 1))
        said = [line for line in one_line(done.err) if 'DNSSEC' in line]
        self.assertEqual(len(said), 1, done)
        self.assertRegex(said[0], '--resolver|--recursive')
        self.assertIn((('.', 48)), strips.asked)

    def test_silent_resolver(self):
        silent = SilentResolver(self.lab, address=self.net + '3')
        start = time.monotonic()
        done = self.collect('silent', 'signed.test', '--timeout', 3, dns=silent)
        self.assertLess(time.monotonic() - start, 60)
        self.assertIn(done.status, (1, 2), done)
        self.assertIn(silent.address, done.err)
        self.assertIn('--resolver', done.err)
        self.assertRegex(done.err, r'has not answered for [2-9] s')
        self.assertEqual(self.dialled(done), [])

    def test_silent_resolver_stops_nobody_else(self):
        silent = SilentResolver(self.lab, address=self.net + '4')
        target = f'mx.other.test@{self.mta.addresses["m5"]}'
        start = time.monotonic()
        process = subprocess.Popen(
            [programs.path('mxcollect'), 'run', '-f', '-', '--json', '--sni', 'none', '--store',
             self.lab.path('store-mixed-silent'), '--resolver', silent.resolver, '--port',
             str(self.mta.port), '--allow-private'], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=programs.environment())
        names = ''.join(f'n{i}.signed.test\n' for i in range(3000))
        process.stdin.write(names + target + '\n')
        process.stdin.close()
        line = process.stdout.readline()
        took = time.monotonic() - start
        process.kill()
        process.wait()
        process.stdout.close()
        self.assertIn('"mx.other.test"', line)
        self.assertLess(took, 8)

    def test_no_resolver_there(self):
        class Nobody:
            resolver = f'{self.net}9@{self.lab.free_port([self.net + "9"])}'
        done = self.collect('nobody', 'signed.test', '--timeout', 3, dns=Nobody)
        self.assertIn(done.status, (1, 2), done)
        self.assertIn(self.net + '9', done.err)


class ZoneAlone(unittest.TestCase):
    """A name server that knows nothing but its zone, with the zone's own key as the anchor."""

    def test_secure_without_a_root(self):
        with Lab() as lab:
            mta = SmtpServers(lab, {'m': says('554 none here\r\n')})
            dns = NameServer(lab, [Zone('alone.test.', f'@ MX 1 mx\nmx A {mta.addresses["m"]}')],
                             address=free_net() + '1', root=False)
            done = collect('alone.test', '--json', store=lab.path('store'), dns=dns, port=mta.port)
            self.assertEqual({r['status'] for r in done.records('dns')
                              if r['rrtype'] in ('MX', 'A')}, {'secure'}, done)
            self.assertEqual({o['outcome'] for o in done.records('observation')},
                             {'permanent-reject'})


if __name__ == '__main__':
    tap.main()
