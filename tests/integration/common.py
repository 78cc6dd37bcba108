"""What the integration tests share: a world of mail servers and names, and passes over it."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import packages, programs, tap  # noqa: E402,F401
from lab.ca import Ca, sha256s  # noqa: E402
from lab.dns import NameServer, Zone  # noqa: E402
from lab.exim import Exim  # noqa: E402
from lab.lab import Lab, free_net, has_ipv6  # noqa: E402

DOMAIN = 'bigmail.test'
UNKNOWN = 'unknown.mx509.invalid'


class World:
    """bigmail.test: five addresses under three MXs, in a signed zone, with Exim behind them."""

    def __init__(self, lab):
        self.lab, net = lab, free_net()
        self.ca = Ca(lab.path('ca'))
        self.places = [('::1' if has_ipv6() else net + '9', 'mx1'), (net + '1', 'mx1'),
                       (net + '2', 'alt1'), (net + '3', 'alt1'), (net + '4', 'alt2')]
        self.places = [(a, f'{mx}.{DOMAIN}') for a, mx in self.places]
        self.addresses = [a for a, _ in self.places]
        self.hosts = sorted({host for _, host in self.places})
        self.leaf = self.ca.issue('leaf', [f'mx.{DOMAIN}', *self.hosts])
        self.sentinel = self.ca.sentinel()
        self.exim = Exim(lab, self.places, self.leaf, self.sentinel)
        self.dns = NameServer(lab, [Zone(DOMAIN + '.', self.records())], address=net + '5')
        self.store = lab.path('store')

    def records(self):
        lines = ['@ MX 5 mx1', '@ MX 10 alt1', '@ MX 20 alt2']
        for address, host in self.places:
            lines.append(f'{host}. {"AAAA" if ":" in address else "A"} {address}')
        return '\n'.join(lines)

    def collect(self, *args, **more):
        """One pass; the targets are in args, DOMAIN if there are none."""
        names = args if any(not str(a).startswith('-') for a in args[:1]) else (DOMAIN, *args)
        return collect(*names, store=self.store, dns=self.dns, port=self.exim.port, **more)


def collect(*args, store, dns=None, port=None, **more):
    if dns:
        args += ('--resolver', dns.resolver)
        if hasattr(dns, 'anchor'):
            args += ('--trust-anchor', dns.anchor)
    if port:
        args += ('--port', port)
    return programs.run('mxcollect', 'run', *args, '--store', store, '--allow-private',
                        '--per-address-gap', 0, **more)


def observations(store, *args):
    """Everything the store holds, as JSON lines."""
    done = programs.run('mxstore', 'export', 'jsonl', '--store', store, *args)
    if done.status != 0:
        raise AssertionError(f'mxstore export jsonl: {done}')
    return done


class WorldTest(unittest.TestCase):
    """A test whose class has one lab and one world."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.world = World(cls.lab)

    def assertStatus(self, done, status=0):
        self.assertEqual(done.status, status, done)

    def assertCheckClean(self, store):
        done = programs.run('mxstore', 'check', '--store', store)
        self.assertEqual(done.status, 0, done)


def one_line(text):
    return [line for line in text.split('\n') if line]
