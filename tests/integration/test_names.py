#!/usr/bin/env python3
"""Changes in what names hold: MX, addresses, TLSA, MTA-STS, DNSSEC, in log and feed alike."""
import json
import random

from common import Lab, one_line, programs, tap, unittest
from test_store_commands import DAY, START, dns, iso, observation, certificate, sts

HOUR = 3600000
TLSA = '3 1 1 ' + 'ab' * 32
POLICY = ['version: STSv1', 'mode: testing', 'mx: *.a.test', 'max_age: 86400']


def secure(name, ms, rrtype, records, status='secure'):
    return {**dns(name, ms, rrtype, sorted(records)), 'status': status,
            'rcode': None if status == 'failed' else 'NOERROR'}


def policy(domain, ms, lines, result='ok', error=None):
    return {**sts(domain, ms), 'result': result, 'error': error, 'policy': lines}


def hourly(make, *states):
    """One record an hour for each state, in this order."""
    return [make(START + i * HOUR, state) for i, state in enumerate(states)]


class NamesTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.store = self.lab.path('store')

    def load(self, *lists):
        done = programs.run('mxstore', 'import', 'jsonl', '-', '--store', self.store,
                            stdin=''.join(json.dumps(o) + '\n' for o in sum(lists, [])))
        self.assertEqual(done.status, 0, done)

    def mxdiff(self, *args, status=0):
        done = programs.run('mxdiff', *args, '--store', self.store)
        self.assertEqual(done.status, status, done)
        return done

    def log(self, *args):
        """The changes; the feed must tell the same."""
        found = self.mxdiff('log', '--json', *args).lines()
        fed = [o for o in self.mxdiff('feed', '--type', 'change', *args).lines()
               if o['type'] == 'change']
        self.assertEqual(sorted((o['id'], o['class']) for o in found),
                         sorted((o['id'], o['class']) for o in fed))
        return found

    def only(self, *args):
        found = self.log(*args)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def fields(self, change):
        return {f['field']: (f['old'], f['new']) for f in change['fields']}

    def test_mx(self):
        self.load(hourly(lambda ms, r: secure('a.test', ms, 'MX', r), ['10 mx.a.test'],
                         ['10 mx.a.test'], ['10 mx.a.test', '20 mx.b.test']))
        c = self.only()
        self.assertEqual((c['host'], c['rrtype'], c['vantage'], c['class'], c['severity']),
                         ('a.test', 'MX', 'here', ['mx-change'], 'notice'))
        self.assertEqual([c[k] for k in ('address', 'port', 'sni', 'sni_name', 'offer', 'verdict')],
                         [None] * 6)
        self.assertEqual((c['after'], c['before']), (iso(START + HOUR), iso(START + 2 * HOUR)))
        self.assertEqual((c['state'], c['old_gone']),
                         ('replaced', {'after': iso(START + HOUR), 'before': iso(START + 2 * HOUR)}))
        self.assertEqual(self.fields(c), {'records': (['10 mx.a.test'],
                                                      ['10 mx.a.test', '20 mx.b.test'])})
        text = self.mxdiff('log', '--utc').out
        self.assertRegex(text, r'notice  a\.test MX  by here\n +mx-change\n')
        self.assertIn('+ 20 mx.b.test', text)

    def test_tlsa_and_dnssec(self):
        name = '_25._tcp.mx.a.test'
        self.load(hourly(lambda ms, s: secure(name, ms, 'TLSA', *s), ([TLSA],), ([],),
                         ([TLSA],) , ([TLSA], 'insecure'), ([], 'bogus'), ([TLSA],)))
        found = self.log('--settle', 1)
        self.assertEqual([c['class'] for c in found],
                         [['tlsa-change'], ['rolled-back', 'tlsa-change'], ['dnssec-lost'], [],
                          ['dnssec-gained']])
        self.assertEqual([c['severity'] for c in found][2:],
                         ['critical', 'notice', 'notice'])
        self.assertEqual(self.fields(found[3]), {'dns_status': ('insecure', 'bogus'),
                                                 'records': ([TLSA], None)})

    def test_what_failed_is_a_gap(self):
        self.load(hourly(lambda ms, s: secure('a.test', ms, 'MX', *s), (['10 a.test'],),
                         ([], 'failed'), (['10 a.test'],), ([], 'failed'), (['10 b.test'],)))
        c = self.only()
        self.assertEqual((c['after'], c['class']), (iso(START + 2 * HOUR), ['mx-change']))

    def test_nothing_there_by_either_name(self):
        """NXDOMAIN and no such record are one state; so are the pieces of a text however cut."""
        name = '_mta-sts.a.test'
        none = [{**secure(name, START + i * HOUR, 'TXT', []), 'rcode': rcode}
                for i, rcode in enumerate(('NXDOMAIN', 'NOERROR'))]
        self.load(none, [secure(name, START + 2 * HOUR, 'TXT', ['"v=STSv1; id=1"']),
                         secure(name, START + 3 * HOUR, 'TXT', ['"v=ST" "Sv1; id=1"'])])
        c = self.only()
        self.assertEqual((c['class'], self.fields(c)['sts_id']), (['sts-change'], (None, '1')))
        self.assertEqual(self.fields(c)['records'], ([], ['"v=STSv1; id=1"']))

    def test_policy(self):
        enforce = [POLICY[0], 'mode: enforce', *POLICY[2:]]
        self.load([policy('a.test', START, POLICY),
                   policy('a.test', START + HOUR, [], 'sts-policy-fetch-error', 'timed out'),
                   policy('a.test', START + 2 * HOUR, enforce),
                   policy('a.test', START + 3 * HOUR, [], 'sts-webpki-invalid', 'expired'),
                   policy('a.test', START + 4 * HOUR, [], 'sts-webpki-invalid', 'expired, too')])
        first, second = self.log()
        self.assertEqual((first['host'], first['rrtype'], first['class'], first['after']),
                         ('a.test', 'MTA-STS', ['sts-change'], iso(START)))
        self.assertEqual(self.fields(first)['sts_mode'], ('testing', 'enforce'))
        self.assertEqual(self.fields(second)['sts_result'], ('ok', 'sts-webpki-invalid'))
        self.assertRegex(self.mxdiff('log').out, 'a.test MTA-STS  by here')

    def test_addresses_that_rotate_are_no_flood(self):
        """A pool of twelve, four at a time, in a random order: no more than its addresses."""
        rng = random.Random(8)
        pool = [f'192.0.2.{i}' for i in range(12)]
        self.load(hourly(lambda ms, s: secure('mx.a.test', ms, 'A', s),
                         *(rng.sample(pool, 4) for _ in range(300))))
        found = self.log()
        self.assertLessEqual(len(found), 12)
        self.assertGreater(len(found), 1)
        self.assertEqual({tuple(c['class']) for c in found}, {('address-change',)})

    def test_a_balancer_of_two_sets_is_one_change(self):
        sets = (['192.0.2.1'], ['192.0.2.2'])
        self.load(hourly(lambda ms, i: secure('mx.a.test', ms, 'A', sets[i % 2]), *range(100)))
        c = self.only()
        self.assertEqual((c['class'], c['severity'], c['state']),
                         (['address-change'], 'info', 'mixed'))

    def test_an_address_less_is_told(self):
        self.load(hourly(lambda ms, s: secure('mx.a.test', ms, 'A', s),
                         *[['192.0.2.1', '192.0.2.2']] * 30, *[['192.0.2.2']] * 30))
        self.assertEqual(self.only()['class'], ['address-change'])

    def test_filters(self):
        name, sha = 'mx.a.test', [certificate(c)[0] for c in 'xy']
        self.load([certificate(c)[1] for c in 'xy'],
                  hourly(lambda ms, s: secure('a.test', ms, 'MX', s), ['1 a.test'], ['2 a.test']),
                  hourly(lambda ms, s: secure('b.test', ms, 'MX', s), ['1 b.test'], ['2 b.test']),
                  hourly(lambda ms, s: secure(name, ms, 'A', s), ['192.0.2.1'], ['192.0.2.2']),
                  hourly(lambda ms, c: observation(name, '192.0.2.1', ms, [c]), *sha))
        self.assertEqual(len(self.log()), 4)
        self.assertEqual({c['host'] for c in self.log('a.test')}, {'a.test', name})
        self.assertEqual([c['host'] for c in self.log('--class', 'mx-change', 'b.test')],
                         ['b.test'])
        self.assertEqual(len(self.log('--severity', 'notice', '--class',
                                      'mx-change,address-change')), 2)
        self.assertEqual([c['address'] for c in self.log('192.0.2.1')], ['192.0.2.1'])
        self.assertEqual([c['address'] for c in self.log('--sni', 'none')], ['192.0.2.1'])
        self.assertEqual(len(self.log('--vantage', 'there')), 0)
        self.assertEqual(len(self.mxdiff('log', '--json', '--since', iso(START + DAY)).lines()), 0)
        self.assertEqual(len(self.mxdiff('log', '--json', '--since', iso(START)).lines()), 4)
        self.assertEqual(len(self.log('--ignore', 'records')), 1)
        shown = self.mxdiff('windows', '--json').lines()
        self.assertEqual({m['address'] for w in shown for m in w['series']}, {'192.0.2.1'})
        self.assertEqual(len(self.mxdiff('show', '--json').lines()), 1)

    def test_feed_from_a_cursor(self):
        self.load(hourly(lambda ms, s: secure('a.test', ms, 'MX', s), ['1 a.test']))
        cursor = self.mxdiff('feed').lines()[-1]['cursor']
        self.load([secure('a.test', START + 9 * HOUR, 'MX', ['1 b.test'])])
        told = self.mxdiff('feed', '--since', cursor).lines()
        self.assertEqual([o.get('class') for o in told[:-1]], [['mx-change']])
        # What comes late narrows the bracket: the change is told anew.
        cursor = told[-1]['cursor']
        self.load([secure('a.test', START + 5 * HOUR, 'MX', ['1 b.test'])])
        again = self.mxdiff('feed', '--since', cursor).lines()
        self.assertEqual([o.get('revises') for o in again[:-1]], [told[0]['id']])
        self.assertEqual(len(one_line(self.mxdiff('log', '--quiet').err)), 0)


if __name__ == '__main__':
    tap.main()
