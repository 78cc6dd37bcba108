#!/usr/bin/env python3
"""MTA-STS policies over HTTPS (RFC 8461): those that count, and every way to have none."""
import datetime
import os
import time

from common import Ca, Lab, NameServer, Zone, free_net, observations, one_line, programs, tap, \
    unittest
from lab.policy_servers import PolicyServers, answers, drips, policy, says_nothing, streams
from lab.smtp_servers import SmtpServers, says

GOOD = policy()
TEXT = '"v=STSv1; id=1;"'
SERVERS = {
    'good': answers(GOOD, kind='Text/Plain; charset=utf-8'),
    'pieces': answers(GOOD.replace('\r\n', '\n')),
    'redirect': answers('', '301 Moved Permanently',
                        more='Location: https://mta-sts.good.test/.well-known/mta-sts.txt\r\n'),
    'missing': answers('nothing here', '404 Not Found'),
    'created': answers(GOOD, '201 Created'),
    'html': answers(GOOD, kind='text/html'),
    'plainer': answers(GOOD, kind='text/plainer'),
    'announced': answers(b'x: ' + b'y' * (10 << 20)),
    'streamed': streams(10 << 20),
    'largest': answers(GOOD + 'x: ' + 'y' * (65536 - len(GOOD) - 5) + '\r\n'),
    'lines': answers(GOOD + 'x: y\n' * 2000),
    'drip': drips,
    'silent': says_nothing,
    'nocert': answers(GOOD),
    'otherca': answers(GOOD),
    'expired': answers(GOOD),
    'wrongname': answers(GOOD),
    'cnonly': answers(GOOD),
    'wildcard': answers(GOOD),
    'selfsigned': answers(GOOD),
    'syntax': answers('version: STSv1\nmode: enforce\n\nmx: a.test\nmax_age: 1\n'),
    'octets': answers(b'version: STSv1\nmode: none\nmax_age: 1\nx: \xff\x00\x1b[2J\n'),
    'empty': answers(''),
}
DOMAINS = {name: f'{name}.test' for name in SERVERS}


class MtaStsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.ca = Ca(cls.lab.path('ca'))
        cls.servers = PolicyServers(cls.lab, SERVERS, cls.certificates())
        cls.mta = SmtpServers(cls.lab, {'m': says('554 none here\r\n')})
        zones = [cls.zone(name) for name in SERVERS]
        zones += [Zone('twice.test.', cls.mx() + f'\n_mta-sts TXT {TEXT}\n_mta-sts TXT "v=STSv1; '
                       'id=2"\nmta-sts A ' + cls.servers.addresses['good'], signed=False),
                  Zone('spf.test.', cls.mx() + '\n_mta-sts TXT "v=spf1 -all"\nmta-sts A ' +
                       cls.servers.addresses['good'], signed=False),
                  Zone('nohost.test.', cls.mx() + f'\n_mta-sts TXT {TEXT}', signed=False),
                  Zone('refused.test.', cls.mx() + f'\n_mta-sts TXT {TEXT}\nmta-sts A 127.0.0.1',
                       signed=False)]
        cls.dns = NameServer(cls.lab, zones, address=free_net() + '1')

    @classmethod
    def certificates(cls):
        """All good but those that are meant to fail."""
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        made = {'good': cls.ca.issue('good', [f'mta-sts.{d}' for d in DOMAINS.values()])}
        for name in SERVERS:
            made.setdefault(name, made['good'])
        made['nocert'] = None
        made['otherca'] = Ca(cls.lab.path('ca2'), 'Other').issue('other', ['mta-sts.otherca.test'])
        made['expired'] = cls.ca.issue('expired', ['mta-sts.expired.test'],
                                       not_before=now - 9 * day, not_after=now - day)
        made['wrongname'] = cls.ca.issue('wrongname', ['wrongname.test'],
                                         subject=[('CN', 'mta-sts.wrongname.test')])
        made['cnonly'] = cls.ca.issue('cnonly', [], subject=[('CN', 'mta-sts.cnonly.test')])
        made['wildcard'] = cls.ca.issue('wildcard', ['*.wildcard.test'])
        made['selfsigned'] = cls.ca.self_signed('selfsigned', ['mta-sts.selfsigned.test'])
        return made

    @classmethod
    def mx(cls):
        return f'@ MX 10 mx\nmx A {cls.mta.addresses["m"]}'

    @classmethod
    def zone(cls, name):
        text = '"v=ST" "Sv1; id=" "1"' if name == 'pieces' else TEXT
        return Zone(f'{name}.test.', f'{cls.mx()}\n_mta-sts TXT {text}\n'
                    f'mta-sts A {cls.servers.addresses[name]}', signed=False)

    def collect(self, *names, allow=True, env=None, port=None, timeout=2, roots=None):
        self.store = self.lab.path(f'store-{self.id()}-{time.monotonic()}')
        args = [f'{n}.test' for n in names]
        args += ['--allow-private'] if allow else []
        return programs.run(
            'mxcollect', 'run', *args, '--mta-sts', '--sts-roots',
            roots or self.ca.path('root.pem'), '--sts-port', port or self.servers.port, '--sni',
            'none', '--json', '--store', self.store, '--resolver', self.dns.resolver,
            '--trust-anchor', self.dns.anchor, '--port', self.mta.port, '--per-address-gap', 0,
            '--timeout', timeout, env=env)

    def only(self, done):
        found = done.records('sts')
        self.assertEqual(len(found), 1, done)
        self.assertEqual(found, observations(self.store).records('sts'))
        return found[0]

    def assertPolicy(self, name, **more):
        done = self.collect(name, **more)
        found = self.only(done)
        self.assertEqual((found['domain'], found['result'], found['error']),
                         (f'{name}.test', 'ok', None), done)
        self.assertEqual(found['policy'][:4], GOOD.split('\r\n')[:4])
        self.assertEqual(done.status, 0, done)
        return done

    def assertNone(self, name, result, error, **more):
        """Evidence, one line, exit status 1; and the probe of the MX goes on."""
        done = self.collect(name, **more)
        found = self.only(done)
        self.assertEqual((found['domain'], found['result']), (f'{name}.test', result), done)
        self.assertRegex(found['error'], error)
        said = [line for line in one_line(done.err) if result in line]
        self.assertEqual(len(said), 1, done)
        self.assertIn(f'{name}.test', said[0])
        self.assertEqual((done.status, len(done.records('observation'))), (1, 1), done)
        return found

    def test_a_policy(self):
        before = len(self.servers.seen['good'])
        done = self.assertPolicy('good')
        self.assertIn('1 MTA-STS policy', done.err)
        asked, = self.servers.seen['good'][before:]
        head = asked.split('\r\n')
        self.assertEqual(head[0], 'GET /.well-known/mta-sts.txt HTTP/1.1')
        self.assertIn('Host: mta-sts.good.test', head)
        self.assertNotRegex(asked, '(?i)authorization|cookie|accept-encoding')
        names = {(r['name'], r['rrtype']) for r in done.records('dns')}
        self.assertIn(('mta-sts.good.test', 'A'), names)

    def test_announced_in_pieces_with_bare_line_feeds(self):
        self.assertPolicy('pieces')

    def test_as_large_as_may_be(self):
        self.assertPolicy('largest')

    def test_wildcard_certificate(self):
        self.assertPolicy('wildcard')

    def test_roots_in_a_directory(self):
        roots = self.lab.folder('roots')
        os.chmod(roots, 0o755)
        done = programs.subprocess.run(
            ['openssl', 'x509', '-hash', '-noout', '-in', self.ca.path('root.pem')],
            capture_output=True, text=True, check=True)
        os.symlink(self.ca.path('root.pem'), os.path.join(roots, done.stdout.strip() + '.0'))
        self.assertPolicy('good', roots=roots)

    def test_fetch_errors(self):
        for name, error in (('redirect', '301.*redirect'), ('missing', '404'), ('created', '201'),
                            ('announced', '65536'), ('streamed', '65536'), ('nocert', '.'),
                            ('silent', 'timed out'), ('nohost', 'mta-sts.nohost.test has no ')):
            with self.subTest(name=name):
                found = self.assertNone(name, 'sts-policy-fetch-error', error)
                self.assertEqual(found['policy'], [])

    def test_redirects_are_not_followed(self):
        before = len(self.servers.seen['good'])
        self.assertNone('redirect', 'sts-policy-fetch-error', 'redirect')
        self.assertEqual(len(self.servers.seen['good']), before)

    def test_slow_drip_is_bounded(self):
        start = time.monotonic()
        self.assertNone('drip', 'sts-policy-fetch-error', 'timed out')
        self.assertLess(time.monotonic() - start, 30)

    def test_certificates(self):
        for name, error in (('otherca', 'issuer|self-signed'), ('expired', 'expired'),
                            ('wrongname', 'mismatch|match'), ('cnonly', 'mismatch|match'),
                            ('selfsigned', 'self-signed')):
            with self.subTest(name=name):
                found = self.assertNone(name, 'sts-webpki-invalid', error)
                self.assertEqual(found['policy'], [])
                self.assertEqual(self.servers.seen[name], [])

    def test_no_policies(self):
        for name, error in (('html', 'media type'), ('plainer', 'media type'),
                            ('syntax', 'line 3: empty'), ('octets', 'UTF-8'), ('empty', 'version'),
                            ('lines', 'lines')):
            with self.subTest(name=name):
                found = self.assertNone(name, 'sts-policy-invalid', error)
                if name == 'syntax':
                    self.assertEqual(found['policy'][1:3], ['mode: enforce', ''])
                if name == 'octets':
                    self.assertNotIn('\x1b', found['policy'][3])

    def test_one_failure_costs_nobody_else(self):
        done = self.collect('streamed', 'good', 'drip', 'expired', 'wildcard')
        self.assertEqual({r['domain']: r['result'] for r in done.records('sts')},
                         {'streamed.test': 'sts-policy-fetch-error', 'good.test': 'ok',
                          'drip.test': 'sts-policy-fetch-error', 'wildcard.test': 'ok',
                          'expired.test': 'sts-webpki-invalid'}, done)
        self.assertEqual(len(done.records('observation')), 5)

    def test_without_a_valid_announcement_nothing_is_fetched(self):
        before = len(self.servers.seen['good'])
        done = self.collect('twice', 'spf')
        self.assertEqual((done.status, done.records('sts')), (0, []), done)
        self.assertEqual(len(self.servers.seen['good']), before)

    def test_not_without_the_option(self):
        before = len(self.servers.seen['good'])
        done = programs.run('mxcollect', 'run', 'good.test', '--allow-private', '--json', '--store',
                            self.lab.path('none'), '--resolver', self.dns.resolver,
                            '--trust-anchor', self.dns.anchor, '--port', self.mta.port, '--sni',
                            'none')
        self.assertEqual((done.status, done.records('sts')), (0, []), done)
        self.assertEqual(len(self.servers.seen['good']), before)

    def test_private_address_is_refused(self):
        before = len(self.servers.seen['good'])
        done = self.collect('good', 'refused', allow=False)
        self.assertEqual((done.status, done.records('sts')), (1, []), done)
        self.assertIn('mta-sts.refused.test at 127.0.0.1 is not dialled', done.err)
        self.assertEqual(len(self.servers.seen['good']), before)

    def test_nothing_of_the_environment_counts(self):
        home = self.lab.path('home')
        os.mkdir(home)
        with open(os.path.join(home, '.netrc'), 'w', encoding='ascii') as f:
            f.write('default login somebody password secret\n')
        keys = self.lab.path('keys')
        proxy = f'http://{self.servers.addresses["nocert"]}:{self.servers.port}'
        before = len(self.servers.seen['nocert']), len(self.servers.seen['good'])
        env = programs.environment(
            HOME=home, NETRC=os.path.join(home, '.netrc'), SSLKEYLOGFILE=keys,
            SSL_CERT_FILE=self.lab.path('none'), OPENSSL_CONF='/nonexistent',
            **{name: proxy for name in ('https_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'all_proxy')})
        self.assertPolicy('good', env=env)
        self.assertEqual(len(self.servers.seen['nocert']), before[0])
        self.assertNotIn('uthorization', self.servers.seen['good'][-1])
        self.assertFalse(os.path.exists(keys))

    def test_roots_that_are_none(self):
        for path in (__file__, '/nonexistent'):
            done = self.collect('good', roots=path)
            self.assertEqual((done.status, len(one_line(done.err))), (2, 1), done)
            self.assertIn(path, done.err)


if __name__ == '__main__':
    tap.main()
