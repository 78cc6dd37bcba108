#!/usr/bin/env python3
"""Never a nuisance: how often, how close together, and whom a run calls upon; how it stops."""
import json
import os
import signal
import socket
import subprocess
import time

from common import Ca, Lab, NameServer, Zone, collect, free_net, observations, programs, tap, \
    unittest
from lab import smtp_servers as s

REFUSES = s.says('554 none here\r\n')


def busy_at_first(times, text):
    """Says `text` to the first connections, and is a good server then."""
    left = [times]

    async def behaviour(session):
        left[0] -= 1
        if left[0] >= 0:
            await session.send(text)
            await session.until_quit()
        else:
            await s.honest(session)
    return behaviour


def watched(seen, seconds=0.0):
    """Notes when each connection begins and ends."""
    async def behaviour(session):
        span = [time.monotonic(), None]
        seen.append(span)
        try:
            await s.asyncio.sleep(seconds)
            await session.send('554 none here\r\n')
            await session.until_quit()
        finally:
            span[1] = time.monotonic()
    return behaviour


def most_at_once(spans):
    events = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in events:
        now += step
        most = max(most, now)
    return most


class Deaf:
    """An address that answers no SYN: its queue of connections is full."""

    def __init__(self, lab):
        self.address = free_net() + '7'
        self.port = lab.free_port([self.address])
        self.sockets = [socket.socket()]
        self.sockets[0].bind((self.address, self.port))
        self.sockets[0].listen(0)
        for _ in range(3):
            self.sockets.append(socket.socket())
            self.sockets[-1].setblocking(False)
            self.sockets[-1].connect_ex((self.address, self.port))
        for each in self.sockets:
            lab.on_close(each.close)


def collect_plainly(*args, store, **more):
    """Without the options that tests usually add."""
    return programs.run('mxcollect', 'run', *args, '--store', store, '--allow-private', **more)


class MannersTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.store = self.lab.path('store')
        self.leaf = Ca(self.lab.path('ca')).issue('leaf', ['mx.test'])

    def outcomes(self, done):
        return [(o['sni'], o['outcome']) for o in done.records('observation')]

    def test_421_and_450_are_tried_again_later(self):
        servers = s.SmtpServers(self.lab, {
            'limited': busy_at_first(1, '421 4.7.0 too many\r\n'),
            'greylists': busy_at_first(1, '450 4.3.2 later\r\n')}, self.leaf)
        begin = time.monotonic()
        done = collect(servers.target('limited'), servers.target('greylists'), '--sni',
                       'none,unknown', '--json', store=self.store)
        self.assertEqual(done.status, 0, done)
        for name, first in (('limited', 'rate-limited'), ('greylists', 'temporary-reject')):
            seen = [(o['sni'], o['outcome']) for o in done.records('observation')
                    if o['host'].startswith(name)]
            self.assertEqual(sorted(seen), sorted([('none', first), ('unknown', 'success'),
                                                   ('none', 'success')]))
        self.assertGreaterEqual(time.monotonic() - begin, 4.9)

    def test_who_always_says_421_is_left_alone(self):
        servers = s.SmtpServers(self.lab, {'busy': s.says('421 busy\r\n')})
        done = collect(servers.target('busy'), '--sni', 'none,hostname,unknown,a.test,b.test',
                       store=self.store)
        self.assertEqual(done.status, 0, done)
        self.assertEqual(servers.connections['busy'], 3)
        self.assertRegex(done.err, r'5 skipped \(their address asks to come later\)|'
                                   r'[2-5] skipped \(their address asks')

    def test_after_a_connect_timeout_the_address_is_skipped(self):
        deaf = Deaf(self.lab)
        done = collect(f'mx.test@{deaf.address}:{deaf.port}', '--timeout', 1, '--json',
                       store=self.store)
        self.assertEqual([o for _, o in self.outcomes(done)], ['connection-timeout'], done)
        self.assertIn('2 skipped (their address timed out)', done.err)

    def test_gap(self):
        seen = []
        servers = s.SmtpServers(self.lab, {'a': watched(seen)})
        collect_plainly(servers.target('a'), '--per-address-gap', 300, store=self.store)
        self.assertEqual(len(seen), 3)
        for before, after in zip(seen, seen[1:]):
            self.assertGreater(after[0] - before[1], 0.25)

    def test_one_at_a_time_to_an_address(self):
        seen = []
        servers = s.SmtpServers(self.lab, {'a': watched(seen, 0.1)})
        targets = [servers.target('a').replace('a.hostile', f'h{i}.hostile') for i in range(5)]
        done = collect(*targets, '--sni', 'none', '--threads', 2, store=self.store)
        self.assertEqual(len(seen), 5, done)
        self.assertEqual(most_at_once(seen), 1)

    def test_caps(self):
        """Thirty addresses of one /24, of as many operators; then of one."""
        seen = []
        servers = s.SmtpServers(self.lab, {f'm{i}': watched(seen, 0.1) for i in range(30)})
        own = [f'mx.o{i}.test@{a}:{servers.port}' for i, a in enumerate(
            servers.addresses.values())]
        one = [f'm{i}.one.test@{a}:{servers.port}' for i, a in enumerate(
            servers.addresses.values())]
        for option, targets, most in (('--per-network', own, 3), ('--per-operator', own, 30),
                                      ('--per-operator', one, 4)):
            with self.subTest(option=option, most=most):
                seen.clear()
                done = collect(*targets, '--sni', 'none', option, most,
                               *(['--per-network', 0] if option != '--per-network' else []),
                               store=self.store)
                self.assertEqual(len(seen), 30, done)
                self.assertLessEqual(most_at_once(seen), most)
                self.assertGreater(most_at_once(seen), min(most, 8) - 1)

    def test_order_is_not_that_of_the_list(self):
        order = []

        def notes(i):
            async def behaviour(session):
                order.append(i)
                await REFUSES(session)
            return behaviour
        servers = s.SmtpServers(self.lab, {f'm{i}': notes(i) for i in range(60)})
        done = collect(*(servers.target(f'm{i}') for i in range(60)), '--sni', 'none',
                       '--concurrency', 1, store=self.store)
        self.assertEqual(sorted(order), list(range(60)), done)
        in_order = sum(b == a + 1 for a, b in zip(order, order[1:]))
        self.assertLess(in_order, 12)

    def test_shared_address(self):
        """Two thousand domains on one MX: once for each variant, and not all next hops."""
        servers = s.SmtpServers(self.lab, {'m': REFUSES})
        mx = f'@ MX 1 mx\nmx A {servers.addresses["m"]}\n* MX 1 mx'
        dns = NameServer(self.lab, [Zone('shared.test.', mx, signed=False)],
                         address=free_net() + '1')
        domains = '\n'.join(f'd{i}.shared.test' for i in range(2000))
        done = collect('-f', '-', '--json', '--max-nexthop-per-address', 5, store=self.store,
                       dns=dns, port=servers.port, stdin=domains)
        self.assertEqual(done.status, 0, done)
        seen = [sni for sni, _ in self.outcomes(done)]
        self.assertEqual(sorted(seen), ['hostname'] + 5 * ['nexthop'] + ['none', 'unknown'])
        self.assertEqual(servers.connections['m'], 8)
        self.assertIn('1995 next hops skipped', done.err)

    def test_repeated_targets_are_done_once(self):
        servers = s.SmtpServers(self.lab, {'m': REFUSES})
        done = collect(*[servers.target('m')] * 50, '--sni', 'none', store=self.store)
        self.assertEqual(servers.connections['m'], 1)
        self.assertIn('50 targets, 1 host, 1 address, 1 probe:', done.err)

    def test_blocklists(self):
        servers = s.SmtpServers(self.lab, {n: REFUSES for n in ('a', 'b', 'c', 'd')})
        os.mkdir(self.store)
        with open(os.path.join(self.store, 'blocklist'), 'w', encoding='ascii') as f:
            f.write('b.hostile.test # opted out\n')
        with open(self.lab.path('more'), 'w', encoding='ascii') as f:
            f.write(f'{servers.addresses["c"]}/32\nD.Hostile.Test\n')
        done = collect(*(servers.target(n) for n in 'abcd'), '--sni', 'none', '--json',
                       '--blocklist-file', self.lab.path('more'), store=self.store)
        self.assertEqual(servers.connections, {'a': 1, 'b': 0, 'c': 0, 'd': 0})
        self.assertIn('3 blocklisted', done.err)
        with open(os.path.join(self.store, 'blocklist'), 'a', encoding='ascii') as f:
            f.write('not/a/line\n')
        done = collect(servers.target('a'), store=self.store)
        self.assertEqual(done.status, 2, done)
        self.assertRegex(done.err, r'blocklist, line 2')
        self.assertEqual(servers.connections['a'], 1)


class StopTest(unittest.TestCase):
    """A run that is stopped or killed, and the one that does the rest."""

    N = 60

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.servers = s.SmtpServers(cls.lab, {f'm{i}': REFUSES for i in range(cls.N)})
        cls.targets = [cls.servers.target(f'm{i}') for i in range(cls.N)]

    def begin(self, store, *more):
        return subprocess.Popen(
            [programs.path('mxcollect'), 'run', *self.targets, '--store', store, '--json',
             '--allow-private', '--per-address-gap', '0', '--sni', 'none,unknown', '--rate', '40',
             *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=programs.environment())

    def series(self, text):
        return [(o['host'], o['sni']) for o in map(json.loads, text.splitlines())
                if o['type'] == 'observation']

    def check(self, store, number):
        process = self.begin(store)
        time.sleep(1.6)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        first = self.series(out)
        self.assertTrue(0 < len(first) < 2 * self.N, err)
        if number != signal.SIGKILL:
            self.assertEqual(process.returncode, 1, err)
            self.assertRegex(err, r'\d+ probe.*not done.*--resume')
            self.assertIn(f', {len(first)} probes: {len(first)} permanent-reject', err)
        process = self.begin(store, '--resume', '--rate', '0')
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        second = self.series(out)
        # What was stored is not done again; of a killed run more was stored than was printed.
        self.assertEqual(set(first) & set(second), set())
        kept = [(o['host'], o['sni']) for o in observations(store).records('observation')]
        self.assertEqual(len(kept), 2 * self.N)
        self.assertEqual(len(set(kept)), 2 * self.N)
        self.assertIn(f'{2 * self.N - len(second)} done before', err)
        # It came to its end: there is nothing to resume any more.
        process = self.begin(store, '--resume', '--rate', '0')
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, len(self.series(out))), (0, 2 * self.N), err)
        self.assertIn('nothing to resume', err)

    def test_sigint(self):
        self.check(self.lab.path('int'), signal.SIGINT)

    def test_kill(self):
        self.check(self.lab.path('kill'), signal.SIGKILL)

    def test_those_under_way_are_finished_and_a_second_signal_gives_up(self):
        with Lab() as lab:
            servers = s.SmtpServers(lab, {'slow': s.silent})
            argv = [programs.path('mxcollect'), 'run', servers.target('slow'), '--store',
                    lab.path('store'), '--allow-private', '--timeout', '3']
            for signals, took in ((1, (1.5, 20)), (2, (0, 2))):
                with self.subTest(signals=signals):
                    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True,
                                               env=programs.environment())
                    time.sleep(1)
                    begin = time.monotonic()
                    for _ in range(signals):
                        process.send_signal(signal.SIGINT)
                        time.sleep(0.2)
                    _, err = process.communicate(timeout=60)
                    self.assertEqual(process.returncode, 1, err)
                    self.assertTrue(took[0] <= time.monotonic() - begin <= took[1], err)
                    self.assertIn('1 io-timeout' if signals == 1 else '0 probes', err)


if __name__ == '__main__':
    tap.main()
