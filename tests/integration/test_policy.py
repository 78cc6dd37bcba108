#!/usr/bin/env python3
"""mxdiff policy: its lines are run by real Postfix and Exim; the incident, and what cures it."""
import re

from common import Ca, Lab, collect, programs, tap, unittest
from lab import proving
from lab.exim import Exim, EximClient
from lab.proving import VARIANTS
from lab.sender import Sender
from lab.situations import SIGNED, situations

DOMAIN = f'bigmail.{SIGNED}'
PLACES = [('127.8.0.1', 'mx1'), ('127.8.0.2', 'mx1'), ('127.8.0.3', 'alt1'), ('127.8.0.4', 'alt1'),
          ('127.8.0.5', 'alt2')]
PLACES = [(address, f'{host}.{DOMAIN}') for address, host in PLACES]
HOSTS = sorted({host for _, host in PLACES})
# What the first line of each is.
STRICTEST = {
    'valid': r'secure', 'unsigned': r'secure', 'implicit': r'secure', 'provider': r'secure',
    'hosted': r'secure match=mx\.provider\.signed\.test', 'wildcard': r'secure',
    'dane-311': r'dane-only', 'dane-211': r'dane-only', 'self-signed': r'fingerprint match=[0-9a-f:]+',
    'no-starttls': r'may', 'starttls-502': r'may', 'sni-domain': r'secure servername=nexthop',
    'sentinel-no-sni': r'secure servername=hostname', 'sni-needed': r'secure servername=hostname',
    'expired': r'fingerprint match=[0-9a-f:]+', 'dane-311-wrong': r'secure', 'dane-alias': r'dane-only',
    'tls1.0': r'encrypt',
}


def bigmail_records():
    return [f'{DOMAIN}. MX 5 mx1.{DOMAIN}.', f'{DOMAIN}. MX 10 alt1.{DOMAIN}.',
            f'{DOMAIN}. MX 20 alt2.{DOMAIN}.', *(f'{host}. A {a}' for a, host in PLACES)]


class PolicyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        why = proving.why_not()
        if why:
            raise unittest.SkipTest(why)
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        ca = Ca(cls.lab.path('ca'))
        cls.situations = situations(ca, STRICTEST)
        cls.leaf = ca.issue('bigmail', [f'mx.{DOMAIN}', *HOSTS])
        cls.ground = proving.Ground(cls.lab, cls.situations, bigmail_records())
        cls.exim = Exim(cls.lab, PLACES, cls.leaf, ca.sentinel('look-alike'), port=25, accept=True)
        cls.store, cls.roots = cls.lab.path('store'), ca.path('root.pem')
        cls.domains = [s.domain for s in cls.situations]
        cls.collect(DOMAIN)
        cls.before = cls.policies(DOMAIN)[DOMAIN]
        for address, _ in PLACES[:-1]:
            cls.exim.roll_out(address)
        cls.collect(*cls.domains, DOMAIN)
        cls.told = cls.policies(*cls.domains, DOMAIN)
        # Each line that is printed is a table of its own.
        cls.lines = [line['postfix'] for told in cls.told.values() for line in told['lines']]
        tables = {f'line-{n}': [line] for n, line in enumerate(cls.lines)}
        options = {f'line-{n}': [f'smtp_tls_policy_maps=texthash:/etc/postfix/line-{n}']
                   for n in range(len(cls.lines))}
        for level in ('none', 'may', 'encrypt', 'verify', 'secure', 'dane'):
            options[f'all-{level}'] = [f'smtp_tls_policy_maps=static:{level}']
        options['all-cure'] = ['smtp_tls_policy_maps=texthash:/etc/postfix/cure']
        options['all-sts'] = ['smtp_tls_policy_maps=texthash:/etc/postfix/sts']
        options['dane-only'] = ['smtp_tls_policy_maps=static:dane-only']
        tables['cure'] = [f'{DOMAIN} verify servername=hostname']
        cls.sts = [i for i in cls.told[DOMAIN]['advice'] if i['what'] == 'mta-sts']
        names = re.findall(r'^mx: (\S+)\r$', cls.sts[0]['policy'] if cls.sts else '', re.M)
        tables['sts'] = [f'{DOMAIN} secure servername=hostname match={":".join(names)}']
        cls.sender = Sender(cls.lab, cls.roots, options, tables)

    @classmethod
    def collect(cls, *domains):
        done = collect(*domains, '--sni', ','.join(VARIANTS), store=cls.store, dns=cls.ground.dns,
                       port=25)
        if done.status != 0:
            raise AssertionError(str(done))

    @classmethod
    def policies(cls, *domains):
        done = programs.run('mxdiff', 'policy', *domains, '--json', '--store', cls.store, '--roots',
                            cls.roots)
        if done.status != 0:
            raise AssertionError(str(done))
        return {line['domain']: line for line in done.lines()}

    def policy(self, *args):
        return programs.run('mxdiff', 'policy', *args, '--store', self.store, '--roots', self.roots)

    def test_strictest_line(self):
        for s in self.situations:
            with self.subTest(situation=s.name):
                lines = self.told[s.domain]['lines']
                self.assertTrue(lines, self.told[s.domain])
                self.assertRegex(lines[0]['postfix'],
                                 rf'\A{re.escape(s.domain)} {STRICTEST[s.name]}\Z')

    def test_postfix_delivers_by_every_line(self):
        self.assertGreater(len(self.lines), 20)
        asked = [(f'line-{n}', line.split()[0]) for n, line in enumerate(self.lines)]
        sent = self.sender.deliver(asked)
        for (transport, domain), line in zip(asked, self.lines):
            with self.subTest(line=line):
                self.assertTrue(sent[(transport, domain)].delivered, sent[(transport, domain)])
                if line.split()[1] not in ('may', 'encrypt'):
                    self.assertEqual(sent[(transport, domain)].word, 'Verified')

    def test_exim_delivers_by_every_line(self):
        client = EximClient(self.sender, self.roots)
        for domain, told in self.told.items():
            for line in told['lines']:
                if line['exim']:
                    with self.subTest(domain=domain, exim=line['exim']):
                        delivered, said = client.deliver(domain, line['exim'])
                        self.assertTrue(delivered, said)
        # The same client does not deliver where the line forbids it.
        delivered, said = client.deliver(f'self-signed.{SIGNED}',
                                         'hosts_require_tls = *\ntls_verify_hosts = *')
        self.assertFalse(delivered, said)

    def test_the_incident(self):
        levels = self.told[DOMAIN]['levels']
        self.assertEqual(self.before['levels']['verify']['none']['delivers'], 5)
        for level in ('verify', 'secure'):
            self.assertLess(levels[level]['none']['delivers'], 5)
        self.assertEqual(levels['verify']['none'], {'known': 5, 'delivers': 1, 'word': 'Verified'})
        self.assertEqual(levels['verify']['hostname'],
                         {'known': 5, 'delivers': 5, 'word': 'Verified'})
        for level in ('none', 'may', 'encrypt', 'dane'):
            self.assertEqual(levels[level]['none']['delivers'], 5, level)
        self.assertIn(f'{DOMAIN} verify servername=hostname', self.lines)
        self.assertIn(f'{DOMAIN} verify', [l['postfix'] for l in self.before['lines']])

    def test_the_incident_by_real_postfix(self):
        """Exim defers all-…, so that Postfix tries every address, and says what it thinks of it."""
        levels = ('none', 'may', 'encrypt', 'verify', 'secure', 'dane', 'cure')
        sent = self.sender.deliver([(f'all-{level}', DOMAIN) for level in levels])
        for level in levels:
            with self.subTest(level=level):
                delivery = sent[(f'all-{level}', DOMAIN)]
                words = {address: word for word, _, address in delivery.sessions}
                if level == 'none':
                    self.assertEqual(words, {})
                    continue
                self.assertEqual(set(words), {address for address, _ in PLACES}, delivery)
                good = 'Verified' if level in ('verify', 'secure', 'cure') else 'Trusted'
                for n, (address, _) in enumerate(PLACES):
                    broken = n < 4 and level != 'cure'
                    self.assertEqual(words[address], 'Untrusted' if broken else good, delivery)

    def test_what_the_operator_could_publish(self):
        valid, bigmail = self.told[f'valid.{SIGNED}'], self.told[DOMAIN]
        self.assertEqual([i['what'] for i in valid['advice']], ['tlsa', 'mta-sts'])
        self.assertEqual([i['what'] for i in bigmail['advice']], ['tlsa'] * 3 + ['mta-sts'])
        wrong = self.told[f'dane-311-wrong.{SIGNED}']['advice'][0]
        self.assertIn('do not match', wrong['text'])
        self.assertEqual(self.told[f'self-signed.{SIGNED}']['advice'][-1]['what'],
                         'mta-sts-not-yet')
        unsigned = self.told['unsigned.plain.test']['advice'][0]
        self.assertEqual(unsigned['what'], 'sign-zone')
        # A sender who honours MTA-STS wants what `secure` with these names wants.
        sent = self.sender.deliver([('all-sts', DOMAIN)])[('all-sts', DOMAIN)]
        self.assertEqual([word for word, _, _ in sent.sessions], ['Verified'] * 5, sent)
        records = [record for i in (*valid['advice'], *bigmail['advice'])
                   for record in (i['records'] or '').splitlines()]
        self.assertGreaterEqual(len(records), 6)
        self.ground.publish(*records)
        asked = [('dane-only', domain) for domain in (valid['domain'], DOMAIN)]
        for pair, delivery in self.sender.deliver(asked).items():
            with self.subTest(pair=pair):
                self.assertTrue(delivery.delivered, delivery)
                self.assertEqual(delivery.word, 'Verified')

    def test_text(self):
        done = self.policy(DOMAIN)
        self.assertEqual((done.status, done.err), (0, ''))
        for words in ('verify servername=hostname', 'tls_sni = $host', 'hosts_require_tls = *',
                      '_25._tcp.mx1.', 'v=STSv1', '1 of 5 Verified', '5 of 5 Verified',
                      '5 addresses of 3 MX hosts', 'certificate-not-trusted'):
            self.assertIn(words, done.out)

    def test_then(self):
        done = self.policy(DOMAIN, '--json', '--at', self.before['at'])
        self.assertEqual(done.lines()[0]['levels']['verify']['none']['delivers'], 5)

    def test_what_cannot_be_had_is_named_and_the_rest_done(self):
        done = self.policy('nobody.test', DOMAIN, '--json')
        self.assertEqual(done.status, 1)
        self.assertEqual([line['domain'] for line in done.lines()], [DOMAIN])
        self.assertEqual(len(done.err.splitlines()), 1, done.err)
        self.assertIn('nobody.test', done.err)
        self.assertIn('mxcollect run', done.err)
        self.assertEqual(self.policy().status, 2)
        none = self.policy(DOMAIN, '--at', '2001-01-01')
        self.assertEqual((none.status, none.out), (1, ''))
        bad = programs.run('mxdiff', 'policy', DOMAIN, '--store', self.store, '--roots', '/dev/null')
        self.assertEqual(bad.status, 2, bad)


if __name__ == '__main__':
    tap.main()
