"""A certification authority of the test's own, and the look-alike of the incident's sentinel.

Everything is made by the openssl command, in one folder. Ca.issue() returns the path of a PEM
file that holds the private key, the leaf and its intermediate, in this order: what an MTA takes
as certificate and as key file.
"""
import base64
import datetime
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import tempfile

# What the incident showed (its README): all but the key and the signature.
SENTINEL = {
    'serial': '90768918E93393A0',
    'not_before': datetime.datetime(2015, 1, 1, tzinfo=datetime.timezone.utc),
    'not_after': datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc),
    'subject': [('OU', 'No SNI provided; please fix your client.'), ('CN', 'invalid2.invalid')],
    'extensions': ['keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign',
                   'extendedKeyUsage=serverAuth,clientAuth',
                   'basicConstraints=critical,CA:TRUE',
                   'subjectKeyIdentifier=BB:0F:38:96:6F:3E:BE:4F:2B:46:D0:41:6A:D4:AC:B5'],
}
KEYS = {'P-256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
        'P-384': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
        'P-521': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
        'RSA-2048': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
        'RSA-1024': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
        'RSA-768': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:768'],
        'RSA-PSS': ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
        'Ed25519': ['-algorithm', 'ED25519'], 'Ed448': ['-algorithm', 'ED448']}
LEAF = {'basicConstraints': 'critical,CA:FALSE', 'keyUsage': 'critical,digitalSignature',
        'extendedKeyUsage': 'serverAuth', 'subjectAltName': None, 'subjectKeyIdentifier': 'hash',
        'authorityKeyIdentifier': 'keyid'}
AUTHORITY = {'basicConstraints': 'critical,CA:TRUE', 'keyUsage': 'critical,keyCertSign,cRLSign',
             'subjectKeyIdentifier': 'hash', 'authorityKeyIdentifier': 'keyid'}


def ders(path):
    """The certificates of a PEM file, in order."""
    with open(path, encoding='ascii', errors='replace') as f:
        blocks = re.findall('-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----',
                            f.read(), re.S)
    return [base64.b64decode(b) for b in blocks]


def sha256s(path):
    return [hashlib.sha256(der).hexdigest() for der in ders(path)]


def tlsa(path, usage, selector, matching, nth=0):
    """The rdata of a TLSA record (RFC 6698) for the nth certificate of a PEM file."""
    data = ders(path)[nth]
    if selector == 1:
        pem = ssl.DER_cert_to_PEM_cert(data)
        key = _openssl('x509', '-noout', '-pubkey', input=pem)
        data = base64.b64decode(''.join(key.split('-----')[2].split()))
    if matching:
        data = hashlib.new({1: 'sha256', 2: 'sha512'}[matching], data).digest()
    return f'{usage} {selector} {matching} {data.hex()}'


def _openssl(*args, **more):
    run = subprocess.run(['openssl', *args], capture_output=True, text=True, check=False, **more)
    if run.returncode != 0:
        raise RuntimeError(f'openssl {args[0]}: {run.stderr.strip()}')
    return run.stdout


def _date(moment):
    return moment.astimezone(datetime.timezone.utc).strftime('%Y%m%d%H%M%SZ')


class Ca:
    def __init__(self, folder, organization='mx509 lab'):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.dir = os.path.abspath(folder)
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.organization = organization
        authority = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign',
                     'subjectKeyIdentifier=hash']
        self.root = self._certificate('root', 'P-384', self._name('root'), authority, days=3650)
        self.intermediate = self._certificate(
            'intermediate', 'P-256', self._name('intermediate'),
            [authority[0] + ',pathlen:0', *authority[1:], 'authorityKeyIdentifier=keyid'],
            issuer='root', days=1825)

    def _name(self, what):
        return [('O', self.organization), ('CN', f'{self.organization} {what}')]

    def path(self, name):
        return os.path.join(self.dir, name)

    def issue(self, name, hosts, key='P-256', not_before=None, not_after=None, subject=None):
        """A server's certificate for the hosts, signed by the intermediate. Without hosts it has
        no alternative names."""
        extensions = ['basicConstraints=critical,CA:FALSE',
                      'keyUsage=critical,digitalSignature', 'extendedKeyUsage=serverAuth',
                      'subjectKeyIdentifier=hash', 'authorityKeyIdentifier=keyid']
        if hosts:
            extensions.append('subjectAltName=' + ','.join('DNS:' + h for h in hosts))
        self._certificate(name, key, subject or [('CN', hosts[0])], extensions,
                          issuer='intermediate', days=90, not_before=not_before,
                          not_after=not_after)
        return self._bundle(name, [name, 'intermediate'])

    def sentinel(self, name='sentinel'):
        """The incident's certificate, but for its key, which is Google's, and so its signature."""
        self._certificate(name, 'RSA-2048', SENTINEL['subject'], SENTINEL['extensions'],
                          not_before=SENTINEL['not_before'], not_after=SENTINEL['not_after'],
                          serial=SENTINEL['serial'])
        return self._bundle(name, [name])

    def self_signed(self, name, hosts, key='RSA-2048'):
        self._certificate(name, key, [('CN', hosts[0])],
                          ['subjectAltName=' + ','.join('DNS:' + h for h in hosts)])
        return self._bundle(name, [name])

    def leaf(self, name, hosts, issuer='intermediate', chain=None, key='P-256', subject=None,
             **more):
        """As issue(), but that every part can be otherwise: see certificate(). chain: what stands
        behind the leaf."""
        sans = ','.join(h if ':' in h else 'DNS:' + h for h in hosts)
        extensions = {**LEAF, 'subjectAltName': sans or None, **more.pop('extensions', {})}
        self.certificate(name, key, subject or [('CN', 'server')], extensions, issuer, **more)
        return self._bundle(name, [name, *([issuer] if chain is None else chain)])

    def authority(self, name, issuer='root', subject=None, key='P-256', **more):
        extensions = {**AUTHORITY, **more.pop('extensions', {})}
        if not issuer:
            extensions['authorityKeyIdentifier'] = None
        return self.certificate(name, key, subject or self._name(name), extensions, issuer, **more)

    def certificate(self, name, key, subject, extensions, issuer=None, **more):
        """extensions: {name: value}, None for none. more: days, not_before, not_after, serial; md;
        sigopt; same_key: the name of the certificate whose key it is to have."""
        return self._certificate(name, key, subject,
                                 [f'{k}={v}' for k, v in extensions.items() if v], issuer, **more)

    def _bundle(self, name, chain):
        path = self.path(name + '.bundle.pem')
        with open(path, 'w', encoding='ascii') as out:
            for part in [name + '.key', *(c + '.pem' for c in chain)]:
                with open(self.path(part), encoding='ascii') as f:
                    out.write(f.read())
        os.chmod(path, 0o644)  # the servers of a lab run as nobody; the keys protect nothing
        return path

    def _certificate(self, name, key, subject, extensions, issuer=None, days=30, not_before=None,
                     not_after=None, serial=None, md='sha256', sigopt=(), same_key=None):
        not_before = not_before or self.now - datetime.timedelta(days=1)
        not_after = not_after or not_before + datetime.timedelta(days=days)
        serial = serial or '4D' + os.urandom(15).hex().upper()
        if same_key:
            shutil.copy(self.path(same_key + '.key'), self.path(name + '.key'))
        else:
            _openssl('genpkey', *KEYS[key], '-out', self.path(name + '.key'))
        # openssl's data base of one certificate, and its other leavings, go with the folder.
        with tempfile.TemporaryDirectory() as work:
            for file, text in (('config', self._config(subject, extensions)), ('index', ''),
                               ('serial', serial + '\n')):
                with open(os.path.join(work, file), 'w', encoding='utf-8') as f:
                    f.write(text)
            _openssl('req', '-new', '-utf8', '-config', 'config', '-key', self.path(name + '.key'),
                     '-out', 'request', cwd=work)
            signer = ['-selfsign', '-keyfile', self.path(name + '.key')]
            if issuer:
                signer = ['-cert', self.path(issuer + '.pem'), '-keyfile',
                          self.path(issuer + '.key')]
            _openssl('ca', '-batch', '-notext', '-config', 'config', '-md', md, *signer,
                     *(part for o in sigopt for part in ('-sigopt', o)), '-in', 'request',
                     '-out', self.path(name + '.pem'), '-startdate', _date(not_before),
                     '-enddate', _date(not_after), cwd=work)
        return self.path(name + '.pem')

    @staticmethod
    def _config(subject, extensions):
        # MASK:0x2002: PrintableString where it suffices, else UTF8String: as in the sentinel.
        return '\n'.join([
            '[req]', 'prompt=no', 'utf8=yes', 'string_mask=MASK:0x2002', 'distinguished_name=name', '[name]',
            *(f'{i}.{k}={v}' for i, (k, v) in enumerate(subject)),
            '[ca]', 'default_ca=this',
            '[this]', 'database=index', 'serial=serial',
            'new_certs_dir=.', 'default_md=sha256', 'policy=any', 'preserve=yes',
            'unique_subject=no', 'email_in_dn=yes', 'x509_extensions=extensions',
            '[any]',
            'organizationName=optional', 'organizationalUnitName=optional', 'commonName=optional',
            '[extensions]', *extensions, ''])
