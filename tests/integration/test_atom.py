#!/usr/bin/env python3
"""The feed as Atom: by validators and readers that are not ours, page by page."""
import datetime
import os
import random
import re
import signal
import subprocess
import time
import unittest
import urllib.parse

from common import Lab, programs, tap
from lab.atom import Atom, Invalid
from lab.story import Story, iso

BASE = 'https://mx509.example.org/feed'


class AtomTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.atom = Atom()

    def read(self, folder, name='feed.atom'):
        """A document, valid and understood."""
        return self.atom.read(folder, name)

    def links(self, feed):
        return {link.rel: os.path.basename(urllib.parse.urlparse(link.href).path)
                for link in feed.feed.links}

    def pages(self, folder):
        """All documents, as a reader finds them: from feed.atom backwards."""
        found = [self.read(folder)]
        while 'prev-archive' in self.links(found[-1]):
            found.append(self.read(folder, self.links(found[-1])['prev-archive']))
        return found

    def write(self, story, folder, *args):
        done = story.mxdiff('feed', '--format', 'atom', '--out', folder, *args)
        self.assertEqual((done.status, done.out, done.err), (0, '', ''), done)

    def test_one_entry_a_roll_out(self):
        story, out = Story(self.lab, 'rollout'), self.lab.path('rollout.atom')
        self.write(story, out)
        self.assertEqual(self.read(out).entries, [])
        seen = []
        for address in story.places:
            story.see({address: 'sentinel'})
            self.write(story, out)
            entries = self.read(out).entries
            self.assertEqual(len(entries), 1)
            seen.append(entries[0])
        self.assertEqual(len({(e.id, e.published) for e in seen}), 1)
        self.assertEqual([e.updated for e in seen], sorted({e.updated for e in seen}))
        for n, entry in enumerate(seen):
            self.assertIn(f'critical: bigmail.test, SNI none, {n + 1} of 3 converted', entry.title)
        window = story.mxdiff('windows', '--json').lines()[0]
        self.assertIn(window['id'], seen[-1].content[0].value)
        self.assertEqual(seen[-1].id.replace('-', '').removeprefix('urn:uuid:')[:12],
                         window['id'][:12])
        self.assertLessEqual({'critical', 'sentinel'}, {t.term for t in seen[-1].tags})
        before = open(os.path.join(out, 'feed.atom'), 'rb').read()
        self.write(story, out)
        self.assertEqual(self.read(out).entries[0].updated, seen[-1].updated, 'no news')
        self.assertEqual(len(before), os.path.getsize(os.path.join(out, 'feed.atom')))

    def test_a_change_of_its_own(self):
        """A renewal at the only address is no roll-out."""
        story, out = Story(self.lab, 'alone', addresses=1), self.lab.path('alone.atom')
        story.see({'192.0.2.1': 'renewed'})
        self.assertEqual(story.mxdiff('windows', '--json').lines(), [])
        self.write(story, out)
        entries = self.read(out).entries
        self.assertEqual(len(entries), 1)
        self.assertIn('mx1.bigmail.test 192.0.2.1:25', entries[0].title)

    def test_of_one_type(self):
        """A roll-out over three, and a renewal alone."""
        story = Story(self.lab, 'types')
        story.places['192.0.2.9'] = 'mx.other.test'
        story.see({'192.0.2.9': 'leaf'})
        for address in list(story.places)[:3]:
            story.see({address: 'sentinel'})
        story.see({'192.0.2.9': 'renewed'})
        for kind, windows, changes in (('window', 1, 0), ('change', 0, 4), ('change,window', 1, 1)):
            with self.subTest(type=kind):
                out = self.lab.path(f'types-{kind}.atom')
                self.write(story, out, '--type', kind)
                found = [e.title for e in self.read(out).entries]
                rolled = [title for title in found if '3 of 3 converted' in title]
                self.assertEqual((len(rolled), len(found) - len(rolled)), (windows, changes), found)

    def test_who_judges_is_not_blind(self):
        """What the two validators find fault with, each by itself."""
        story, out = Story(self.lab, 'faults'), self.lab.path('faults.atom')
        story.see({'192.0.2.1': 'sentinel'})
        self.write(story, out)
        with open(os.path.join(out, 'feed.atom'), encoding='utf-8') as f:
            text = f.read()
        path = self.lab.path('fault.atom')
        for pattern, instead in ((r'<updated>.*?</updated>', ''), (r'<id>.*?</id>', ''),
                                 (r'<title>', '<title>twice</title><title>'),
                                 (r'<author>.*?</author>', ''), (r' term="critical"', ''),
                                 (r'<category term="critical"/>', '<word/>'),
                                 (r'<updated>.*?<', '<updated>yesterday<')):
            with open(path, 'w', encoding='utf-8') as f:
                f.write(re.sub(pattern, instead, text, flags=re.S))
            for judge in (self.atom.by_grammar, self.atom.by_ruby):
                with self.subTest(pattern=pattern, judge=judge), self.assertRaises(Invalid):
                    judge(path)

    def test_archives(self):
        story, out = Story(self.lab, 'pages', addresses=9), self.lab.path('pages.atom')
        names = dict.fromkeys(story.places)
        for n, address in enumerate(names):  # operators of their own: a roll-out each
            story.places[address] = f'mx.operator{n}.test'
        story.see()
        args = ('--base-url', BASE, '--entries', '2')
        for address in names:
            story.see({address: 'sentinel'})
            self.write(story, out, *args)
        found = self.pages(out)
        self.assertGreaterEqual(len(found), 3)
        self.assertLessEqual(len(found[0].entries), 4)
        ids = [e.id for page in found for e in page.entries]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(len(ids), len(story.mxdiff('windows', '--json').lines()))
        updated = [e.updated for page in found for e in page.entries]
        self.assertEqual(updated, sorted(updated, reverse=True))
        self.assertEqual({page.feed.id for page in found}, {found[0].feed.id})
        for newer, page in zip(found[1:], found[2:]):
            self.assertEqual(self.links(page)['next-archive'], self.links(newer)['self'])
        for page in found:
            self.assertTrue(all(link.href.startswith(BASE + '/') for link in page.feed.links))
        for page in found[1:]:
            self.assertEqual(self.links(page)['current'], 'feed.atom')
            self.assertIn('fh_archive', page.feed)
        self.assertNotIn('next-archive', self.links(found[1]))

    def test_followed_and_killed(self):
        story, out = Story(self.lab, 'killed', addresses=5), self.lab.path('killed.atom')
        r = random.Random(4)
        for address in story.places:
            follower = subprocess.Popen(
                [programs.path('mxdiff'), 'feed', '--follow', '--format', 'atom', '--out', out,
                 '--store', story.store], env=programs.environment())
            story.see({address: 'sentinel'})
            time.sleep(r.random())
            follower.send_signal(signal.SIGKILL)
            follower.wait()
        self.write(story, out)
        entries = self.read(out).entries
        self.assertEqual(len(entries), 1)
        self.assertIn('5 of 5 converted', entries[0].title)

    def test_followed(self):
        story, out = Story(self.lab, 'followed'), self.lab.path('followed.atom')
        follower = subprocess.Popen(
            [programs.path('mxdiff'), 'feed', '--follow', '--format', 'atom', '--out', out,
             '--store', story.store], env=programs.environment())
        story.see({'192.0.2.1': 'sentinel'})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if os.path.exists(os.path.join(out, 'feed.atom')) and self.read(out).entries:
                break
            time.sleep(0.1)
        self.assertEqual(len(self.read(out).entries), 1)
        follower.send_signal(signal.SIGTERM)
        self.assertEqual(follower.wait(timeout=20), 0)

    def test_what_a_server_says_is_text(self):
        story, out = Story(self.lab, 'evil'), self.lab.path('evil.atom')
        evil = story.observation('192.0.2.1', 'sentinel')
        evil['ehlo'] = ['STARTTLS', '<script>&]]>\x01\ufffe\u202e']
        story.now += datetime.timedelta(minutes=1)
        story.tell([dict(evil, time=iso(story.now))])
        self.write(story, out, '--all-fields')
        self.assertIn('<script>&]]>', str([e.content[0].value for e in self.read(out).entries]))

    def test_what_cannot_be_had_is_said(self):
        story, strange = Story(self.lab, 'errors'), self.lab.path('strange')
        os.mkdir(strange)
        written = self.lab.path('whole.atom')
        story.see({'192.0.2.1': 'sentinel'})
        self.write(story, written)
        with open(os.path.join(written, 'feed.atom'), encoding='utf-8') as f:
            whole = f.read()
        ours = 'not written by mxdiff'
        for text, word in (('no', 'no XML'), ('', 'no XML'), ('<feed/>', ours),
                           (whole[:-9], 'no XML'), (whole + '<', 'no XML'),
                           (re.sub(r'<\?mx509 \d+ \d+\?>', '', whole), ours),
                           (re.sub(r'<\?mx509 [0-9a-f]{16}\?>', '', whole), ours),
                           (re.sub(r'<title>critical.*?</title>', '', whole), ours),
                           (whole.replace('<feed', '<!DOCTYPE feed [<!ENTITY a "a">]><feed', 1), ours)):
            with open(os.path.join(strange, 'feed.atom'), 'w', encoding='utf-8') as f:
                f.write(text)
            done = story.mxdiff('feed', '--format', 'atom', '--out', strange)
            self.assertEqual((done.status, done.err.count('\n')), (2, 1), done)
            self.assertIn(word, done.err)
        for args in ((), ('--out', strange, '--exec', 'cat'), ('--out', '/proc/none'),
                     ('--out', written, '--base-url', 'http://a b/'),
                     ('--out', written, '--base-url', 'http://a\x01/')):
            done = story.mxdiff('feed', '--format', 'atom', *args)
            self.assertEqual((done.status, done.err.count('\n')), (2, 1), done)


if __name__ == '__main__':
    tap.main()
