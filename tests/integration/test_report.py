#!/usr/bin/env python3
"""mxdiff report: a page that says what windows, log and show say, in a real browser; hostile texts;
the same octets for the same corpus; bounds, and what a user can get wrong."""
import base64
import html
import os
import re
import shutil
import stat
import subprocess
import unittest

from common import Lab, programs, tap
from lab import browser, ca
from lab.story import Story

HOSTILE = '</title><script>alert(1)</script><b>"&\u202e'


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.story = story = Story(cls.lab, 'report', addresses=5)
        for address, minutes in (('192.0.2.1', 10), ('192.0.2.2', 5), ('192.0.2.3', 7), ('192.0.2.4', 3)):
            story.see({address: 'sentinel'}, minutes=minutes)
        story.see(minutes=10)
        bundle = ca.Ca(cls.lab.path('hostile')).issue(
            'hostile', ['mx5.bigmail.test'], subject=[('CN', HOSTILE)])
        der = ca.ders(bundle)[0]
        story.sha256['hostile'] = programs.hex_sha256(der)
        story.tell([{'type': 'certificate', 'sha256': story.sha256['hostile'],
                     'der': base64.b64encode(der).decode()}])
        story.see({'192.0.2.5': 'hostile'}, minutes=10)

    def report(self, *args, status=0, store=None, **more):
        argv = ['mxdiff', 'report', '--out', '-', '--utc', *args, '--store', store or self.story.store]
        done = programs.run(*argv, **more)
        self.assertEqual((done.status, done.err), (status, ''), done)
        return done.out

    def test_says_what_the_commands_say(self):
        page = self.report()
        windows = self.story.mxdiff('windows', '--json').lines()
        self.assertGreaterEqual(len(windows), 1)
        self.assertEqual(re.findall(r'id="window-(\w+)"', page), [w['id'] for w in reversed(windows)])
        for w in windows:
            head = (f'{w["host_group"]}, SNI {w["sni"]}: {w["converted"]} of {w["total"]} converted')
            self.assertIn(head, page)
        roll_out = next(w for w in windows if w['converted'] == 4)
        self.assertIsNone(roll_out['end'])
        card = page.split(f'id="window-{roll_out["id"]}"')[1].split('</article>')[0]
        self.assertIn('<dt>Ended<dd>not yet', card)
        order = re.findall(r'<tr><td>(\w+)<td>([\w.]+)', card.split('class="members"')[1])
        self.assertEqual(order, [('converted', f'mx{n}.bigmail.test') for n in (1, 2, 3, 4)]
                         + [('old', 'mx5.bigmail.test')])
        for name in roll_out['class']:
            self.assertIn(name, card)
        # A change is told in its roll-out, or by itself, but not in both.
        alone = re.findall(r'id="change-(\w+)"', page)
        changes = self.story.mxdiff('log', '--json').lines()
        members = {(m['host'], m['address'], m['before']) for w in windows for m in w["series"]
                   if m['state'] != 'old'}
        expected = [c['id'] for c in changes if (c['host'], c['address'], c['before']) not in members]
        self.assertEqual(alone, expected[::-1])
        self.assertIn(f'<b>{len(changes)}</b> changes', page)
        states = self.story.mxdiff('show', '--json').lines()
        shown = page.split('id="present"')[1]
        self.assertEqual(sum(int(n) for n in re.findall(r'<td>none<td>(\d+)<td>', shown)), len(states))

    def test_filters(self):
        self.assertNotIn('id="window-', self.report('--class', 'rolled-back'))
        page = self.report('mx5.bigmail.test')
        self.assertIn('<title>mx509: mx5.bigmail.test</title>', page)
        self.assertNotIn('mx1.bigmail.test (', page)
        begin = self.story.mxdiff('windows', '--json').lines()[0]['start']['after']
        page = self.report('--until', begin)
        self.assertIn('None: no change came over several series alike.', page)
        self.assertNotIn('invalid2.invalid', page)

    def test_hostile_texts_are_texts(self):
        page = self.report('--all-fields')
        self.assertNotIn('<script', page)
        self.assertNotIn('\u202e', page)
        self.assertIn(html.escape(r'\<script\>alert(1)\</script\>'), page)  # RFC 2253 has backslashes
        self.assertEqual(page.count('<title>'), page.count('</title>'))  # pictures have some, too

    def test_tidy_finds_no_fault(self):
        done = subprocess.run(['tidy', '-q', '-e', '-utf8'], input=self.report('--all-fields'), text=True,
                              encoding='utf-8', capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_the_same_corpus_has_the_same_page(self):
        page = self.report()
        self.assertEqual(self.report(), page)
        merged = self.lab.path('merged')
        done = programs.run('mxstore', 'merge', self.story.store, '--store', merged)
        self.assertEqual(done.status, 0, done)
        self.assertEqual(self.report(store=merged), page)

    def test_bounded(self):
        page = self.report('--limit', '1')
        windows = self.story.mxdiff('windows', '--json').lines()
        self.assertEqual(page.count('id="window-'), 1)
        self.assertEqual(page.split('id="present"')[1].count('<tr class='), 1)
        if len(windows) > 1:
            self.assertIn(f'and {len(windows) - 1} more: <code>mxdiff windows</code>', page)
        self.assertRegex(page, r'and \d more: <code>mxdiff show</code>')

    def test_a_file_as_a_whole(self):
        path = self.lab.path('report.html')
        with open(path, 'w', encoding='ascii') as f:
            f.write('the old one')
        done = programs.run('mxdiff', 'report', '--out', path, '--utc', '--store', self.story.store)
        self.assertEqual((done.status, done.out, done.err), (0, '', ''))
        with open(path, encoding='utf-8') as f:
            self.assertEqual(f.read(), self.report())
        umask = os.umask(0)
        os.umask(umask)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o666 & ~umask)

    def test_out_that_is_no_file_stays(self):
        """A link is followed; a pipe, as a device, is written to, not replaced."""
        page, link, pipe = (self.lab.path('kept.' + name) for name in ('html', 'link', 'pipe'))
        with open(page, 'w', encoding='ascii'):
            os.symlink('kept.html', link)
        self.assertEqual(self.report_to(link).status, 0)
        self.assertTrue(os.path.islink(link))
        with open(page, encoding='utf-8') as f:
            whole = f.read()
        self.assertIn('</html>', whole)
        os.mkfifo(pipe)
        reader = subprocess.Popen(['cat', pipe], stdout=subprocess.PIPE, text=True)
        self.assertEqual(self.report_to(pipe).status, 0)
        self.assertEqual(reader.communicate(timeout=20)[0], whole)
        self.assertTrue(stat.S_ISFIFO(os.stat(pipe).st_mode))

    def report_to(self, path):
        return self.story.mxdiff('report', '--out', path, '--utc')

    def test_what_can_go_wrong(self):
        for args, said in (
                ((), 'report needs --out FILE.html'), (('--out', '-', '--json'), 'report has no --json'),
                (('--out', '-', '--limit', '0'), '--limit 0: must be at least 1'),
                (('--out', self.lab.path('none/x.html')), 'none/x.html'),
                (('--out', '-', '--plot'), 'plot')):
            with self.subTest(args=args):
                done = self.story.mxdiff('report', *args)
                self.assertEqual((done.status, done.out), (2, ''), done)
                self.assertIn(said, done.err)
                self.assertEqual(done.err.count('\n'), 1)
        done = self.story.mxdiff('report', '--out', '-', 'nobody.test', 'mx1.bigmail.test')
        self.assertEqual(done.status, 1)
        self.assertEqual(done.err.count('nobody.test: never observed'), 1, done.err)
        self.assertIn('mx1.bigmail.test', done.out)

    def test_an_empty_corpus(self):
        store = self.lab.path('empty')
        shutil.copytree(self.story.store, store)
        done = programs.run('mxstore', 'delete', 'bigmail.test', '--store', store)
        self.assertEqual(done.status, 0, done)
        page = self.report(store=store)
        self.assertIn('Nothing was observed.', page)

    @unittest.skipUnless(browser.find(), 'no browser (chromium)')
    def test_in_a_browser(self):
        path = self.lab.path('looked-at.html')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(self.report())
        for width, dark in ((1280, False), (1280, True), (360, False)):
            with self.subTest(width=width, dark=dark):
                seen = browser.look(self.lab, path, width, dark)
                self.assertEqual(seen['title'], 'mx509: all hosts')
                self.assertLessEqual(seen['wide'], width)  # nothing to scroll sideways but tables
                self.assertEqual((seen['loaded'], seen['scripts'], seen['pale']), ([], 0, []))
                self.assertEqual(seen['bold'], 0)
                self.assertGreaterEqual(len(seen['curves']), 2)
                self.assertGreater(min(seen['curves']), 50)
                self.assertGreater(min(seen['areas']), 30)
                self.assertIn('4 of 5 converted', seen['text'])
                self.assertIn(r'\<script\>alert(1)\</script\>', seen['text'])


if __name__ == '__main__':
    tap.main()
