#!/usr/bin/env python3
"""mxcollect watch while the zone and the MTA-STS policy of a domain change under it: series begin and
end by themselves, and what changed comes out of the feed and of Atom."""
import time

from common import Ca, Exim, Lab, NameServer, Zone, free_net, programs, tap, unittest
from lab.atom import Atom, titles
from lab.live import INTERVAL, Follower, Watch, lines, seconds, slowness
from lab.lab import wait_until
from lab.policy_servers import PolicyServers, answers, policy

DOMAIN = 'moving.test'
SLACK = 2  # seconds beyond an interval


class MovingWorld:
    """moving.test: one MX with one address at first, of four that answer; all TTLs are a second."""

    def __init__(self, lab):
        net, self.ca, self.store = free_net(), Ca(lab.path('ca')), lab.path('store')
        self.old, self.new, self.second, self.spare = [net + n for n in '1234']
        hosts = [f'mx1.{DOMAIN}', f'mx2.{DOMAIN}']
        self.exim = Exim(lab, [(self.old, hosts[0]), (self.new, hosts[0]), (self.second, hosts[1]),
                               (self.spare, hosts[1])],
                         self.ca.issue('leaf', hosts))
        self.policy = policy('testing', f'*.{DOMAIN}')

        async def serve(reader, writer):
            await answers(self.policy)(reader, writer)
        self.policies = PolicyServers(lab, {'moving': serve},
                                      {'moving': self.ca.issue('sts', [f'mta-sts.{DOMAIN}'])})
        self.dns = NameServer(lab, [Zone(DOMAIN + '.', self.records(1, ['mx1'], mx1=[self.old]))],
                              address=net + '9')

    def records(self, sts_id, exchangers, **hosts):
        rows = [f'_mta-sts 1 TXT "v=STSv1; id={sts_id};"',
                f'mta-sts 1 A {self.policies.addresses["moving"]}']
        rows += [f'@ 1 MX {10 * (i + 1)} {name}' for i, name in enumerate(exchangers)]
        rows += [f'{name} 1 A {a}' for name, addresses in hosts.items() for a in addresses]
        return '\n'.join(rows)

    def change(self, *args, **hosts):
        self.dns.change(DOMAIN + '.', self.records(*args, **hosts))
        return time.time()


class NamesTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.world = MovingWorld(self.lab)

    def classes(self, follower):
        return {(e['host'], e.get('rrtype'), c) for e in follower.events()
                if e['type'] == 'change' for c in e['class']}

    def fields(self, follower, word):
        """{field: (old, new)} of the changes of this class."""
        return {f['field']: (f['old'], f['new']) for e in follower.events()
                if e['type'] == 'change' and word in e['class'] for f in e['fields']}

    def test_names_move(self):
        world, atom = self.world, Atom()
        watch = Watch(self.lab, world, DOMAIN, '--mta-sts', '--sts-roots', world.ca.path('root.pem'),
                      '--sts-port', world.policies.port, '--threads', 3)
        watch.wait(lambda: watch.seen(address=world.old) and watch.told('sts'), 20, 'the first pass')
        self.assertEqual({o['address'] for o in watch.seen()}, {world.old})
        feed, out = Follower(self.lab, world.store), self.lab.path('atom')
        Follower(self.lab, world.store, '--format', 'atom', '--out', out)
        wait_until(feed.events, 20, 'the first cursor')

        # A second address, a second MX, another policy.
        world.policy = policy('enforce', f'*.{DOMAIN}')
        begin = world.change(2, ['mx1', 'mx2'], mx1=[world.old, world.new],
                             mx2=[world.second, world.spare])
        # The names' TTL, too.
        limit = INTERVAL + SLACK + 1 + slowness()
        for address, host in ((world.new, 'mx1'), (world.second, 'mx2'), (world.spare, 'mx2')):
            watch.wait(lambda a=address: watch.seen(address=a), limit + 60, f'a series of {host}')
            first = watch.seen(address=address)[0]
            self.assertEqual((first['host'], first['outcome']), (f'{host}.{DOMAIN}', 'success'))
            self.assertLess(seconds(first['time']), begin + limit)
        wanted = {(DOMAIN, 'MX', 'mx-change'), (f'mx1.{DOMAIN}', 'A', 'address-change'),
                  (f'_mta-sts.{DOMAIN}', 'TXT', 'sts-change'), (DOMAIN, 'MTA-STS', 'sts-change')}
        wait_until(lambda: wanted <= self.classes(feed), 20, 'the changes')
        self.assertEqual(self.classes(feed), wanted)
        found = self.fields(feed, 'sts-change')
        self.assertEqual((found['sts_mode'], found['sts_id']), (('testing', 'enforce'), ('1', '2')))
        shown = lambda word: [t for _, t in titles(out) if word in t]  # noqa: E731
        for word, n in (('mx-change', 1), ('address-change', 1), ('sts-change', 2)):
            wait_until(lambda w=word, n=n: len(shown(w)) == n, 10, f'{n} entries of {word}')
        self.assertEqual(len(atom.read(out).entries), 4)

        # The first MX goes, and an address of the other: no probe of them from the next pass on.
        gone = world.change(2, ['mx2'], mx2=[world.second])
        mx = lambda: [e for e in feed.events() if e['type'] == 'change' and  # noqa: E731
                      e['class'] == ['mx-change']]
        wait_until(lambda: len(mx()) == 2, limit + 20, 'the second change of the MX')
        self.assertLess(seconds(mx()[1]['before']), gone + limit)
        last = len(watch.told('observation'))
        watch.wait(lambda: len(watch.seen(address=world.second)) >= 4 and
                   time.time() > gone + limit + 2 * INTERVAL, 60, 'passes without them')
        late = [o for o in watch.told('observation')[last:] if seconds(o['time']) > gone + limit]
        self.assertEqual({o['address'] for o in late}, {world.second})
        self.assertEqual(watch.end(), 0, watch.err())
        time.sleep(1.5)
        self.assertEqual(feed.end(), 0)
        atom.read(out)
        # What was followed is what the log says.
        log = programs.run('mxdiff', 'log', '--json', '--store', world.store).records('change')
        self.assertEqual({e['id'] for e in lines(feed.out) if e['type'] == 'change'},
                         {c['id'] for c in log})
        check = programs.run('mxstore', 'check', '--store', world.store)
        self.assertEqual(check.status, 0, check)


if __name__ == '__main__':
    tap.main()
