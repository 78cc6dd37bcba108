"""A corpus that is told observation by observation, for tests that need no servers.

    story = Story(lab)                        one operator, three addresses, all show the old leaf
    story.see({'192.0.2.1': 'sentinel'})      one commit: a probe of every address, one minute on
"""
import base64
import datetime
import json

from . import ca, programs

CERTIFICATES = ('leaf', 'renewed', 'sentinel')


def iso(moment):
    return moment.strftime('%Y-%m-%dT%H:%M:%S.') + f'{moment.microsecond // 1000:03}Z'


class Story:
    def __init__(self, lab, name='story', addresses=3, operator='bigmail.test', begin=None):
        self.store, self.operator = lab.path(name), operator
        self.places = {f'192.0.2.{n + 1}': f'mx{n + 1}.{operator}' for n in range(addresses)}
        authority = ca.Ca(lab.path('ca-' + name))
        names = sorted(set(self.places.values()))
        later = authority.now + datetime.timedelta(days=180)
        paths = {'leaf': authority.issue('leaf', names), 'renewed': authority.issue('renewed', names, not_after=later),
                 'sentinel': authority.sentinel()}
        self.ders = {k: ca.ders(p)[0] for k, p in paths.items()}
        self.sha256 = {k: programs.hex_sha256(d) for k, d in self.ders.items()}
        self.shown = dict.fromkeys(self.places, 'leaf')
        self.now = begin or (datetime.datetime.now(datetime.timezone.utc)
                             - datetime.timedelta(hours=2))
        self.tell([{'type': 'certificate', 'sha256': self.sha256[k],
                    'der': base64.b64encode(self.ders[k]).decode()} for k in CERTIFICATES]
                  + self.probes())

    def observation(self, address, shown, sni='none', moment=None, outcome=None):
        chain = [self.sha256[shown]] if shown in self.sha256 else []
        return {
            'type': 'observation', 'time': iso(moment or self.now), 'vantage': 'here',
            'domain': None, 'host': self.places[address], 'address': address, 'port': 25,
            'sni': sni, 'sni_name': None, 'offer': 'default', 'sni_acknowledged': None,
            'outcome': outcome or ('success' if chain else shown), 'smtp_code': 220,
            'tls_alert': None, 'errno': None, 'greeting': '220 * ESMTP', 'ehlo': ['STARTTLS'],
            'starttls_offered': True, 'tls_version': 'TLSv1.3' if chain else None,
            'cipher': 'TLS_AES_256_GCM_SHA384' if chain else None,
            'group': 'X25519' if chain else None, 'server_signature': 'ECDSA' if chain else None,
            'chain': chain, 'reported': None, 'flags': [],
            'ms': {'dns': None, 'connect': 1, 'greeting': 1, 'starttls': 1, 'handshake': 1}}

    def probes(self, sni='none'):
        return [self.observation(a, shown, sni) for a, shown in self.shown.items()]

    def tell(self, records):
        """One commit."""
        done = programs.run('mxstore', 'import', 'jsonl', '-', '--quiet', '--store', self.store,
                            stdin=''.join(json.dumps(r) + '\n' for r in records))
        if done.status != 0:
            raise AssertionError(f'mxstore import: {done}')

    def see(self, changed=(), minutes=1):
        """A pass: the addresses that changed, and what all show."""
        self.shown.update(changed)
        self.now += datetime.timedelta(minutes=minutes)
        self.tell(self.probes())

    def mxdiff(self, *args, **more):
        return programs.run('mxdiff', *args, '--store', self.store, **more)
