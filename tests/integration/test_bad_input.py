#!/usr/bin/env python3
"""What a user can get wrong: one line that names it and says what to do, and the right status."""
import os
import re
import shlex
import signal
import subprocess

from common import Ca, Lab, collect, observations, one_line, programs, tap, unittest
from lab import smtp_servers


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.ca = Ca(cls.lab.path('ca'))
        cls.leaf = cls.ca.issue('leaf', ['mx.bad.test'])
        cls.servers = smtp_servers.SmtpServers(
            cls.lab, {f's{i}': smtp_servers.honest for i in range(20)}, cls.leaf)
        cls.targets = [cls.servers.target(f's{i}') for i in range(20)]
        cls.store = cls.lab.path('store')
        cls.first = collect(*cls.targets[:2], store=cls.store)
        cls.whole = observations(cls.store).out

    def says(self, done, status, *words):
        """One line on standard error, with every word; nothing that was stored is lost."""
        self.assertEqual(done.status, status, done)
        lines = one_line(done.err)
        self.assertEqual(len(lines), 1, done)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertTrue(observations(self.store).out.startswith(self.whole[:100]))

    def test_the_store_was_filled(self):
        self.assertEqual(self.first.status, 0, self.first)
        self.assertGreater(len(one_line(self.whole)), 6)

    def test_no_standard_streams(self):
        """A message must not land in the corpus, whatever numbers its files get."""
        for argv in (['mxstore', 'import', 'jsonl'], ['mxdiff', 'log'], ['mxcollect', 'run', '-f']):
            with self.subTest(program=argv[0]):
                subprocess.run(['sh', '-c', 'exec <&- >&- 2>&-; exec "$0" "$@"',
                                programs.path(argv[0]), *argv[1:], '/nonexistent',
                                '--store', self.store], check=False, timeout=60)
                self.assertEqual(programs.run('mxstore', 'check', '--store', self.store).status, 0)
                self.assertEqual(observations(self.store).out, self.whole)

    def test_unknown_option(self):
        for argv in (['mxcollect', 'run', '--no-such-option', 'a.test'],
                     ['mxstore', 'stat', '--no-such-option'],
                     ['mxdiff', 'show', '--no-such-option']):
            with self.subTest(program=argv[0]):
                self.says(programs.run(*argv), 2, argv[0], 'no-such-option')

    def test_standard_input_twice(self):
        with open(self.ca.path('leaf.pem'), encoding='ascii') as f:
            self.says(programs.run('mxdiff', 'diff', '-', '-', stdin=f.read()), 2,
                      'standard input', 'name a file')

    def test_import_of_nothing_makes_no_corpus(self):
        store, pem = self.lab.path('never'), ['--host', 'mx.bad.test', '--address', '192.0.2.1',
                                              '--time', '2026-03-19T16:17:00Z']
        for kind, more in (('jsonl', []), ('zgrab2', []), ('sonar', []), ('postfix-log', []),
                           ('pem', pem)):
            for path in ('/no/such/file', self.lab.path('ca')):
                with self.subTest(kind=kind, path=path):
                    self.says(programs.run('mxstore', 'import', kind, *more, path, '--store',
                                           store), 2, path)
                    self.assertFalse(os.path.exists(store))
        # One of two is enough.
        done = programs.run('mxstore', 'import', 'pem', *pem, '/no/such/file',
                            self.ca.path('leaf.pem'), '--store', store)
        self.assertEqual(done.status, 2, done)
        self.assertEqual(len(observations(store).records('observation')), 1)

    def test_nul_in_json(self):
        for line in ('{"a":"\\u0000"}', '{"\\u0000":1}'):
            with self.subTest(line=line):
                done = programs.run('mxstore', 'import', 'jsonl', '-', '--store',
                                    self.lab.path('nul'), stdin=line + '\n')
                self.assertIn('standard input:1: no JSON of ours: it holds \\u0000', done.err)
                self.assertNotIn('JSON_ALLOW_NUL', done.err)

    def test_unknown_command(self):
        for program in programs.ROOMS:
            with self.subTest(program=program):
                self.says(programs.run(program, 'no-such-command'), 2, program,
                          'no-such-command')

    def test_no_command(self):
        for program in programs.ROOMS:
            with self.subTest(program=program):
                done = programs.run(program)
                self.assertEqual(done.status, 2, done)
                self.assertTrue(one_line(done.err), done)

    def test_help_and_version(self):
        for program in programs.ROOMS:
            with self.subTest(program=program):
                shown = programs.run(program, '--help')
                self.assertEqual((shown.status, shown.err), (0, ''), shown)
                self.assertIn(program, shown.out)
                version = programs.run(program, '--version')
                self.assertEqual(version.status, 0, version)
                self.assertRegex(version.out, rf'^{program} .*\d+\.\d+\.\d+')

    def test_target_that_is_no_name(self):
        for target in ('no..name', 'a b', 'x' * 300 + '.test', 'mx:', 'h.test@1.2.3',
                       'h.test@127.0.0.1:99999', '192.0.2.1'):
            with self.subTest(target=target[:30]):
                done = programs.run('mxcollect', 'run', '--store', self.lab.path('never'), '--',
                                    target)
                self.assertIn(done.status, (1, 2), done)
                self.assertIn(target[:20], done.err)

    def test_no_target(self):
        done = programs.run('mxcollect', 'run', '--store', self.store)
        self.assertEqual(done.status, 2, done)
        self.assertEqual(len(one_line(done.err)), 1, done)

    def test_file_of_targets_that_is_not_there(self):
        self.says(programs.run('mxcollect', 'run', '-f', '/no/such/file', '--store', self.store),
                  2, '/no/such/file')

    def test_bad_numbers(self):
        for option, value in (('--port', '70000'), ('--port', 'smtp'), ('--rate', '-1'),
                              ('--timeout', 'x'), ('--vantage', 'Upper Case'),
                              ('--resolver', 'nowhere'), ('--sni', ''), ('--offer', 'none'),
                              ('--trust-anchor', '/no/such/anchor'),
                              ('--blocklist-file', '/no/such/list')):
            with self.subTest(option=option, value=value):
                done = programs.run('mxcollect', 'run', option, value, 'mx:a.test', '--store',
                                    self.lab.path('never'))
                self.says(done, 2, option if option not in ('--trust-anchor', '--blocklist-file')
                          else value)

    def test_numbers_at_their_bounds(self):
        """What stands in limits.h is taken, one more is refused. The target is not dialled."""
        for option, most in (('--port', 65535), ('--rate', 1000000), ('--threads', 64),
                             ('--concurrency', 100000), ('--per-address-gap', 86400000),
                             ('--timeout', 3600), ('--max-nexthop-per-address', 100000000)):
            for value, status in ((most, 1), (most + 1, 2)):
                with self.subTest(option=option, value=value):
                    done = programs.run('mxcollect', 'run', option, value, 'mx.test@127.0.0.1',
                                        '--store', self.lab.path('bounds'))
                    self.assertEqual(done.status, status, done)
                    self.assertIn('is not dialled' if status == 1 else option, done.err)

    def test_store_that_is_none(self):
        place = self.lab.path('not-a-store')
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, 'data.mdb'), 'wb') as f:
            f.write(os.urandom(65536))
        for argv in (['mxdiff', 'show'], ['mxdiff', 'log'], ['mxdiff', 'windows'],
                     ['mxstore', 'stat'], ['mxstore', 'check'], ['mxstore', 'export', 'jsonl'],
                     ['mxcollect', 'run', 'mx:a.test']):
            with self.subTest(command=' '.join(argv[:2])):
                before = open(os.path.join(place, 'data.mdb'), 'rb').read()
                self.says(programs.run(*argv, '--store', place), 2, place)
                self.assertEqual(open(os.path.join(place, 'data.mdb'), 'rb').read(), before)

    def test_store_that_is_not_there(self):
        for argv in (['mxdiff', 'show'], ['mxstore', 'stat'], ['mxstore', 'check']):
            with self.subTest(command=' '.join(argv)):
                place = self.lab.path('nowhere')
                self.says(programs.run(*argv, '--store', place), 2, place)
                self.assertFalse(os.path.exists(place))

    def test_store_that_is_a_file(self):
        self.says(programs.run('mxdiff', 'show', '--store', self.leaf), 2, self.leaf)
        self.says(programs.run('mxcollect', 'run', self.targets[0], '--store', self.leaf), 2,
                  self.leaf)

    def test_photograph(self):
        photo = self.lab.path('photo.jpg')
        with open(photo, 'wb') as f:
            f.write(b'\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01' + os.urandom(20000) + b'\xff\xd9')
        done = programs.run('mxdiff', 'cert', '--json', photo)
        lines = done.lines()
        self.assertEqual(len(lines), 1, done)
        self.assertEqual(lines[0]['file'], photo)
        self.assertTrue(lines[0]['malformed'])
        self.assertIn(done.status, (0, 1), done)
        text = programs.run('mxdiff', 'cert', photo)
        self.assertIn(photo, text.out + text.err)
        done = programs.run('mxdiff', 'diff', photo, self.ca.path('leaf.pem'))
        self.assertIn('malformed', done.out + done.err)
        self.assertIn(done.status, (1, 2), done)

    def test_certificate_file_that_is_not_there(self):
        done = programs.run('mxdiff', 'cert', '/no/such.pem', self.ca.path('leaf.pem'))
        self.assertIn(done.status, (1, 2), done)
        self.assertIn('/no/such.pem', done.err)
        done = programs.run('mxdiff', 'diff', '/no/such.pem', self.ca.path('leaf.pem'))
        self.says(done, 2, '/no/such.pem')

    def test_import_of_rubbish(self):
        place = self.lab.path('rubbish.jsonl')
        with open(place, 'wb') as f:
            f.write(b'{"type":"observation"}\nnot json\n\x00\xff\n' + os.urandom(1000) + b'\n')
        before = observations(self.store).out
        done = programs.run('mxstore', 'import', 'jsonl', place, '--store', self.store)
        self.assertIn(done.status, (1, 2), done)
        self.assertIn(place, done.err)
        self.assertEqual(observations(self.store).out, before)

    def test_bad_time(self):
        self.says(programs.run('mxdiff', 'show', '--at', 'tomorrowish', '--store', self.store), 2,
                  'tomorrowish')
        for command in ('log', 'windows'):
            self.says(programs.run('mxdiff', command, '--since', '-2h', '--until', 'yesterday',
                                   '--store', self.store), 2, '--until')

    def test_full_disk(self):
        """As root a file system with no room left, as anybody a file that may not grow."""
        place = self.lab.path('full')
        os.mkdir(place)
        store = os.path.join(place, 'store')
        options = ['--allow-private', '--per-address-gap', '0', '--store', store]
        collect_some, collect_all, export, check = (shlex.join(argv) for argv in (
            [programs.path('mxcollect'), 'run', *options, '--quiet', *self.targets[:2]],
            [programs.path('mxcollect'), 'run', *options, *self.targets],
            [programs.path('mxstore'), 'export', 'jsonl', '--store', store],
            [programs.path('mxstore'), 'check', '--store', store]))
        if os.geteuid() == 0:
            if subprocess.run(['unshare', '-m', 'true'], capture_output=True).returncode:
                self.skipTest('no mount namespace to be had here')
            wrap, enter = ['unshare', '-m'], 'mount -t tmpfs -o size=16m tmpfs "$0" || exit 77'
            fill = 'dd if=/dev/zero of="$0/filler" bs=4k 2>/dev/null'
        else:
            wrap, enter = [], 'trap "" XFSZ'
            fill = f'ulimit -f $(du -k --apparent-size {store}/* | sort -n | tail -n1 | cut -f1)'
        script = '\n'.join([enter, collect_some + ' || exit 78', f'old=$({export} | sha256sum)',
                            fill, f'{collect_all}; s=$?', 'rm -f "$0/filler"',
                            f'{check} >&2; echo "check $?"',
                            f'[ "$old" = "$({export} | sha256sum)" ]; echo "kept $?"', 'exit $s'])
        done = subprocess.run([*wrap, 'bash', '-c', script, place], env=programs.environment(),
                              text=True, capture_output=True, timeout=120, check=False)
        if done.returncode == 77:
            self.skipTest(f'no tmpfs of our own: {done.stderr}')
        self.assertEqual(done.returncode, 2, done)
        named = [line for line in one_line(done.stderr) if line.startswith('mxcollect')]
        self.assertIn(store, named[0])
        self.assertRegex(named[0], re.compile('space|large', re.I))
        self.assertFalse([line for line in named if 'what was done is stored' in line], done)
        self.assertEqual(one_line(done.stdout), ['check 0', 'kept 0'], done)

    def test_no_permission(self):
        if os.geteuid() == 0:
            self.skipTest('root may do everything')
        place = self.lab.path('locked')
        os.mkdir(place, 0o500)
        self.says(programs.run('mxcollect', 'run', self.targets[0], '--store',
                               os.path.join(place, 'store')), 2, place)

    def test_no_permission_as_nobody(self):
        if os.geteuid() != 0:
            self.skipTest('needs root, to become nobody')
        wrap = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', '--']
        probe = subprocess.run([*wrap, 'test', '-x', programs.path('mxdiff')], check=False)
        if probe.returncode != 0:
            self.skipTest('nobody cannot reach the build directory')
        place = self.lab.path('locked')
        os.mkdir(place, 0o755)
        done = programs.run('mxcollect', 'run', self.targets[0], '--store',
                            os.path.join(place, 'store'), wrap=wrap)
        self.says(done, 2, place)
        os.chmod(self.store, 0o700)
        self.says(programs.run('mxdiff', 'show', '--store', self.store, wrap=wrap), 2, self.store)

    def test_output_that_cannot_be_written(self):
        commands = [['mxdiff', 'show', '--store', self.store]]
        commands += [['mxstore', c, '--store', self.store] for c in ('stat', 'check')]
        commands += [['mxstore', 'export', 'jsonl', '--store', self.store],
                     ['mxdiff', 'cert', self.leaf], ['mxdiff', 'fields'],
                     ['mxcollect', 'run', '--json', self.targets[0], '--allow-private', '--store',
                      self.lab.path('store-of-nobody')]]
        for program, *args in commands:
            with self.subTest(command=f'{program} {args[0]}'), open('/dev/full', 'wb') as full:
                done = subprocess.run([programs.path(program), *args], stdout=full, text=True,
                                      stderr=subprocess.PIPE, env=programs.environment(),
                                      check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn('No space left', done.stderr)

    def test_output_that_nobody_reads(self):
        """A closed pipe ends the program as any other, without a word: it is no damage."""
        for command in ('mxstore export jsonl', 'mxstore export csv', 'mxdiff show', 'mxdiff log'):
            program, *args = command.split()
            reader, writer = os.pipe()
            os.close(reader)
            with self.subTest(command), os.fdopen(writer, 'wb') as closed:
                done = subprocess.run(
                    [programs.path(program), *args, '--store', self.store], stdout=closed,
                    stderr=subprocess.PIPE, env=programs.environment(), text=True, timeout=60,
                    restore_signals=True, check=False)
                self.assertEqual((done.returncode, done.stderr), (-signal.SIGPIPE, ''))


if __name__ == '__main__':
    tap.main()
