#!/usr/bin/env python3
"""export jsonl, import jsonl, export again: the same bytes; and import pem."""
from common import WorldTest, observations, programs, sha256s, tap


class RoundTripTest(WorldTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.collect()
        cls.world.exim.roll_out(cls.world.addresses[0])
        cls.world.collect()
        cls.export = observations(cls.world.store).out
        cls.file = cls.lab.path('export.jsonl')
        with open(cls.file, 'w', encoding='utf-8') as f:
            f.write(cls.export)

    def test_nothing_changes(self):
        copy = self.lab.path('copy')
        done = programs.run('mxstore', 'import', 'jsonl', self.file, '--store', copy)
        self.assertStatus(done)
        self.assertEqual(observations(copy).out, self.export)
        self.assertCheckClean(copy)

    def test_twice_is_once(self):
        copy = self.lab.path('twice')
        for _ in range(2):
            self.assertStatus(programs.run('mxstore', 'import', 'jsonl', self.file, '--store',
                                           copy))
        self.assertEqual(observations(copy).out, self.export)

    def test_any_order_gives_the_same(self):
        lines = self.export.splitlines(keepends=True)
        certificates = [line for line in lines if '"type":"certificate"' in line]
        others = [line for line in lines if '"type":"certificate"' not in line]
        backwards = self.lab.path('backwards.jsonl')
        with open(backwards, 'w', encoding='utf-8') as f:
            f.write(''.join(certificates + others[::-1]))
        copy = self.lab.path('reversed')
        self.assertStatus(programs.run('mxstore', 'import', 'jsonl', backwards, '--store', copy))
        self.assertEqual(observations(copy).out, self.export)
        for query in ('log', 'windows'):
            with self.subTest(query=query):
                one, two = (programs.run('mxdiff', query, '--json', '--store', s)
                            for s in (self.world.store, copy))
                self.assertStatus(one)
                self.assertTrue(one.lines())
                self.assertEqual(one.out, two.out)

    def test_certificates_come_before_their_use(self):
        known = set()
        for o in observations(self.world.store).lines():
            if o['type'] == 'certificate':
                known.add(o['sha256'])
            elif o['type'] == 'observation':
                self.assertLessEqual(set(o['chain']), known)

    def test_import_pem(self):
        store = self.lab.path('pem')
        done = programs.run('mxstore', 'import', 'pem', self.world.ca.path('sentinel.pem'),
                            '--host', 'mx1.bigmail.test', '--address', '192.0.2.1', '--time',
                            '2026-03-19T16:17:00Z', '--store', store)
        self.assertStatus(done)
        seen = observations(store).records('observation')
        self.assertEqual(len(seen), 1)
        self.assertEqual(seen[0]['chain'], sha256s(self.world.ca.path('sentinel.pem')))
        self.assertEqual((seen[0]['time'], seen[0]['host'], seen[0]['address']),
                         ('2026-03-19T16:17:00.000Z', 'mx1.bigmail.test', '192.0.2.1'))


if __name__ == '__main__':
    tap.main()
