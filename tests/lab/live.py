"""Programs that run on while a test looks on: mxcollect watch, and mxdiff feed --follow."""
import datetime
import json
import signal
import subprocess
import time

from . import programs
from .lab import wait_until

INTERVAL, CLOSE = 4, 1  # seconds, unless a test says otherwise


def seconds(text):
    """Of a record's time, since the epoch."""
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()


def lines(path):
    """The JSON of those lines of a file that are whole."""
    with open(path, encoding='utf-8') as f:
        return [json.loads(line) for line in f.read().split('\n')[:-1]]


def slowness():
    """What this machine, and how the programs were built, add to everything: seconds."""
    begin = time.monotonic()
    for program in ('mxcollect', 'mxdiff', 'mxstore'):
        programs.run(program, '--version')
    return 8 * (time.monotonic() - begin)


class Watch:
    """One mxcollect watch, its lines and its JSON."""

    def __init__(self, lab, world, *args, store=None, env=None, stdin=None, interval=INTERVAL):
        self.world, self.store = world, store or world.store
        self.number = Watch.number = getattr(Watch, 'number', 0) + 1
        self.paths = [lab.path(f'watch-{self.number}.{end}') for end in ('out', 'err')]
        argv = [programs.path('mxcollect'), 'watch', *args, '--store', self.store, '--resolver',
                world.dns.resolver, '--trust-anchor', world.dns.anchor, '--port',
                world.exim.port, '--allow-private', '--per-address-gap', 0, '--interval', interval,
                '--close-interval', CLOSE, '--timeout', 10, '--json']
        with open(self.paths[0], 'wb') as out, open(self.paths[1], 'wb') as err:
            self.process = subprocess.Popen(
                ['setpriv', '--pdeathsig=TERM', '--', *map(str, argv)], stdout=out, stderr=err,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                env=programs.environment(**(env or {})))
        lab.on_close(self.end)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def err(self):
        with open(self.paths[1], encoding='utf-8') as f:
            return f.read()

    def seen(self, sni='none', address=None):
        """Observations so far, as they were printed."""
        return [o for o in self.told('observation') if o['sni'] == sni and
                address in (None, o['address'])]

    def told(self, kind):
        return [o for o in lines(self.paths[0]) if o['type'] == kind]

    def passes(self):
        """How many observations the address with the fewest has."""
        return min(len(self.seen(address=a)) for a in self.world.addresses)

    def wait(self, condition, limit, what):
        def or_ended():
            if self.process.poll() is not None:
                raise AssertionError(f'watch ended with {self.process.returncode}: {self.err()}')
            return condition()
        wait_until(or_ended, limit, what)


class Follower:
    """mxdiff feed --follow into a file."""

    number = 0

    def __init__(self, lab, store, *args):
        Follower.number += 1
        self.out = lab.path(f'feed-{Follower.number}.out')
        with open(self.out, 'wb') as out, open(self.out + '.err', 'wb') as err:
            self.process = subprocess.Popen(
                ['setpriv', '--pdeathsig=TERM', '--', programs.path('mxdiff'), 'feed', '--follow',
                 '--store', store, *map(str, args)], stdout=out, stderr=err,
                stdin=subprocess.DEVNULL, env=programs.environment())
        lab.on_close(self.end)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)

    def events(self):
        return lines(self.out)

    def changes(self, address=None, sni='none'):
        return [e for e in self.events() if e['type'] in ('change', 'altered') and
                e['sni'] == sni and address in (None, e['address'])]

    def windows(self, sni='none'):
        return [e for e in self.events() if e['type'] == 'window' and e['sni'] == sni]

    def after_last_cursor(self):
        """Ids that a kill may bring again: the cursor behind them was not told."""
        ids = set()
        for e in self.events():
            ids = set() if e['type'] == 'cursor' else ids | {e.get('id')}
        return ids
