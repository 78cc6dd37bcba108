#!/usr/bin/env python3
"""The house: walls between the rooms, what may stand at the top, manuals, headers."""
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import tap  # noqa: E402
from lab.packages import TOP  # noqa: E402

ROOMS = ('collector', 'differ', 'store')
# The folders of each: what stands later may include what stands before, never the other way round.
ORDER = {'store': ('base', 'record', 'corpus', 'maintain', 'exchange', 'command'),
         'collector': ('dns', 'probe', 'run', 'watch'),
         'differ': ('certificate', 'facts', 'verdict', 'time', 'out', 'report', 'deliver',
                    'command')}
# OpenSSL's DANE hangs on an SSL object (X509_STORE_CTX_set0_dane); this file makes one that is never
# connected.
DANE = {'differ/verdict/verify.c'}
AT_THE_TOP = {'collector', 'differ', 'store', 'tests', 'corpus', 'debian', 'meson.build',
              'meson_options.txt', 'README.md', 'LICENSE', 'NEWS.md', 'CONTRIBUTING.md', 'dev'}
# Headers of C and of the system; every other <header> is somebody else's.
SYSTEM = re.compile(r'(assert|complex|ctype|dirent|errno|fcntl|fnmatch|getopt|glob|inttypes|langinfo|'
                    r'libgen|limits|locale|math|netdb|poll|pthread|pwd|signal|stdalign|stdarg|'
                    r'stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|'
                    r'termios|time|unistd|wchar|(arpa|net|netinet|sys|linux)/\w+)\.h')


def tracked():
    """The files of the checkout, also the ones not committed yet, but nothing that is ignored."""
    listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=TOP, text=True,
                            capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [f for f in listed.stdout.splitlines() if os.path.exists(os.path.join(TOP, f))]
    files = []
    for folder, folders, names in os.walk(TOP):
        folders[:] = [d for d in folders if not d.startswith(('build', '.'))]
        files += [os.path.relpath(os.path.join(folder, name), TOP) for name in names]
    return files


def read(file):
    with open(os.path.join(TOP, file), encoding='utf-8') as f:
        return f.read()


def includes(room):
    """(file, header, brackets) of every #include in a room."""
    for file in tracked():
        if file.split('/')[0] == room and file.endswith(('.c', '.h', '.def')):
            for bracket, header in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', read(file), re.M):
                yield file, header, bracket


class Walls(unittest.TestCase):
    def test_third_party_header_in_one_file_of_a_room(self):
        for room in ROOMS:
            users = {}
            for file, header, bracket in includes(room):
                if bracket == '<' and not SYSTEM.fullmatch(header):
                    users.setdefault(header, set()).add(file)
            self.assertTrue(users, f'{room} stands on no library: does this test still look?')
            for header, files in users.items():
                with self.subTest(room=room, header=header):
                    self.assertEqual(len(files), 1, f'<{header}> in {sorted(files)}')

    def test_libtasn1_and_lmdb_have_one_user(self):
        for header, home in (('lmdb.h', 'store/'), ('libtasn1.h', 'differ/'), ('uv.h', 'collector/'),
                             ('unbound.h', 'collector/'), ('curl/curl.h', 'collector/'), ('openssl/ssl.h', 'collector/')):
            users = {file for room in ROOMS for file, h, _ in includes(room) if h == header}
            users -= DANE if header == 'openssl/ssl.h' else set()
            with self.subTest(header=header):
                self.assertEqual([u.startswith(home) for u in users], [True], users)

    def test_rooms_include_only_downwards(self):
        for room in ROOMS:
            for file, header, bracket in includes(room):
                if bracket == '"' and '/' in header:
                    with self.subTest(file=file, header=header):
                        self.assertIn(header.split('/')[0], {room, 'store'})
                        self.assertTrue(os.path.exists(os.path.join(TOP, header)))

    def test_within_a_room_too(self):
        for room, order in ORDER.items():
            folders = {os.path.dirname(file) for file, _, _ in includes(room)}
            self.assertEqual(folders, {f'{room}/{folder}'.rstrip('/') for folder in (*order, '')})
            for file, header, bracket in includes(room):
                if bracket == '"' and header.startswith(room + '/'):
                    here, there = os.path.dirname(file).split('/'), os.path.dirname(header).split('/')
                    if len(here) == len(there) == 2:
                        with self.subTest(file=file, header=header):
                            self.assertLess(order.index(there[1]), order.index(here[1]))

    def test_collector_parses_no_certificate_and_differ_opens_no_socket(self):
        for room, forbidden in (('collector', r'(libtasn1|openssl/(x509v3|asn1t?))\.h'),
                                ('differ', r'(sys/socket|netdb|uv|unbound|openssl/ssl)\.h')):
            for file, header, _ in includes(room):
                if file in DANE and header == 'openssl/ssl.h':
                    continue
                with self.subTest(file=file):
                    self.assertNotRegex(header, f'^{forbidden}$')

    def test_x509_of_openssl_is_judged_in_one_file_of_the_differ(self):
        users = {file for file, header, _ in includes('differ')
                 if re.match(r'openssl/(x509|ssl)', header)}
        self.assertEqual(users, DANE)


class House(unittest.TestCase):
    def test_top_level(self):
        top = {f.split('/')[0] for f in tracked()}
        self.assertEqual({t for t in top if not t.startswith('.')} - AT_THE_TOP, set())

    def test_headers_say_first_what_they_are(self):
        for file in tracked():
            if file.endswith('.h') and file.split('/')[0] in ROOMS:
                with self.subTest(file=file):
                    name = os.path.basename(file)[:-2]
                    self.assertRegex(read(file), rf'\A/\*\n \* {re.escape(name)}\b')

    def test_nothing_is_left_for_later(self):
        words = '|'.join(('TO' 'DO', 'FIX' 'ME', 'XX' 'X', 'HA' 'CK'))
        for file in tracked():
            if file.endswith(('.c', '.h', '.py')) and file.split('/')[0] in (*ROOMS, 'tests'):
                with self.subTest(file=file):
                    self.assertNotRegex(read(file), rf'\b({words})\b')

    def test_every_program_has_a_manual(self):
        manuals = {os.path.basename(f) for f in tracked() if re.search(r'\.[1-8]$', f)}
        for page in ('mxcollect.1', 'mxstore.1', 'mxdiff.1'):
            with self.subTest(page=page):
                self.assertIn(page, manuals)

    def test_manuals_are_clean_mdoc(self):
        if not shutil.which('mandoc'):
            self.skipTest('mandoc is not installed')
        for file in tracked():
            if re.search(r'\.[1-8]$', file):
                with self.subTest(file=file):
                    lint = subprocess.run(['mandoc', '-Tlint', '-Wwarning', file], cwd=TOP,
                                          capture_output=True, text=True, check=False)
                    self.assertEqual(lint.stdout, '')

    def test_ci_runs_what_a_user_can_run(self):
        self.assertRegex(read('.ci/run'), r'\A#!/bin/bash\ncd [^;&]+ && exec \./dev test\n\Z')


if __name__ == '__main__':
    tap.main()
