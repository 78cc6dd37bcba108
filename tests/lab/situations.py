"""What servers of the world do, one domain each: for every word that Postfix may say of them.

    for s in situations(ca):       name, server(s), names and TLSA records

Domains are NAME.ZONE; ZONE is signed, plain or bogus (see ZONES). Each has its MX hosts on
loopback addresses of its own, which the test gives.
"""
import dataclasses
import datetime
import ssl

from .ca import tlsa
from .receivers import NAMELESS, Server

SIGNED, PLAIN, BOGUS = 'signed.test', 'plain.test', 'bogus.test'
ZONES = (SIGNED, PLAIN, BOGUS)
DAY = datetime.timedelta(days=1)
NO_NAME = ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


@dataclasses.dataclass
class Situation:
    name: str
    server: Server
    zone: str = SIGNED
    host: str = None  # of the MX; without a dot at the end it lies below the domain
    mx: bool = True
    alias: str = None  # what the MX host is an alias (CNAME) of
    tlsa: tuple = ()
    tlsa_alias: str = None  # where the name of the TLSA records points to
    forge: bool = False  # the TLSA record is not the one that was signed

    @property
    def heeds_names(self):
        """Whether what it shows depends on SNI."""
        return bool(self.server.by_sni)

    @property
    def has_usable_tlsa(self):
        return any(rdata[0] in '23' for rdata in self.tlsa)

    @property
    def domain(self):
        return f'{self.name}.{self.zone}'

    @property
    def mx_host(self):
        if not self.mx:
            return self.domain
        host = self.host or 'mx'
        return host[:-1] if host.endswith('.') else f'{host}.{self.domain}'

    def records(self, address):
        """The lines of the zone."""
        lines = [f'{self.domain}. MX 10 {self.mx_host}.'] if self.mx else []
        host = self.mx_host
        if host.endswith('.' + self.zone):
            if self.alias:
                lines.append(f'{host}. CNAME {self.alias}.{self.domain}.')
                host = f'{self.alias}.{self.domain}'
            lines.append(f'{host}. A {address}')
        at = f'_25._tcp.{host}.'
        if self.tlsa_alias:
            lines.append(f'{at} CNAME {self.tlsa_alias}.{self.domain}.')
            at = f'{self.tlsa_alias}.{self.domain}.'
        return lines + [f'{at} TLSA {rdata}' for rdata in self.tlsa]


class Maker:
    def __init__(self, ca):
        self.ca, self.made = ca, []

    def add(self, name, server, **more):
        self.made.append(Situation(name, server, **more))

    def leaf(self, name, sans=None, zone=SIGNED, **more):
        """A bundle for mx.NAME.ZONE; in sans, @ stands for the domain."""
        domain = f'{name}.{zone}'
        sans = ['mx.@'] if sans is None else sans
        subject = [(k, v.replace('@', domain)) for k, v in more.pop('subject', [])]
        return self.ca.leaf(name, [s.replace('@', domain) for s in sans], subject=subject or None,
                            **more)

    def leaf_only(self, name, sans=None, more=None, **leaf):
        """A situation whose certificate is what is special; more: of the Situation."""
        more = more or {}
        bundle = self.leaf(name, sans, zone=more.get('zone', SIGNED), **leaf)
        self.add(name, Server(bundle), **more)
        return bundle

    def with_tlsa(self, name, *records, sans=None, more=None, **leaf):
        """records: (usage, selector, matching[, nth certificate of the chain]), or rdata."""
        more = more or {}
        bundle = self.leaf(name, sans, zone=more.get('zone', SIGNED), **leaf)
        rdata = tuple(r if isinstance(r, str) else tlsa(bundle, *r) for r in records)
        self.add(name, Server(bundle), tlsa=rdata, **more)


def names(m):
    m.leaf_only('valid')
    m.leaf_only('unsigned', more={'zone': PLAIN})
    m.leaf_only('bogus', more={'zone': BOGUS})
    m.leaf_only('implicit', ['@'], more={'mx': False})
    m.leaf_only('wrong-name', ['mx.elsewhere.test'])
    m.leaf_only('domain-only', ['@'])
    m.leaf_only('sub-domain', ['other.@'])
    m.leaf_only('wildcard', ['*.@'])
    m.leaf_only('wildcard-two', ['*.@'], more={'host': 'a.b'})
    m.leaf_only('wildcard-none', ['*.@'], more={'mx': False})
    m.leaf_only('wildcard-part', ['m*.@'])
    m.leaf_only('wildcard-mid', ['mx.*.signed.test'])
    m.leaf_only('wildcard-cn', [], subject=[('CN', '*.@')])
    m.leaf_only('cn-only', [], subject=[('CN', 'mx.@')])
    m.leaf_only('cn-beside-san', ['mx.elsewhere.test'], subject=[('CN', 'mx.@')])
    m.leaf_only('cn-beside-ip', ['IP:192.0.2.1'], subject=[('CN', 'mx.@')])
    m.leaf_only('cn-beside-mail', ['email:a@example.test'], subject=[('CN', 'mx.@')])
    m.leaf_only('cn-two', [], subject=[('CN', 'mx.elsewhere.test'), ('CN', 'mx.@')])
    m.leaf_only('ip-only', ['IP:127.0.0.1'])
    m.leaf_only('no-name', [])
    m.leaf_only('upper-case', ['MX.UPPER-CASE.SIGNED.TEST'])
    m.leaf_only('dot-at-end', ['mx.@.'])
    m.leaf_only('underscore', ['mx_1.@'], more={'host': 'mx_1'})
    m.leaf_only('xn--bcher-kva')
    m.leaf_only('xn--mller-kva', [], subject=[('CN', 'mx.müller.signed.test')])
    m.leaf_only('empty-san', [], extensions={'subjectAltName': 'DER:30028200'}, subject=[('CN', 'mx.@')])
    provider = m.leaf('provider', ['mx.@'])
    m.add('provider', Server(provider))
    m.add('hosted', Server(provider), host='mx.provider.signed.test.')
    m.leaf_only('alias', ['mx.@'], more={'alias': 'real'})
    m.leaf_only('alias-real', ['real.@'], more={'alias': 'real'})


def trust(m):
    ca, now = m.ca, m.ca.now
    old = {'not_before': now - 90 * DAY, 'not_after': now - 2 * DAY}
    m.leaf_only('expired', **old)
    m.leaf_only('not-yet', not_before=now + 5 * DAY, not_after=now + 50 * DAY)
    m.leaf_only('self-signed', issuer=None, chain=[])
    m.leaf_only('no-intermediate', chain=[])
    m.leaf_only('with-root', chain=['intermediate', 'root'])
    ca.authority('second', 'root')
    ca.authority('third', 'second')
    m.leaf_only('two-levels', issuer='third', chain=['third', 'second'])
    m.leaf_only('wrong-order', issuer='third', chain=['root', 'second', 'third'])
    m.leaf_only('half-a-chain', issuer='third', chain=['third'])
    m.leaf_only('stranger', chain=['intermediate', 'second', 'third'])
    ca.authority('unknown', None)
    m.leaf_only('unknown-root', issuer='unknown', chain=['unknown'])
    ca.authority('old', 'root', **old)
    m.leaf_only('old-intermediate', issuer='old')
    ca.authority('old-root', None, **old)
    m.leaf_only('old-root-leaf', issuer='old-root', chain=[])
    cross = [('CN', 'crossed')]
    ca.authority('by-unknown', 'unknown', subject=cross)
    ca.authority('by-root', 'root', subject=cross, same_key='by-unknown')
    m.leaf_only('crossed', issuer='by-unknown', chain=['by-unknown', 'by-root'])
    m.leaf_only('crossed-bad', issuer='by-unknown', chain=['by-unknown'])
    ca.authority('no-authority', 'root', extensions={'basicConstraints': 'critical,CA:FALSE'})
    m.leaf_only('not-by-authority', issuer='no-authority')
    ca.authority('too-deep', 'intermediate')
    m.leaf_only('path-length', issuer='too-deep', chain=['too-deep', 'intermediate'])
    for name, rule in (('permitted', 'permitted;DNS:.signed.test'),
                       ('excluded', 'excluded;DNS:.signed.test'),
                       ('elsewhere', 'permitted;DNS:.example')):
        ca.authority('only-' + name, 'root',
                     extensions={'nameConstraints': 'critical,' + rule})
        m.leaf_only(name, issuer='only-' + name)
    issuer = 'root'
    deep = []
    for n in range(11):
        ca.authority(f'deep-{n}', issuer)
        issuer = f'deep-{n}'
        deep.insert(0, issuer)
    m.leaf_only('deep', issuer=issuer, chain=deep)


def purposes(m):
    m.leaf_only('client-only', extensions={'extendedKeyUsage': 'clientAuth'})
    m.leaf_only('any-purpose', extensions={'extendedKeyUsage': 'anyExtendedKeyUsage'})
    m.leaf_only('no-purpose', extensions={'extendedKeyUsage': None})
    m.leaf_only('wrong-usage', extensions={'keyUsage': 'critical,keyCertSign'})
    m.leaf_only('no-usage', extensions={'keyUsage': None})
    m.leaf_only('authority-as-leaf', extensions={'basicConstraints': 'critical,CA:TRUE'})
    m.leaf_only('critical-unknown', extensions={'1.2.3.4.5': 'critical,DER:0500'})
    m.ca.authority('for-mail', 'root', extensions={'extendedKeyUsage': 'emailProtection'})
    m.leaf_only('by-mail-authority', issuer='for-mail')


def keys(m):
    m.leaf_only('weak-key', key='RSA-1024')
    m.leaf_only('weakest-key', key='RSA-768')
    m.leaf_only('rsa', key='RSA-2048')
    m.leaf_only('p-521', key='P-521')
    m.leaf_only('ed25519', key='Ed25519')
    m.leaf_only('ed448', key='Ed448')
    m.leaf_only('rsa-pss-key', key='RSA-PSS')
    m.ca.authority('rsa-authority', 'root', key='RSA-2048')
    m.leaf_only('rsa-pss-signature', issuer='rsa-authority', sigopt=['rsa_padding_mode:pss'])
    m.leaf_only('sha1', md='sha1')
    m.leaf_only('md5', issuer='rsa-authority', md='md5')
    m.ca.authority('weak-authority', 'root', key='RSA-1024')
    m.leaf_only('by-weak-authority', issuer='weak-authority')
    m.ca.authority('sha1-authority', 'root', md='sha1')
    m.leaf_only('by-sha1-authority', issuer='sha1-authority')


def protocols(m):
    def tls(name, version, **more):
        m.add(name, Server(m.leaf(name, key='RSA-2048'), versions=(version, version), **more))
    tls('tls1.0', ssl.TLSVersion.TLSv1)
    tls('tls1.1', ssl.TLSVersion.TLSv1_1)
    tls('tls1.2', ssl.TLSVersion.TLSv1_2)
    tls('tls1.3', ssl.TLSVersion.TLSv1_3)
    tls('plain-rsa', ssl.TLSVersion.TLSv1_2, ciphers='AES128-SHA')
    m.add('no-starttls', Server())
    m.add('starttls-454', Server(m.leaf('starttls-454'), starttls='454 4.7.0 not now'))
    m.add('starttls-502', Server(m.leaf('starttls-502'), starttls='502 5.5.1 what'))
    m.add('alert', Server(alert=True))
    m.add('no-starttls-tlsa', Server(), tlsa=(tlsa(m.leaf('spare'), 3, 1, 1),))
    m.add('alert-tlsa', Server(alert=True), tlsa=(tlsa(m.leaf('spare'), 3, 1, 1),))


def server_names(m):
    sentinel = m.ca.sentinel()
    good = m.leaf('sentinel-no-sni')
    m.add('sentinel-no-sni', Server(sentinel, {'mx.sentinel-no-sni.signed.test': good}))
    m.add('sentinel', Server(sentinel))
    good = m.leaf('sni-spoils')
    m.add('sni-spoils', Server(good, {'mx.sni-spoils.signed.test': sentinel}))
    good = m.leaf('sni-domain', ['@', 'mx.@'])
    m.add('sni-domain', Server(sentinel, {'sni-domain.signed.test': good}))
    good = m.leaf('sni-needed')
    m.add('sni-needed', Server(good, {NAMELESS: ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE}))
    good = m.leaf('sni-unwanted')
    m.add('sni-unwanted', Server(good, {'mx.sni-unwanted.signed.test': NO_NAME}))
    good = m.leaf('sni-tlsa')
    m.add('sni-tlsa', Server(sentinel, {'mx.sni-tlsa.signed.test': good}),
          tlsa=(tlsa(good, 3, 1, 1),))
    good = m.leaf('sni-tlsa-unusable')
    m.add('sni-tlsa-unusable', Server(sentinel, {'mx.sni-tlsa-unusable.signed.test': good}),
          tlsa=(tlsa(good, 1, 1, 1),))


def dane(m):
    alone = {'issuer': None, 'chain': []}
    for triple in ((3, 1, 1), (3, 0, 1), (3, 1, 2), (3, 0, 2), (3, 1, 0), (3, 0, 0)):
        m.with_tlsa('dane-{}{}{}'.format(*triple), triple, sans=['mx.elsewhere.test'], **alone)
    ca, now = m.ca, m.ca.now
    ca.authority('private', None)
    ca.authority('private-sub', 'private')
    spare = m.leaf('spare-2')
    behind = {'issuer': 'private-sub', 'chain': ['private-sub', 'private']}
    for triple in ((2, 1, 1), (2, 0, 1), (2, 0, 2), (2, 1, 0), (2, 0, 0)):
        m.with_tlsa('dane-{}{}{}'.format(*triple), (*triple, 2), **behind)
    m.with_tlsa('dane-211-sub', (2, 1, 1, 1), **behind)
    away = {'issuer': 'private-sub', 'chain': ['private-sub']}
    root = ca.path('private.pem')
    m.with_tlsa('dane-211-away', tlsa(root, 2, 1, 1), **away)
    m.with_tlsa('dane-201-away', tlsa(root, 2, 0, 1), **away)
    m.with_tlsa('dane-200-away', tlsa(root, 2, 0, 0), **away)
    m.with_tlsa('dane-210-away', tlsa(root, 2, 1, 0), **away)
    m.with_tlsa('dane-211-leaf', (2, 1, 1, 0), **behind)
    m.with_tlsa('dane-211-name', (2, 1, 1, 2), sans=['mx.elsewhere.test'], **behind)
    m.with_tlsa('dane-211-domain', (2, 1, 1, 2), sans=['@'], **behind)
    old = {'not_before': now - 90 * DAY, 'not_after': now - 2 * DAY}
    m.with_tlsa('dane-211-old', (2, 1, 1, 2), **behind, **old)
    m.with_tlsa('dane-311-old', (3, 1, 1), **alone, **old)
    m.with_tlsa('dane-311-client', (3, 1, 1), extensions={'extendedKeyUsage': 'clientAuth'})
    m.with_tlsa('dane-211-client', (2, 1, 1, 2), extensions={'extendedKeyUsage': 'clientAuth'},
                **behind)
    m.with_tlsa('dane-311-wrong', tlsa(spare, 3, 1, 1))
    m.with_tlsa('dane-211-wrong', tlsa(spare, 2, 1, 1))
    m.with_tlsa('dane-311-rollover', (3, 1, 1), tlsa(spare, 3, 1, 1))
    m.with_tlsa('dane-agility', (3, 1, 1), tlsa(spare, 3, 1, 2))
    m.with_tlsa('dane-agility-apart', (3, 1, 1), tlsa(spare, 3, 0, 2))
    m.with_tlsa('dane-agility-usage', (3, 1, 1), tlsa(spare, 2, 1, 2))
    m.with_tlsa('dane-111', (1, 1, 1))
    m.with_tlsa('dane-011', (0, 1, 1, 1))
    m.with_tlsa('dane-111-311', (1, 1, 1), (3, 1, 1))
    m.with_tlsa('dane-111-wrong', (1, 1, 1), tlsa(spare, 3, 1, 1))
    m.with_tlsa('dane-short', '3 1 1 00112233')
    m.with_tlsa('dane-digest-9', '3 1 9 ' + '00' * 32)
    m.with_tlsa('dane-selector-9', '3 9 1 ' + '00' * 32)
    m.with_tlsa('dane-usage-9', '9 1 1 ' + '00' * 32)
    m.with_tlsa('dane-junk', '3 0 0 ' + '00' * 40)
    m.with_tlsa('dane-forged', (3, 1, 1), more={'forge': True})
    m.with_tlsa('dane-unsigned', (3, 1, 1), more={'zone': PLAIN})
    m.with_tlsa('dane-alias', (3, 1, 1), more={'alias': 'real'})
    m.with_tlsa('dane-tlsa-alias', (3, 1, 1), more={'tlsa_alias': 'tlsa-of-all'})
    m.with_tlsa('dane-trusted', (3, 1, 1))
    m.with_tlsa('dane-provider', (3, 1, 1), **alone)
    provider = m.made[-1]
    m.add('dane-insecure-mx', provider.server, zone=PLAIN, host=provider.mx_host + '.')
    m.add('dane-insecure-host', m.made[0].server, host='mx.dane-unsigned.plain.test.')


def situations(ca, only=None):
    """All of them, or those whose names are in `only`."""
    maker = Maker(ca)
    for part in (names, trust, purposes, keys, protocols, server_names, dane):
        part(maker)
    return [s for s in maker.made if only is None or s.name in only]
