#!/usr/bin/env python3
"""A corpus whose data.mdb is damaged: nobody writes to it, and every line names it and the way out."""
import json
import os
import shutil

from common import observations, programs, tap
from test_store_commands import DAY, START, StoreTest, corpus, iso

PAGE = 4096


class Damaged(StoreTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.store(cls(), corpus(1, days=20))
        cls.other = cls.store(cls(), corpus(2, days=20))
        with open(os.path.join(cls.whole, 'data.mdb'), 'rb') as f:
            cls.data = f.read()

    def runTest(self):  # for setUpClass(), which needs an instance
        pass

    def with_data(self, data):
        store = self.fresh()
        os.mkdir(store)
        with open(os.path.join(store, 'data.mdb'), 'wb') as f:
            f.write(data)
        return store

    def with_page(self, page, content):
        return self.with_data(
            self.data[:page * PAGE] + content + self.data[(page + 1) * PAGE:])

    def damaged(self):
        """(what, corpus) with a page of zeros, or another page in its place, each."""
        pages = len(self.data) // PAGE
        for page in range(2, pages):
            yield f'page {page} zeroed', self.with_page(page, bytes(PAGE))
            other = (page * 7 + 3) % pages * PAGE
            if self.data[other:other + PAGE] != self.data[page * PAGE:(page + 1) * PAGE]:
                yield (f'page {page} replaced by {other // PAGE}',
                       self.with_page(page, self.data[other:other + PAGE]))

    def assertOneLine(self, done, *words):
        lines = done.err.splitlines()
        self.assertEqual(len(lines), 1, done)
        for word in words:
            self.assertIn(word, lines[0])


class Writing(Damaged):
    def test_nothing_is_written(self):
        seen = 0
        line = json.dumps(corpus(3, days=2)[-1]) + '\n'
        for what, store in self.damaged():
            with self.subTest(what):
                if programs.run('mxstore', 'check', '--store', store, '--quiet').status == 0:
                    continue  # a free page
                seen += 1
                before = self.bytes_of(store)
                self.assertOneLine(self.run_ok('merge', self.other, '--store', store, status=2,
                                               timeout=60), store)
                self.assertOneLine(self.run_ok('import', 'jsonl', '-', '--store', store, status=2,
                                               stdin=line), store)
                self.assertEqual(self.bytes_of(store), before)
            shutil.rmtree(store)
        self.assertGreater(seen, 20)

    def test_the_way_out_is_named(self):
        for args in (('merge', self.other), ('import', 'jsonl', '-'), ('compact',),
                     ('prune', '--before', iso(START + DAY))):
            store = self.with_page(len(self.data) // PAGE // 2, bytes(PAGE))
            self.assertOneLine(self.run_ok(*args, '--store', store, status=2, stdin=''),
                               store, 'damaged', 'page ', 'mxstore check --repair', 'mxstore merge')

    def test_the_way_out_of_a_wrong_octet(self):
        for at in range(2 * PAGE + 3000, len(self.data), PAGE):
            store = self.with_data(
                self.data[:at] + bytes([self.data[at] ^ 1]) + self.data[at + 1:])
            found = programs.run('mxstore', 'check', '--store', store, '--quiet').out
            if 'day, key' in found and 'the checksum does not hold' in found:
                break
        else:
            self.fail('no octet of a record was hit')
        self.assertOneLine(self.run_ok('compact', '--store', store, status=2), store,
                           'the checksum does not hold', 'mxstore merge')

    @staticmethod
    def bytes_of(store):
        with open(os.path.join(store, 'data.mdb'), 'rb') as f:
            return f.read()


def records(text):
    return {line for line in text.splitlines() if line}


class Reading(Damaged):
    """No wrong record is told, and none is left out without a word."""

    def look(self, store, whole):
        told = programs.run('mxstore', 'export', 'jsonl', '--store', store, timeout=60)
        self.assertIn(told.status, (0, 1, 2), told)
        self.assertLessEqual(records(told.out), whole)
        if told.status == 0:
            self.assertEqual(records(told.out), whole)
        else:
            self.assertIn('mxstore merge --store NEW ' + store, told.err)
        new = self.fresh()
        merged = programs.run('mxstore', 'merge', store, '--store', new, timeout=60)
        self.assertIn(merged.status, (0, 1, 2), merged)
        saved = records(observations(new).out)
        self.assertLessEqual(saved, whole)
        self.assertLessEqual(records(told.out), saved)
        if saved != whole:
            self.assertNotEqual(merged.status, 0)
            self.assertIn(store, merged.err)
        self.assertClean(new)
        self.assertEqual(os.listdir(new).count('unfinished'), 0)
        return merged.status, len(saved)

    def test_pages(self):
        whole = records(observations(self.whole).out)
        ways = set()
        for page in range(2, len(self.data) // PAGE, 3):
            with self.subTest(page=page):
                store = self.with_page(page, bytes(PAGE))
                status, saved = self.look(store, whole)
                ways.add((status, saved == len(whole)))
                stat = programs.run('mxstore', 'stat', '--store', store)
                self.assertTrue(stat.status == 0 or store in stat.err, stat)
        self.assertIn((1, False), ways)

    def test_records(self):
        whole = records(observations(self.whole).out)
        rest = set()
        for at in range(2 * PAGE + 1000, len(self.data), 9001):
            with self.subTest(at=at):
                store = self.with_data(
                    self.data[:at] + bytes([self.data[at] ^ 4]) + self.data[at + 1:])
                rest.add(self.look(store, whole)[0])
        self.assertIn(1, rest)

    def test_head_page(self):
        """The other one in its place: an older state, whole, that is not the newest one."""
        for at, other in ((0, PAGE), (PAGE, 0)):
            data = bytearray(self.data)
            data[at:at + PAGE] = self.data[other:other + PAGE]
            store = self.with_data(bytes(data))
            self.assertOneLine(self.run_ok('export', 'jsonl', '--store', store, status=2), store,
                               'head pages')
            self.assertIn('head pages', self.run_ok('check', '--store', store, status=1).out)
            self.assertIn('mended: the head pages',
                          self.run_ok('check', '--repair', '--store', store).out)
            self.run_ok('check', '--store', store)
            self.run_ok('export', 'jsonl', '--store', store)

    def test_cut_file(self):
        store = self.with_data(self.data[:len(self.data) // 2 // PAGE * PAGE])
        self.assertOneLine(self.run_ok('stat', '--store', store, status=2), store, 'cut short',
                           'mxstore merge')
        self.assertNotIn('--repair', self.run_ok('check', '--store', store, status=2).err)
        done = self.run_ok('merge', store, '--store', self.fresh(), status=2)
        self.assertIn('nothing of it can be read', done.err)


del Damaged, StoreTest


if __name__ == '__main__':
    tap.main()
