#!/usr/bin/env python3
"""mxdiff feed --exec: mail, a webhook and a chat with real receivers on loopback; failures, kill -9,
and events that would love to be a shell line."""
import http.server
import json
import os
import re
import shlex
import signal
import socketserver
import subprocess
import threading
import time
import unittest

from common import Lab, packages, programs, tap
from lab.story import Story


def examples():
    """The commands that the manual shows, by the word before them."""
    manual = os.path.join(packages.TOP, 'differ', 'mxdiff.1')
    with open(manual, encoding='utf-8') as f:
        text = f.read()
    found = re.findall(r'^\.\\" example: (\w+)\n(.*?)^\.\\" end', text, re.M | re.S)
    return {name: '\n'.join(line for line in body.split('\n') if not line.startswith('.'))
            .replace('\\e', '\\')
            .replace('\\(aq', "'").strip() for name, body in found}


class Hook(http.server.ThreadingHTTPServer):
    """Takes what is posted; refuses the first `refuse` of it."""

    def __init__(self, refuse=0):
        super().__init__(('127.0.0.1', 0), Handler)
        self.bodies, self.refuse, self.lock = [], refuse, threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f'http://127.0.0.1:{self.server_port}/hook'

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with self.server.lock:
            refused = self.server.refuse > 0
            self.server.refuse -= refused
            if not refused:
                self.server.bodies.append((self.headers['Content-Type'], body))
        self.send_response(503 if refused else 204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Sink(socketserver.ThreadingTCPServer):
    """An SMTP server that keeps each message."""
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Session)
        self.messages = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.say('220 sink ESMTP')
        for line in self.rfile:
            verb = line.split()[0].upper() if line.split() else b''
            if verb == b'DATA':
                self.say('354 go on')
                message = []
                for part in self.rfile:
                    if part.rstrip(b'\r\n') == b'.':
                        break
                    message.append(part)
                self.server.messages.append(b''.join(message).decode())
            elif verb == b'QUIT':
                return self.say('221 bye')
            self.say('250 ok')

    def say(self, line):
        self.wfile.write(line.encode() + b'\r\n')


SENDMAIL = '''#!/usr/bin/env python3
import smtplib, sys
text = sys.stdin.read()
to = [h[3:].strip() for h in text.split('\\n\\n')[0].split('\\n') if h.startswith('To:')]
with smtplib.SMTP('127.0.0.1', {port}) as smtp:
    smtp.sendmail('mx509@here.test', to, text.encode())
'''


class ExecTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)

    def story(self, name, addresses=3):
        story = Story(self.lab, name, addresses=addresses)
        story.see({'192.0.2.1': 'sentinel'})
        return story

    def keeper(self, name, more=''):
        """A command that appends what it gets to a file, and the file."""
        file = self.lab.path(name + '.events')
        return f'cat >>{shlex.quote(file)}{more}', file

    def events(self, file):
        with open(file, encoding='utf-8') as f:
            return [json.loads(line) for line in f]

    def test_webhook(self):
        hook, story = Hook(refuse=1), self.story('hook')
        self.addCleanup(hook.close)
        command = examples()['webhook'].replace('https://hooks.example.org/mx509', hook.url)
        done = story.mxdiff('feed', '--exec', command)
        self.assertEqual((done.status, done.out), (0, ''), done)
        self.assertIn('again in 1 s', done.err)
        self.assertEqual({t for t, _ in hook.bodies}, {'application/json'})
        told = [json.loads(b) for _, b in hook.bodies]
        self.assertEqual(sorted(e['type'] for e in told), ['change', 'window'])
        self.assertEqual([e.pop('repeat') for e in told if 'repeat' in e], [True],
                         'the one that was refused is marked')
        feed = story.mxdiff('feed').lines()[:-1]
        self.assertEqual(sorted(map(str, told)), sorted(map(str, feed)))

    def test_chat(self):
        hook, story = Hook(), self.story('chat')
        self.addCleanup(hook.close)
        command = examples()['chat'].replace('https://chat.example.org/hook', hook.url)
        done = story.mxdiff('feed', '--type', 'window', '--exec', command)
        self.assertEqual(done.status, 0, done)
        said = [json.loads(b)['text'] for _, b in hook.bodies]
        self.assertEqual(len(said), 1)
        self.assertIn('critical bigmail.test SNI none: 1 of 3', said[0])

    def test_mail(self):
        sink, story = Sink(), self.story('mail')
        self.addCleanup(sink.close)
        sendmail = self.lab.path('sendmail')
        with open(sendmail, 'w', encoding='ascii') as f:
            f.write(SENDMAIL.format(port=sink.server_address[1]))
        os.chmod(sendmail, 0o755)
        command = examples()['mail'].replace('/usr/sbin/sendmail', sendmail)
        done = story.mxdiff('feed', '--type', 'window', '--exec', command)
        self.assertEqual(done.status, 0, done)
        self.assertEqual(len(sink.messages), 1)
        head, body = sink.messages[0].replace('\r\n', '\n').split('\n\n', 1)
        self.assertIn('To: postmaster@example.org', head)
        self.assertEqual(json.loads(body)['host_group'], 'bigmail.test')

    def test_nothing_of_an_event_reaches_a_shell(self):
        story = self.story('shell')
        evil = dict(story.observation('192.0.2.1', 'sentinel'),
                    ehlo=['STARTTLS', '$(touch PWNED)`touch PWNED`;touch PWNED', "'\n", '"'])
        story.now = story.now.replace(microsecond=0)
        story.tell([evil])
        command, file = self.keeper('shell')
        env = self.lab.path('shell.env')
        done = story.mxdiff('feed', '--all-fields', '--exec', f'{command}; env >{env}; echo $# $*',
                            cwd=self.lab.path(''))
        self.assertEqual(done.status, 0, done)
        self.assertEqual(set(done.out.split('\n')), {'0', ''}, 'no arguments')
        self.assertFalse(os.path.exists(self.lab.path('PWNED')))
        with open(env, encoding='utf-8') as f:
            self.assertNotIn(self.events(file)[0]['id'], f.read())

    def test_a_command_that_fails_loses_nothing(self):
        story, cursor = self.story('fails'), self.lab.path('fails.cursor')
        args = ('feed', '--cursor-file', cursor, '--exec-tries', '2', '--exec')
        done = story.mxdiff(*args, 'cat >/dev/null; exit 7')
        self.assertEqual((done.status, done.out), (2, ''), done)
        self.assertIn('ended with 7 after 2 tries', done.err)
        self.assertFalse(os.path.exists(cursor))
        command, file = self.keeper('fails')
        self.assertEqual(story.mxdiff(*args, command).status, 0)
        told = self.events(file)
        self.assertEqual(sorted(e['type'] for e in told), ['change', 'window'])
        self.assertTrue(all(e['repeat'] for e in told))
        self.assertEqual(os.listdir(os.path.dirname(cursor)).count('fails.cursor.begun'), 0)
        self.assertEqual(story.mxdiff(*args, command).status, 0)
        self.assertEqual(self.events(file), told)

    def test_a_command_that_hangs_is_ended(self):
        story, start = self.story('hangs'), time.monotonic()
        done = story.mxdiff('feed', '--type', 'window', '--exec-tries', '1', '--exec-timeout',
                            '500ms', '--exec', 'sleep 300 & sleep 300')
        self.assertEqual(done.status, 2, done)
        self.assertIn('not done in time', done.err)
        self.assertLess(time.monotonic() - start, 60)

    def test_jobs_at_once_and_order(self):
        story = Story(self.lab, 'jobs', addresses=12)
        for shown in ('sentinel', 'renewed'):
            story.see(dict.fromkeys(story.places, shown))
        command, file = self.keeper('jobs')
        busy = self.lab.path('busy')
        os.mkdir(busy)
        done = story.mxdiff('feed', '--type', 'change', '--exec-jobs', '3', '--exec',
                            f'touch {busy}/$$; ls {busy} | wc -l; {command}; sleep 0.1; rm {busy}/$$')
        self.assertEqual(done.status, 0, done)
        self.assertEqual(max(map(int, done.out.split())), 3)
        told = self.events(file)
        self.assertEqual(len(told), 24)
        for address in story.places:
            befores = [e['before'] for e in told if e['address'] == address]
            self.assertEqual(befores, sorted(befores))
            self.assertEqual(len(befores), 2)

    def test_kill_9_at_any_moment(self):
        """At least once; an id that comes again is marked."""
        story, cursor = Story(self.lab, 'killed', addresses=5), self.lab.path('killed.cursor')
        command, file = self.keeper('killed')
        args = ('--cursor-file', cursor, '--exec', f'sleep 0.05; {command}')
        for n in range(8):
            address = list(story.places)[n % 5]
            story.see({address: 'sentinel' if n < 5 else 'renewed'})
            follower = subprocess.Popen(
                [programs.path('mxdiff'), 'feed', '--follow', '--store', story.store, *args],
                env=programs.environment(), start_new_session=True)
            time.sleep(0.1 + 0.1 * (n % 5))
            os.killpg(follower.pid, signal.SIGKILL)
            follower.wait()
        time.sleep(0.5)  # commands that were running stand in groups of their own
        done = story.mxdiff('feed', *args)
        self.assertEqual(done.status, 0, done)
        told = self.events(file)
        # In which order they end is the machine's affair: an orphan may be slower than its repeat.
        unmarked = [e['id'] for e in told if e['type'] == 'change' and not e.get('repeat')]
        self.assertEqual(len(unmarked), len(set(unmarked)))
        self.assertLessEqual({c['id'] for c in story.mxdiff('log', '--json').lines()},
                             {e['id'] for e in told if e['type'] == 'change'})
        self.assertLessEqual({w['id'] for w in story.mxdiff('windows', '--json').lines()},
                             {e['id'] for e in told if e['type'] == 'window'})

    def test_kill_9_while_it_remembers(self):
        """What was begun is known at every moment, also while it is written anew."""
        story, cursor = self.story('remembers'), self.lab.path('remembers.cursor')
        begun = cursor + '.begun'
        ids = ['0', *(f'{n:016x}' for n in range(5000))]  # no cursor yet: it is 0
        with open(begun, 'w', encoding='ascii') as f:
            f.write('\n'.join(ids) + '\n')
        before = os.stat(begun)
        follower = subprocess.Popen(
            [programs.path('mxdiff'), 'feed', '--follow', '--store', story.store, '--cursor-file',
             cursor, '--exec', 'sleep 3'], env=programs.environment(), start_new_session=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with open(begun, encoding='ascii') as f:
                self.assertEqual(f.read().split('\n')[:len(ids)], ids)
            if os.stat(begun).st_ino != before.st_ino:
                break
        else:
            self.fail('nothing was begun')
        os.killpg(follower.pid, signal.SIGKILL)
        follower.wait()

    def test_sigterm_ends_it_and_its_commands(self):
        story = self.story('ended')
        file = self.lab.path('ended.pid')
        follower = subprocess.Popen(
            [programs.path('mxdiff'), 'feed', '--follow', '--type', 'window', '--store', story.store,
             '--exec', f'echo $$ >{file}; exec sleep 300'], env=programs.environment(),
            stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (os.path.exists(file) and os.path.getsize(file)):
            time.sleep(0.05)
        follower.send_signal(signal.SIGTERM)
        self.assertEqual(follower.wait(timeout=20), 0, follower.stderr.read())
        follower.stderr.close()
        with open(file, encoding='ascii') as f:
            self.assertFalse(os.path.exists(f'/proc/{f.read().strip()}'))


if __name__ == '__main__':
    tap.main()
