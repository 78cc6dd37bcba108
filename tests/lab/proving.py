"""The ground on which verdicts are proven: situations, their names, a resolver.

    why = proving.why_not()                 before anything else; None: it can be done here
    ground = proving.Ground(lab, situations(ca))
    … mxcollect …
    sender = Sender(lab, root, transports(), pins(…))

Ground must be made before the test starts a thread: it moves into a network namespace of its own,
in which the collector and Postfix run as well.
"""
from . import netns, packages, postfix
from .dns import NameServer, Zone
from .lab import end_family
from .receivers import Receivers
from .situations import BOGUS, PLAIN, SIGNED
from .unbound import Unbound

LEVELS = ('none', 'may', 'encrypt', 'dane', 'dane-only', 'fingerprint', 'verify', 'secure')
VARIANTS = ('none', 'hostname', 'nexthop')


def why_not():
    return postfix.why_not() or netns.why_not()


def transports():
    """Every level under every variant of servername=: {'verify/none': options}. DANE takes the
    name of the TLSA records, whatever servername= says; who sends no TLS sends no name."""
    made = {}
    for level in LEVELS:
        for variant in VARIANTS:
            if variant != 'none' and (level == 'none' or level.startswith('dane')):
                continue
            options = [f'smtp_tls_policy_maps=static:{level}']
            if level == 'fingerprint':  # the keys that each variant is shown are pinned: pins()
                options = [f'smtp_tls_policy_maps=texthash:/etc/postfix/pins-{variant}']
            if variant != 'none':
                options.append(f'smtp_tls_servername={variant}')
            made[f'{level}/{variant}'] = options
    return made


def pins(shown):
    """The policies of a sender who pinned the leaf that each variant of each MX shows: for Sender's
    maps. shown: {(domain, variant): observation}."""
    made = {f'pins-{variant}': ['nowhere.test fingerprint match=00'] for variant in VARIANTS}
    for (domain, variant), o in shown.items():
        made['pins-' + variant].append(f'{domain} fingerprint match={fingerprint(o)}')
    return made


def fingerprint(observation):
    digest = (observation['chain'] or ['00' * 32])[0]
    return ':'.join(digest[i:i + 2] for i in range(0, len(digest), 2))


class Ground:
    def __init__(self, lab, situations, more=()):
        """more: further lines of the signed zone."""
        for package in ('nsd', 'unbound', 'postfix', 'exim'):
            packages.for_server(lab, package)
        netns.enter()
        self.situations = situations
        self.address = {s.domain: f'127.9.{n // 200}.{n % 200 + 1}'
                        for n, s in enumerate(situations)}
        at = {s.mx_host: self.address[s.domain] for s in reversed(situations)}
        self.address = {s.domain: at[s.mx_host] for s in situations}
        lines = {zone: [] for zone in (SIGNED, PLAIN, BOGUS)}
        forge = None
        for s in situations:
            lines[s.zone] += s.records(self.address[s.domain])
            if s.forge:
                digest = s.tlsa[0].split()[-1]
                forge = (digest, digest[::-1])
        lines[SIGNED] += more
        self.lab, self.lines, self.forge = lab, lines, forge
        self.dns = self.resolver = None
        self.publish()
        self.receivers = Receivers(lab)
        for s in {self.address[s.domain]: s for s in reversed(situations)}.values():
            self.receivers.add(self.address[s.domain], s.mx_host, s.server)

    def publish(self, *more):
        """From now on, DNS says this as well: lines of the signed zone."""
        lines = self.lines
        lines[SIGNED] += more
        generation = 1
        if self.dns:
            generation = 1 + int(self.dns.name.removeprefix('nsd-'))
            for process in (self.resolver.process, self.dns.process):
                end_family(process)
        zones = [Zone(SIGNED + '.', '\n'.join(lines[SIGNED]), forge=self.forge),
                 Zone(PLAIN + '.', '\n'.join(lines[PLAIN]), signed=False),
                 Zone(BOGUS + '.', '\n'.join(lines[BOGUS]), wrong_ds=True)]
        self.dns = NameServer(self.lab, zones, address='127.0.0.54', name=f'nsd-{generation}')
        self.resolver = Unbound(self.lab, self.dns, name=f'unbound-{generation}')

    def shown(self, observations):
        """{(domain, variant): observation}: what each domain's MX showed."""
        by_address = {(o['address'], o['sni']): o for o in observations}
        return {(s.domain, variant): by_address[(self.address[s.domain], variant)]
                for s in self.situations for variant in VARIANTS
                if (self.address[s.domain], variant) in by_address}
