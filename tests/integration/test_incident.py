#!/usr/bin/env python3
"""The incident live: a roll-out address by address, and what mxdiff and mxstore say of it."""
import datetime
import os
import subprocess
import time

from common import DOMAIN, WorldTest, programs, sha256s, tap

CLASSES = {'sentinel', 'key-algorithm-change', 'strength-loss', 'constraint-change',
           'usage-change', 'name-change', 'ca-change'}


def seconds(iso):
    return datetime.datetime.fromisoformat(iso.replace('Z', '+00:00')).timestamp()


class IncidentTest(WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        world = cls.world
        cls.passes, cls.touched = [world.collect()], {}
        cls.before = time.time()
        for address in world.addresses[:-1]:
            cls.touched[address] = world.exim.roll_out(address)
            cls.passes.append(world.collect())
        cls.passes.append(world.collect())
        cls.old, cls.new = sha256s(world.leaf), sha256s(world.sentinel)

    def mxdiff(self, *args, status=0):
        done = programs.run('mxdiff', *args, '--store', self.world.store)
        self.assertStatus(done, status)
        return done

    def test_passes(self):
        for done in self.passes:
            self.assertStatus(done)

    def test_windows(self):
        windows = self.mxdiff('windows', '--json').lines()
        self.assertEqual(len(windows), 1, windows)
        w = windows[0]
        self.assertEqual((w['type'], w['host_group'], w['sni'], w['offer']),
                         ('window', DOMAIN, 'none', 'default'))
        self.assertEqual((w['converted'], w['mixed'], w['total']), (4, 0, 5))
        self.assertIsNone(w['end'])
        self.assertEqual(w['severity'], 'critical')
        self.assertLessEqual(CLASSES, set(w['class']))
        first, last = min(self.touched.values()), max(self.touched.values())
        self.assertLess(seconds(w['start']['after']), first)
        self.assertGreaterEqual(seconds(w['start']['before']), first)
        self.assertIsNone(w['single_instant'])
        states = {s['address']: s for s in w['series']}
        self.assertEqual({a: s['state'] for a, s in states.items()},
                         {a: 'converted' if a in self.touched else 'old'
                          for a in self.world.addresses})
        for address, moment in self.touched.items():
            with self.subTest(address=address):
                self.assertLess(seconds(states[address]['after']), moment)
                self.assertGreaterEqual(seconds(states[address]['before']), moment)
        self.assertLess(last, time.time())

    def test_log(self):
        changes = self.mxdiff('log', '--json').records('change')
        self.assertEqual(len(changes), 4, changes)
        self.assertEqual({c['address'] for c in changes}, set(self.touched))
        self.assertEqual([seconds(c['before']) for c in changes],
                         sorted(seconds(c['before']) for c in changes))
        for c in changes:
            with self.subTest(address=c['address']):
                self.assertEqual(c['sni'], 'none')
                self.assertEqual((c['state'], c['severity']), ('replaced', 'critical'))
                self.assertLessEqual(CLASSES, set(c['class']))
                self.assertEqual((c['old']['leaf'], c['new']['leaf']), (self.old[0], self.new[0]))
                self.assertLess(seconds(c['after']), self.touched[c['address']])
                self.assertGreaterEqual(seconds(c['before']), self.touched[c['address']])
                fields = {f['field']: (f['old'], f['new']) for f in c['fields']}
                self.assertLessEqual({'subject', 'issuer', 'key_usage', 'basic_constraints',
                                      'key_algorithm'}, set(fields))
                self.assertEqual(fields['key_algorithm'], ('id-ecPublicKey', 'rsaEncryption'))

    def test_show(self):
        rows = self.mxdiff('show', '--json').lines()
        self.assertEqual(len(rows), 20)
        text = self.mxdiff('show').out
        for address in self.world.addresses:
            self.assertIn(address, text)
        at = datetime.datetime.fromtimestamp(self.before, datetime.timezone.utc)
        then = self.mxdiff('show', '--at', at.isoformat(), '--json').lines()
        self.assertEqual(len(then), 20)
        self.assertNotIn(self.new[0], str(then))
        self.assertIn(self.new[0], str(rows))

    def test_text_says_it_all(self):
        log, windows = self.mxdiff('log').out, self.mxdiff('windows').out
        for words in ('No SNI provided', 'rsaEncryption', 'id-ecPublicKey'):
            self.assertIn(words, log)
        self.assertRegex(windows, r'\b4\b.{0,9}\b5\b')
        self.assertIn('none', windows)
        self.assertNotIn('\033', log + windows)

    def test_exit_codes(self):
        self.mxdiff('log', '--exit-code', status=1)
        self.mxdiff('windows', '--exit-code', status=1)
        self.mxdiff('log', f'alt2.{DOMAIN}', '--exit-code')
        gone = self.mxdiff('log', 'no-such-host.test', status=1)
        self.assertIn('no-such-host.test', gone.err)

    def test_feed_from_its_cursor(self):
        first = self.mxdiff('feed', '--json')
        changes = first.records('change')
        self.assertEqual({c['address'] for c in changes}, set(self.touched))
        self.assertEqual({c['id'] for c in changes},
                         {c['id'] for c in self.mxdiff('log', '--json').records('change')})

    def test_export_is_the_same_again(self):
        folders = []
        for n in (1, 2):
            out = self.lab.path(f'export{n}')
            done = programs.run('mxstore', 'export', 'pem', '--at', 'now', '--out', out,
                                '--store', self.world.store)
            self.assertStatus(done)
            folders.append({name: open(os.path.join(out, name), 'rb').read()
                            for name in os.listdir(out)})
        self.assertEqual(folders[0], folders[1])
        check = subprocess.run(['sha256sum', '-c', '--quiet', 'SHA256SUMS'], cwd=out,
                               capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        manifest = [name for name in folders[0] if name.lower().startswith('manifest')]
        self.assertEqual(len(manifest), 1, list(folders[0]))
        rows = [r.split('\t') for r in folders[0][manifest[0]].decode().splitlines()]
        self.assertEqual(rows[0][:7], ['host', 'address', 'port', 'sni', 'sni_name', 'offer',
                                       'vantage'])
        self.assertEqual(len(rows), 21)
        self.assertEqual(len([n for n in folders[0] if n.endswith('.pem')]), 2)

    def test_two_moments(self):
        at = datetime.datetime.fromtimestamp(self.before, datetime.timezone.utc).isoformat()
        done = self.mxdiff('diff', '--between', at, 'now', '--json', status=1)
        self.assertEqual({o['address'] for o in done.lines() if 'address' in o},
                         set(self.touched))

    def test_two_certificates(self):
        done = programs.run('mxdiff', 'diff', self.world.ca.path('leaf.pem'),
                            self.world.ca.path('sentinel.pem'))
        self.assertStatus(done, 1)
        self.assertIn('No SNI provided', done.out)
        same = programs.run('mxdiff', 'diff', self.world.ca.path('leaf.pem'),
                            self.world.ca.path('leaf.pem'))
        self.assertStatus(same, 0)

    def test_check_finds_nothing(self):
        self.assertCheckClean(self.world.store)


if __name__ == '__main__':
    tap.main()
