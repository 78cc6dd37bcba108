#!/usr/bin/env python3
"""Verdicts of a small corpus: what mxdiff makes of chains, DNS and MTA-STS as they were known at
the time, under a CA of the test's own."""
import base64
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ['MX509_BUILD']
sys.path.insert(0, os.path.join(TOP, 'tests'))

from lab import tap  # noqa: E402
from lab.ca import Ca, ders, tlsa  # noqa: E402

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
HOST, DOMAIN = 'mx1.example.org', 'example.org'
VERIFIED, TRUSTED, UNTRUSTED = 'Verified', 'Trusted', 'Untrusted'
PLAIN = {'word': None, 'delivers': True, 'reason': None}


def sent(word):
    return {'word': word, 'delivers': True, 'reason': None}


def deferred(word, reason):
    return {'word': word, 'delivers': False, 'reason': reason}


def at(hours):
    return (NOW + datetime.timedelta(hours=hours)).strftime('%Y-%m-%dT%H:%M:%S.000Z')


class Corpus:
    """Lines of JSON, which become a store."""

    def __init__(self, path):
        self.path, self.lines = path, []

    def chain(self, pem):
        names = []
        for der in ders(pem):
            names.append(hashlib.sha256(der).hexdigest())
            self.lines.append({'type': 'certificate', 'sha256': names[-1],
                               'der': base64.b64encode(der).decode()})
        return names

    def probe(self, hours, chain, host=HOST, sni='none', outcome='success', **more):
        self.lines.append({
            'type': 'observation', 'time': at(hours), 'vantage': 'home', 'domain': None,
            'host': host, 'address': '192.0.2.1', 'port': 25, 'sni': sni, 'sni_name': None,
            'offer': 'default', 'sni_acknowledged': None, 'outcome': outcome,
            'smtp_code': 220 if chain else None, 'tls_alert': None, 'errno': None,
            'greeting': None, 'ehlo': [], 'starttls_offered': bool(chain),
            'tls_version': 'TLSv1.3' if chain else None, 'cipher': None, 'group': None,
            'server_signature': None, 'chain': chain, 'reported': None, 'flags': [],
            'ms': {m: None for m in ('dns', 'connect', 'greeting', 'starttls', 'handshake')},
            **more})

    def dns(self, hours, name, rrtype, status, records):
        self.lines.append({
            'type': 'dns', 'time': at(hours), 'vantage': 'home', 'name': name, 'rrtype': rrtype,
            'status': status, 'rcode': 'NOERROR' if status != 'bogus' else 'SERVFAIL', 'ttl': 300,
            'records': records})

    def secure(self, hours, *records, host=HOST):
        """A recipient domain with DNSSEC throughout, and the host's TLSA records."""
        self.dns(hours, DOMAIN, 'MX', 'secure', [f'10 {host}.'])
        self.dns(hours, host, 'A', 'secure', ['192.0.2.1'])
        self.dns(hours, f'_25._tcp.{host}', 'TLSA', 'secure', list(records))

    def sts(self, hours, result, *policy):
        self.lines.append({'type': 'sts', 'time': at(hours), 'vantage': 'home', 'domain': DOMAIN,
                           'result': result, 'error': None if result == 'ok' else 'of the test',
                           'policy': list(policy)})

    def fill(self):
        text = ''.join(json.dumps(line) + '\n' for line in self.lines)
        subprocess.run([os.path.join(BUILD, 'store', 'mxstore'), 'import', 'jsonl', '-', '--quiet',
                        '--store', self.path], input=text, text=True, check=True)
        self.lines = []


class VerdictTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.ca = Ca(os.path.join(cls.tmp.name, 'ca'))
        cls.good = cls.ca.issue('good', [HOST])
        cls.other = cls.ca.issue('other', [HOST])
        cls.alone = cls.ca.self_signed('alone', [HOST])

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def corpus(self):
        return Corpus(os.path.join(self.tmp.name, self.id().rsplit('.', 1)[-1]))

    def mxdiff(self, corpus, *args, roots=True, status=0):
        if corpus.lines:
            corpus.fill()
        if roots:
            args += ('--roots', self.ca.path('root.pem'))
        done = subprocess.run([os.path.join(BUILD, 'differ', 'mxdiff'), *args, '--store',
                               corpus.path], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (status, ''))
        return done.stdout

    def verdict(self, corpus, *args, **more):
        """Of the one series that is there."""
        line, = self.mxdiff(corpus, 'show', '--json', *args, **more).splitlines()
        return json.loads(line)['verdict']

    def levels(self, corpus, *args, **more):
        return self.verdict(corpus, *args, **more)['levels']

    def test_all_levels(self):
        c = self.corpus()
        c.probe(0, c.chain(self.good))
        verdict = self.verdict(c)
        with open(self.ca.path('root.pem'), encoding='ascii') as f:
            self.assertIn('BEGIN CERTIFICATE', f.read())
        root = hashlib.sha256(ders(self.ca.path('root.pem'))[0]).digest()
        self.assertEqual(verdict, {
            'roots': hashlib.sha256(root).hexdigest(), 'postfix': '3.7',
            'levels': {'none': PLAIN, 'may': sent(TRUSTED), 'encrypt': sent(TRUSTED),
                       'dane': None, 'dane-only': None, 'fingerprint': sent(VERIFIED),
                       'verify': sent(VERIFIED), 'secure': None},
            'lapsed': []})
        self.assertEqual(list(verdict['levels']), [
            'none', 'may', 'encrypt', 'dane', 'dane-only', 'fingerprint', 'verify', 'secure'])
        self.assertEqual(self.levels(c, '--nexthop', DOMAIN)['secure'], sent(VERIFIED))
        self.assertEqual(self.levels(c, '--nexthop', 'example.com')['secure'],
                         deferred(UNTRUSTED, 'certificate-host-mismatch'))
        later = self.verdict(c, '--nexthop', 'example.com', '--postfix', '3.11')
        self.assertEqual(later['postfix'], '3.11')
        self.assertEqual(later['levels']['secure'],
                         deferred(TRUSTED, 'certificate-host-mismatch'))
        self.assertIsNone(self.verdict(c, '--no-verdict', roots=False))

    def test_nexthop_of_the_host(self):
        """The recipient domain is that of the variant nexthop, if it is one alone."""
        c = self.corpus()
        chain = c.chain(self.good)
        c.probe(0, chain)
        c.probe(0, chain, sni='nexthop', domain=DOMAIN, sni_name=DOMAIN)
        c.fill()
        self.assertEqual(self.levels(c, '--sni', 'none')['secure'], sent(VERIFIED))
        c.probe(0, chain, sni='nexthop', domain='example.com', sni_name='example.com')
        c.fill()
        self.assertIsNone(self.levels(c, '--sni', 'none')['secure'])

    def test_roots(self):
        c = self.corpus()
        c.probe(0, c.chain(self.good))
        folder = os.path.join(self.tmp.name, 'roots')
        os.makedirs(folder)
        for name in ('root', 'alone'):
            with open(self.ca.path(name + '.pem'), encoding='ascii') as f, \
                    open(os.path.join(folder, name + '.pem'), 'w', encoding='ascii') as to:
                to.write('a text around it\n' + f.read())
        plain = self.verdict(c, '--roots', folder, roots=False)
        subprocess.run(['openssl', 'rehash', folder], check=True)
        hashed = self.verdict(c, '--roots', folder, roots=False)
        self.assertEqual(plain, hashed)
        self.assertEqual(plain['levels']['verify'], sent(VERIFIED))
        self.assertNotEqual(plain['roots'], self.verdict(c)['roots'])
        other = self.verdict(c, '--roots', self.ca.path('alone.pem'), roots=False)
        self.assertEqual(other['levels']['verify'],
                         deferred(UNTRUSTED, 'certificate-not-trusted'))

    def test_dane_at_its_time(self):
        """The records that were there at the time, not those of today."""
        c = self.corpus()
        chain = c.chain(self.good)
        c.probe(0, chain)
        c.secure(0.5, tlsa(self.good, 3, 1, 1))
        c.probe(1, chain)
        c.secure(1.5, tlsa(self.other, 3, 1, 1))
        c.probe(2, chain)
        c.dns(2.5, f'_25._tcp.{HOST}', 'TLSA', 'bogus', [])
        c.probe(3, chain)
        c.secure(3.5)
        c.probe(4, chain)
        c.secure(4.5, tlsa(self.good, 2, 0, 1, nth=1))
        c.lines[-3]['status'] = 'insecure'
        c.probe(5, chain)
        for hours, dane, only in (
                (0, None, None), (1, sent(VERIFIED), sent(VERIFIED)),
                (2, deferred(UNTRUSTED, 'validation-failure'),
                 deferred(UNTRUSTED, 'validation-failure')),
                (3, deferred(None, 'dnssec-invalid'), deferred(None, 'dnssec-invalid')),
                (4, sent(TRUSTED), deferred(None, 'dane-required')),
                (5, sent(VERIFIED), sent(VERIFIED))):
            with self.subTest(hours=hours):
                got = self.levels(c, '--at', at(hours))
                self.assertEqual((got['dane'], got['dane-only']), (dane, only))
        # Known the recipient domain, its MX set counts.
        got = self.levels(c, '--nexthop', DOMAIN)
        self.assertEqual((got['dane'], got['dane-only']),
                         (sent(TRUSTED), deferred(None, 'dane-required')))

    def test_alias(self):
        """TLSA at the end of a secure alias, before the name itself (RFC 7672 section 2.2.3)."""
        c = self.corpus()
        c.probe(1, c.chain(self.good))
        c.secure(0, tlsa(self.other, 3, 1, 1))
        c.fill()
        self.assertEqual(self.levels(c)['dane'], deferred(UNTRUSTED, 'validation-failure'))
        c.dns(0, HOST, 'CNAME', 'secure', ['a.example.net.'])
        c.fill()
        self.assertEqual(self.levels(c)['dane'], deferred(UNTRUSTED, 'validation-failure'))
        c.dns(0, '_25._tcp.a.example.net', 'TLSA', 'secure', [tlsa(self.good, 3, 1, 1)])
        c.fill()
        self.assertEqual(self.levels(c)['dane'], sent(VERIFIED))
        # The name of a trust anchor's leaf is that base, or the recipient domain.
        c.dns(0.5, '_25._tcp.a.example.net', 'TLSA', 'secure', [tlsa(self.good, 2, 0, 1, nth=1)])
        c.fill()
        self.assertEqual(self.levels(c)['dane'],
                         deferred(UNTRUSTED, 'certificate-host-mismatch'))

    def test_many_records(self):
        c = self.corpus()
        c.probe(1, c.chain(self.good))
        c.secure(0, *(f'3 1 1 {i:064x}' for i in range(999)), tlsa(self.good, 3, 0, 2), '3 1 1 zz')
        self.assertEqual(self.levels(c)['dane'], sent(VERIFIED))

    def test_sts(self):
        c = self.corpus()
        chain = c.chain(self.good)
        enforce = ['version: STSv1', 'mode: enforce', 'mx: *.example.org', 'max_age: 86400']
        for hours in range(0, 60, 6):
            c.probe(hours, chain)
        c.sts(1, 'ok', *enforce)
        c.sts(7, 'sts-webpki-invalid')
        c.sts(43, 'ok', 'version: STSv1', 'mode: testing', 'mx: mx.example.net', 'max_age: 86400')
        c.sts(49, 'ok', 'version: STSv1', 'mode: none', 'max_age: 86400')
        more = ('--nexthop', DOMAIN)
        for hours, level, want in (
                (0, None, None), (6, 'sts-enforce', sent(VERIFIED)),
                (24, 'sts-enforce', sent(VERIFIED)),  # as it was had before
                (36, 'sts-enforce', {**sent(TRUSTED), 'reason': 'sts-webpki-invalid'}),
                (48, 'sts-testing', {**sent(TRUSTED), 'reason': 'validation-failure'}),
                (54, None, None)):
            with self.subTest(hours=hours):
                got = self.levels(c, '--at', at(hours), *more)
                sts = {k: v for k, v in got.items() if k.startswith('sts')}
                self.assertEqual(sts, {level: want} if level else {})
        self.assertEqual(self.levels(c, '--at', at(6)).get('sts-enforce'), None)

    def test_turns(self):
        c = self.corpus()
        good, alone = c.chain(self.good), c.chain(self.alone)
        for hours in range(90):
            c.probe(hours, alone if 30 <= hours < 60 else good)
        for hours in range(90, 120):
            c.probe(hours, [], outcome='starttls-not-offered')
        changes = [json.loads(x) for x in self.mxdiff(
            c, 'log', '--json', '--nexthop', DOMAIN).splitlines()]
        turned = [(x['verdict']['lost'], x['verdict']['gained']) for x in changes]
        self.assertEqual(turned, [(['verify', 'secure'], []), ([], ['verify', 'secure']),
                                  (['encrypt', 'verify', 'secure'], [])])
        self.assertEqual([('trust-loss' in x['class'], 'trust-gain' in x['class'])
                          for x in changes], [(True, False), (False, True), (True, False)])
        self.assertEqual([x['severity'] for x in changes][0], 'critical')
        self.assertEqual(changes[0]['verdict']['new']['levels']['secure'],
                         deferred(UNTRUSTED, 'certificate-not-trusted'))
        text = self.mxdiff(c, 'log', '--class', 'trust-loss', '--nexthop', DOMAIN)
        self.assertEqual(text.count('    breaks verify'), 1)
        self.assertIn('breaks encrypt, verify, secure at SNI none: no TLS, '
                      'starttls-not-supported', text)
        self.assertNotIn('mends', text)
        self.assertIn('mends verify at SNI none: Verified\n', self.mxdiff(c, 'log'))
        only = self.mxdiff(c, 'log', '--json', '--class', 'trust-gain').splitlines()
        self.assertEqual(len(only), 1)
        # The feed tells the same.
        feed = [json.loads(x) for x in self.mxdiff(
            c, 'feed', '--nexthop', DOMAIN, '--class', 'trust-loss', '--type', 'change'
        ).splitlines()]
        self.assertEqual([x['id'] for x in feed[:-1]],
                         [x['id'] for x in changes if 'trust-loss' in x['class']])
        self.assertEqual(feed[0]['verdict'], changes[0]['verdict'])
        # Nothing of it without verdicts.
        self.assertEqual(self.mxdiff(c, 'log', '--json', '--no-verdict', '--class', 'trust-loss',
                                     roots=False), '')

    def test_by_time_alone(self):
        """No change, but said."""
        c = self.corpus()
        chain = c.chain(self.ca.issue('short', [HOST], not_before=NOW,
                                      not_after=NOW + datetime.timedelta(hours=5)))
        for hours in range(1, 9):
            c.probe(hours, chain)
        self.assertEqual(self.mxdiff(c, 'log', '--json'), '')
        verdict = self.verdict(c)
        self.assertEqual(verdict['levels']['verify'], deferred(UNTRUSTED, 'certificate-expired'))
        self.assertEqual(verdict['lapsed'], ['verify'])
        self.assertEqual(self.verdict(c, '--at', at(4))['lapsed'], [])
        self.assertIn('Untrusted, certificate-expired since it was first shown',
                      self.mxdiff(c, 'show'))

    def test_windows(self):
        """A roll-out bears the class if all its changes do; its levels are theirs in common."""
        c = self.corpus()
        good, alone = c.chain(self.good), c.chain(self.alone)
        for n in range(3):
            host = f'mx{n + 1}.example.org'
            for hours in range(0, 40):
                c.probe(hours, alone if hours > 4 * n else good, host=host)
        window, = [json.loads(x) for x in self.mxdiff(c, 'windows', '--json').splitlines()]
        self.assertEqual(window['converted'], 3)
        # The certificate had the name of mx1 alone.
        self.assertNotIn('trust-loss', window['class'])
        self.assertEqual(window['verdict']['lost'], [])
        lost = self.mxdiff(c, 'windows', '--json', '--nexthop', DOMAIN, '--class', 'trust-loss')
        self.assertEqual(json.loads(lost)['verdict']['lost'], ['secure'])
        self.assertIn('    breaks secure at SNI none: Untrusted, certificate-not-trusted '
                      '(self-signed certificate)\n',
                      self.mxdiff(c, 'windows', '--nexthop', DOMAIN))

    def test_feed_of_windows(self):
        """It tells those that say something new, whatever a filter asks of the others."""
        c = self.corpus()
        good, other, alone = c.chain(self.good), c.chain(self.other), c.chain(self.alone)
        hosts = [f'mx{n + 1}.example.org' for n in range(6)]
        for n, host in enumerate(hosts):
            for hours in range(40):
                c.probe(hours, alone if n < 3 and hours > 4 * n else good, host=host)
        filters = [[], ['--class', 'trust-loss'], ['--class', 'trust-gain'], ['--class', 'renewal'],
                   ['--severity', 'critical'], ['--no-verdict', '--severity', 'warning']]
        told = {}
        for commit, (host, chain) in enumerate((
                (hosts[3], other), (hosts[4], other), (hosts[5], other), (hosts[0], good))):
            cursor = json.loads(self.mxdiff(c, 'feed').splitlines()[-1])['cursor']
            before = [self.windows(c, f) for f in filters]
            for hours in range(40, 62):
                c.probe(400 * commit + hours, chain, host=host)
            for i, f in enumerate(filters):
                with self.subTest(commit=commit, filters=f):
                    now = self.windows(c, f)
                    feed = [json.loads(x) for x in self.mxdiff(
                        c, 'feed', '--since', cursor, '--type', 'window', '--nexthop', DOMAIN, *f,
                        roots='--no-verdict' not in f).splitlines()[:-1]]
                    self.assertEqual([x['id'] for x in feed if x['type'] == 'window'],
                                     [w['id'] for w in now if w not in before[i]])
                    told[i] = told.get(i, 0) + len(feed)
        self.assertTrue(all(told[i] > 0 for i in (0, 1, 4)), told)

    def windows(self, corpus, filters):
        return [json.loads(x) for x in self.mxdiff(
            corpus, 'windows', '--json', '--nexthop', DOMAIN, *filters,
            roots='--no-verdict' not in filters).splitlines()]

    def test_what_tells_nothing(self):
        c = self.corpus()
        chain = c.chain(self.good)
        c.probe(0, ['00' * 32, *chain[1:]])
        self.assertIsNone(self.verdict(c))
        c = Corpus(c.path + '-2')
        c.chain(self.good)
        c.probe(0, chain, offer='tls1.2', tls_version='TLSv1.2')
        self.assertIsNone(self.verdict(c))
        c = Corpus(c.path + '-3')
        c.probe(0, [], outcome='connection-refused', starttls_offered=None)
        self.assertIsNone(self.verdict(c))
        c = Corpus(c.path + '-4')
        c.probe(0, [], reported={'by': 'postfix', 'status': 'Untrusted', 'reason': None})
        self.assertIsNone(self.verdict(c))


if __name__ == '__main__':
    tap.main()
