"""The programs under test, and openssl s_client beside them.

The build directory comes from $MX509_BUILD (meson sets it), else it is build/ of the checkout.
"""
import hashlib
import json
import os
import re
import ssl
import subprocess

from .packages import TOP

BUILD = os.environ.get('MX509_BUILD') or os.path.join(TOP, 'build')
ROOMS = {'mxcollect': 'collector', 'mxstore': 'store', 'mxdiff': 'differ'}


def path(program):
    return os.path.join(BUILD, ROOMS[program], program)


def environment(**more):
    """What a program sees of this machine: no store, colours or certificates of the user's."""
    keep = ('PATH', 'HOME', 'TMPDIR', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS',
            'TSAN_OPTIONS')
    env = {k: os.environ[k] for k in keep if k in os.environ}
    return {**env, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC', **more}


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def lines(self):
        """The output as JSON lines."""
        return [json.loads(line) for line in self.out.split('\n') if line]

    def records(self, kind):
        return [o for o in self.lines() if o.get('type') == kind]

    def __repr__(self):
        return f'exit {self.status}\n--- out\n{self.out[-2000:]}\n--- err\n{self.err[-2000:]}'


def run(program, *args, timeout=120, stdin='', env=None, cwd=None, wrap=()):
    done = subprocess.run([*wrap, path(program), *map(str, args)], input=stdin, text=True,
                          encoding='utf-8', errors='surrogateescape', capture_output=True,
                          timeout=timeout, cwd=cwd, env=env or environment(), check=False)
    return Result(done.returncode, done.stdout, done.stderr)


def s_client(address, port, sni=None, options=()):
    """The DER certificates that openssl s_client gets from the server, in wire order."""
    target = f'[{address}]:{port}' if ':' in address else f'{address}:{port}'
    name = ['-servername', sni] if sni else ['-noservername']
    done = subprocess.run(
        ['openssl', 's_client', '-connect', target, '-starttls', 'smtp', '-showcerts', *name,
         *options], input='QUIT\r\n', text=True, capture_output=True, timeout=30, check=False,
        env={'PATH': os.environ['PATH']})
    pems = re.findall('-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----', done.stdout, re.S)
    return [ssl.PEM_cert_to_DER_cert(p) for p in pems]


def hex_sha256(der):
    return hashlib.sha256(der).hexdigest()
