#!/usr/bin/env python3
"""Servers that are old or odd, and honest: each is seen as it is, to the end of the dialogue."""
import asyncio
import os
import ssl
import subprocess
import warnings

from common import Ca, Lab, collect, observations, programs, sha256s, tap, unittest
from lab import smtp_servers as s
from lab.ca import ders

SLOW_S = 6  # postscreen's greeting


def openssl(*args):
    subprocess.run(['openssl', *map(str, args)], check=True, capture_output=True)


def self_signed(lab, name, *key, digest='sha256'):
    """A PEM file of a key and a certificate that signs itself."""
    path = lab.path(name + '.pem')
    openssl('req', '-x509', *key, '-nodes', '-' + digest, '-subj', f'/CN={name}', '-days', 9,
            '-keyout', path, '-out', path + '.crt')
    with open(path, 'a', encoding='ascii') as out, open(path + '.crt', encoding='ascii') as f:
        out.write(f.read())
    return path


def dsa(lab):
    parameters = lab.path('dsa.parameters')
    openssl('dsaparam', '-out', parameters, 1024)
    return self_signed(lab, 'dsa', '-newkey', 'dsa:' + parameters)


def context(certificate, version=None, suites='ALL', dh=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers(suites + ':@SECLEVEL=0')
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # that they are old is what we want
            made.minimum_version = made.maximum_version = version
    if dh:
        made.load_dh_params(dh)
    made.load_cert_chain(certificate)
    return made


def shows(made):
    """Honest, with a context of its own."""
    async def behaviour(session):
        await session.to_starttls()
        await session.writer.start_tls(made)
        await session.line()
        await session.send('221 bye\r\n')
    return behaviour


def speaks(greeting, ehlo, go='220 go\r\n', pause=0.0):
    """Honest; each octet of what it says is a segment of its own."""
    async def say(session, text):
        for octet in text:
            await asyncio.sleep(pause)
            await session.send(octet)

    async def behaviour(session):
        await say(session, greeting)
        await session.line()
        await say(session, ehlo)
        if (await session.line()).startswith('STARTTLS'):
            await say(session, go)
            await session.tls()
            await session.line()
        await session.send('221 bye\r\n')
    return behaviour


async def greets_late(session):
    await session.send('220-wait\r\n')
    await asyncio.sleep(SLOW_S)
    await s.honest(session)


def knows_helo(to_ehlo, to_helo='250 mx at your service\r\n'):
    async def behaviour(session):
        await session.send('220 mx SMTP\r\n')
        await session.line()
        await session.send(to_ehlo)
        await session.line()
        await session.send(to_helo)
        await session.until_quit()
    return behaviour


V = ssl.TLSVersion
OK = {'outcome': 'success', 'starttls_offered': True}
NO_TLS = {'outcome': 'starttls-not-offered', 'starttls_offered': False, 'chain': []}


class OdditiesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab = Lab()
        cls.addClassCleanup(lab.close)
        cls.leaf = Ca(lab.path('ca')).issue('leaf', ['honest.hostile.test'])
        cls.files = {
            'rsa': self_signed(lab, 'rsa', '-newkey', 'rsa:2048'),
            'rsa-512': self_signed(lab, 'rsa-512', '-newkey', 'rsa:512'),
            'md5': self_signed(lab, 'md5', '-newkey', 'rsa:1024', digest='md5'),
            'sha1': self_signed(lab, 'sha1', '-newkey', 'rsa:1024', digest='sha1'),
            'dsa': dsa(lab),
        }
        dh = lab.path('dh.pem')
        openssl('dhparam', '-dsaparam', '-out', dh, 1024)
        files = cls.files
        # name: (behaviour, members of the observation, file of the chain)
        cls.cases = {
            'tls10': (shows(context(files['rsa'], V.TLSv1)), {'tls_version': 'TLSv1', **OK}, 'rsa'),
            'tls11': (shows(context(files['rsa'], V.TLSv1_1)), {'tls_version': 'TLSv1.1', **OK},
                      'rsa'),
            'rsa-exchange': (shows(context(files['rsa'], V.TLSv1_2, 'AES128-SHA')),
                             {'cipher': 'AES128-SHA', 'group': None, 'server_signature': None, **OK},
                             'rsa'),
            'rsa-512': (shows(context(files['rsa-512'], V.TLSv1_2)), OK, 'rsa-512'),
            'md5': (shows(context(files['md5'])), OK, 'md5'),
            'sha1': (shows(context(files['sha1'])), OK, 'sha1'),
            'dsa': (shows(context(files['dsa'], V.TLSv1_2, 'DHE-DSS-AES128-SHA', dh)),
                    {'cipher': 'DHE-DSS-AES128-SHA', 'server_signature': 'DSA', 'group': 'dh-1024',
                     **OK}, 'dsa'),
            'octets': (speaks('220-mx\r\n220-of many words\r\n220 ESMTP\r\n',
                              '250-mx\r\n250-SIZE 1\r\n250 starttls\r\n', pause=0.005), OK, 'leaf'),
            'lower-case': (speaks('220 mx\r\n', '250-mx\r\n250 starttls\r\n'), OK, 'leaf'),
            'parameters': (speaks('220 mx\r\n', '250-mx\r\n250 STARTTLS REQUIRED=yes\r\n',
                                  '220-go\r\n220 ahead\r\n'), OK, 'leaf'),
            'bare-lf': (speaks('220 mx\n', '250-mx\n250-StartTLS\n250 PIPELINING\n', '220\n'), OK,
                        'leaf'),
            'no-text': (speaks('220\r\n', '250-mx\r\n250 STARTTLS\r\n', '220\r\n'), OK, 'leaf'),
            'late': (greets_late, OK, 'leaf'),
            'helo-502': (knows_helo('502 what?\r\n'), {'smtp_code': 250, **NO_TLS}, None),
            'helo-500': (knows_helo('500-I am\r\n500 old\r\n'), {'smtp_code': 250, **NO_TLS}, None),
            'helo-421': (knows_helo('502 what?\r\n', '421 closing\r\n'),
                         {'outcome': 'rate-limited', 'smtp_code': 421}, None),
            '421-lines': (s.says('421-too\r\n421 many\r\n'),
                          {'outcome': 'rate-limited', 'smtp_code': 421, 'greeting': '421-too\n421 many'},
                          None),
            '421-ehlo': (s.replies_to_ehlo('421 closing\r\n'),
                         {'outcome': 'rate-limited', 'smtp_code': 421}, None),
            '421-starttls': (s.replies_to_starttls('421 busy\r\n'),
                             {'outcome': 'rate-limited', 'smtp_code': 421,
                              'starttls_offered': True}, None),
            # Without the extension of RFC 5746, as all servers before 2010; then it hangs.
            'old-renegotiation': (s.presents(ders(files['sha1']), b''),
                                  {'outcome': 'io-timeout', 'tls_version': 'TLSv1.2'}, 'sha1'),
        }
        cls.store = lab.path('store')
        cls.servers = s.SmtpServers(lab, {n: case[0] for n, case in cls.cases.items()}, cls.leaf)
        cls.done = collect(*(cls.servers.target(n) for n in cls.cases), '--sni', 'hostname',
                           '--timeout', SLOW_S + 4, store=cls.store)
        cls.seen = {o['host'].split('.')[0]: o
                    for o in observations(cls.store).records('observation')}

    def test_each_is_seen_as_it_is(self):
        for name, (_, members, file) in self.cases.items():
            with self.subTest(server=name):
                self.assertIn(name, self.seen, self.done)
                o = self.seen[name]
                for member, value in members.items():
                    self.assertEqual(o[member], value, o)
                if file:
                    self.assertEqual(o['chain'], sha256s(self.leaf if file == 'leaf'
                                                         else self.files[file]))
                self.assertEqual(o['flags'], [])

    def test_the_late_greeting_is_waited_for_and_timed(self):
        o = self.seen['late']
        self.assertGreaterEqual(o['ms']['greeting'], SLOW_S * 1000 - 50)
        self.assertEqual(o['greeting'].splitlines()[0], '220-wait')

    def test_all_take_their_leave(self):
        for name, (_, members, _) in self.cases.items():
            if members['outcome'] in ('success', 'starttls-not-offered'):
                with self.subTest(server=name):
                    words = [line.split()[0] for line in self.servers.seen[name]]
                    self.assertEqual(words[0], 'EHLO')
                    self.assertEqual(words[-1], 'QUIT')
                    self.assertLessEqual(set(words), {'EHLO', 'HELO', 'STARTTLS', 'QUIT'})


class Renegotiation(unittest.TestCase):
    def test_a_server_that_begins_anew_is_a_success(self):
        """It asks for a second handshake before it answers QUIT: the first one is the evidence."""
        with Lab() as lab:
            farm = os.path.join(programs.BUILD, 'tests', 'lab', 'farm')
            octets = dict(reversed(line.split()) for line in subprocess.run(
                [farm, '--list'], check=True, text=True, capture_output=True).stdout.splitlines())
            address, store = f'127.{octets["renegotiate"]}.0.1', lab.path('store')
            port = lab.free_port(['127.0.0.1'])
            server = lab.spawn('farm', [farm, str(port)], drop=False)
            lab.wait_listening('farm', server, [address], port)
            collect(f'mx.farm.test@{address}:{port}', '--sni', 'hostname', '--timeout', 10,
                    store=store)
            seen = observations(store).records('observation')
            self.assertEqual([(o['outcome'], o['tls_version'], len(o['chain'])) for o in seen],
                             [('success', 'TLSv1.2', 2)])


if __name__ == '__main__':
    tap.main()
