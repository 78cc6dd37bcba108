"""Debian's servers, unpacked and not installed: apt-get download, dpkg -x.

    packages.py FOLDER [SERVER…]      unpacks what FOLDER lacks (exim, nsd, postfix, opensmtpd, unbound)

No root is needed, and the machine's own mail and DNS stay as they are: Debian's MTAs conflict
with each other, and somebody may run one here. A library that the machine lacks is unpacked
beside the server that needs it.
"""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

SERVERS = {
    'exim': ['exim4-daemon-light', 'exim4-base', 'libidn12', 'libnss-wrapper'],
    'nsd': ['nsd', 'libfstrm0', 'libprotobuf-c1', 'ldnsutils', 'libldns3'],
    'postfix': ['postfix'],
    'opensmtpd': ['opensmtpd', 'libevent-2.1-7'],
    'unbound': ['unbound', 'libevent-2.1-7', 'libprotobuf-c1'],
    'prometheus': ['prometheus'],  # for its promtool
    'feedparser': ['python3-feedparser', 'python3-sgmllib3k'],
    'ruby': ['ruby3.1', 'libruby3.1'],  # for its rss, which judges Atom
}
PROGRAMS = {
    'exim': ['usr/sbin/exim4'],
    'nsd': ['usr/sbin/nsd', 'usr/bin/ldns-signzone', 'usr/bin/ldns-keygen'],
    'postfix': ['usr/lib/postfix/sbin/master', 'usr/lib/postfix/sbin/smtpd', 'usr/sbin/postconf',
                'usr/lib/postfix/sbin/smtp', 'usr/sbin/postmap', 'usr/sbin/postfix',
                'usr/sbin/posttls-finger'],
    'opensmtpd': ['usr/sbin/smtpd', 'usr/sbin/smtpctl'],
    'prometheus': ['usr/bin/promtool'],
    'feedparser': [],
    'ruby': ['usr/bin/ruby3.1'],
    'unbound': ['usr/sbin/unbound'],
}
# Which package of Debian 12 has a library: for those that `ldd` does not find.
LIBRARIES = {
    'libdb-5.3.so': 'libdb5.3', 'libgnutls-dane.so.0': 'libgnutls-dane0',
    'libgnutls.so.30': 'libgnutls30', 'libunbound.so.8': 'libunbound8', 'libnsl.so.2': 'libnsl2',
    'libtirpc.so.3': 'libtirpc3', 'libpcre2-8.so.0': 'libpcre2-8-0', 'libidn2.so.0': 'libidn2-0',
    'libevent-2.1.so.7': 'libevent-2.1-7', 'libsystemd.so.0': 'libsystemd0',
    'libpcap.so.0.8': 'libpcap0.8', 'libicuuc.so.72': 'libicu72', 'libicui18n.so.72': 'libicu72',
    'libicudata.so.72': 'libicu72', 'libsasl2.so.2': 'libsasl2-2', 'libssl.so.3': 'libssl3',
    'libcrypto.so.3': 'libssl3', 'libnghttp2.so.14': 'libnghttp2-14',
    'libp11-kit.so.0': 'libp11-kit0', 'libtasn1.so.6': 'libtasn1-6',
    'libnettle.so.8': 'libnettle8', 'libhogweed.so.6': 'libhogweed6', 'libgmp.so.10': 'libgmp10',
    'libunistring.so.2': 'libunistring2', 'libstdc++.so.6': 'libstdc++6',
    'libdbus-1.so.3': 'libdbus-1-3', 'libgssapi_krb5.so.2': 'libgssapi-krb5-2',
    'libkrb5.so.3': 'libkrb5-3', 'libk5crypto.so.3': 'libk5crypto3',
    'libpython3.11.so.1.0': 'libpython3.11', 'libexpat.so.1': 'libexpat1',
    'libkrb5support.so.0': 'libkrb5support0', 'libkeyutils.so.1': 'libkeyutils1',
}


class PackageError(Exception):
    """A package could not be had; the text says what to do."""


def default_dir():
    return os.environ.get('MX509_LAB_PACKAGES') or os.path.join(TOP, 'build', 'packages')


class Package:
    """One server's unpacked packages, in a folder of its own."""

    def __init__(self, server, folder=None):
        self.server = server
        self.dir = os.path.abspath(folder or default_dir())
        self.tree = os.path.join(self.dir, server)

    def path(self, name):
        return os.path.join(self.tree, name)

    def library_path(self):
        lib = self.path('usr/lib')
        os.makedirs(lib, exist_ok=True)  # where there is a program alone
        triplets = sorted(d for d in os.listdir(lib) if d.endswith('-linux-gnu'))
        return ':'.join([*(os.path.join(lib, d) for d in triplets), os.path.join(lib, 'postfix')])

    def library(self, name):
        """Where an unpacked library is, for LD_PRELOAD."""
        for folder in self.library_path().split(':'):
            if os.path.exists(os.path.join(folder, name)):
                return os.path.join(folder, name)
        raise PackageError(f'{name} is not among the unpacked packages in {self.tree}')

    def env(self, **more):
        """The environment that an unpacked server runs in: nothing of the caller's."""
        return {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC',
                'LD_LIBRARY_PATH': self.library_path(), **more}

    def is_there(self):
        return os.path.exists(self.tree + '.ready')

    def need(self):
        """Unpacks the server if it is not there yet. Any number of tests may ask at once."""
        if self.is_there():
            return self
        os.makedirs(self.dir, exist_ok=True)
        with open(os.path.join(self.dir, 'lock'), 'w', encoding='ascii') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.is_there():
                self._unpack(SERVERS[self.server])
                self._complete()
                with open(self.tree + '.ready', 'w', encoding='ascii'):
                    pass
        return self

    def _complete(self):
        """Unpacks the libraries that this machine does not have."""
        for _ in range(4):
            missing = set()
            for program in PROGRAMS[self.server]:
                ldd = subprocess.run(['ldd', self.path(program)], env=self.env(), text=True,
                                     capture_output=True, check=False).stdout
                missing |= set(re.findall(r'^\s*(\S+) => not found', ldd, re.M))
            if not missing:
                return
            unknown = sorted(missing - set(LIBRARIES))
            if unknown:
                break
            self._unpack(sorted({LIBRARIES[name] for name in missing}))
        raise PackageError(f'{self.server}: libraries that are not found: {", ".join(sorted(missing))}')

    def _unpack(self, names):
        with tempfile.TemporaryDirectory(dir=self.dir) as folder:
            self._download(names, folder)
            for deb in sorted(os.listdir(folder)):
                if deb.endswith('.deb'):
                    subprocess.run(['dpkg', '-x', os.path.join(folder, deb), self.tree],
                                   check=True)
        exim = self.path('usr/sbin/exim4')
        if os.path.exists(exim):
            os.chmod(exim, 0o755)  # never set-user-ID

    def _download(self, names, folder):
        # As root, apt would warn that its own user cannot write here.
        options = ['-q', '-o', 'APT::Sandbox::User=root'] if os.geteuid() == 0 else ['-q']
        first = _apt([*options, 'download', *names], folder)
        if first is None:
            return
        # No lists of packages, or old ones: fetch them to a folder of our own, not the machine's.
        state = os.path.join(folder, 'state')
        os.makedirs(os.path.join(state, 'lists', 'partial'))
        os.makedirs(os.path.join(state, 'cache', 'archives', 'partial'))
        options += ['-o', f'Dir::State::Lists={state}/lists', '-o', f'Dir::Cache={state}/cache']
        again = _apt([*options, 'update'], folder) or _apt([*options, 'download', *names], folder)
        shutil.rmtree(state, ignore_errors=True)
        if again is not None:
            raise PackageError(f'cannot fetch {" ".join(names)} from Debian ({first}); '
                               'connect to the network once, or try: apt-get update')


def _apt(args, folder):
    """None if all went well, else apt's last words."""
    env = {**os.environ, 'LC_ALL': 'C.UTF-8'}
    run = subprocess.run(['apt-get', *args], cwd=folder, env=env, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, check=False)
    if run.returncode == 0:
        return None
    said = [line for line in run.stderr.splitlines() if line.startswith('E:')]
    return re.sub(r'https?://\S+', '…', said[-1] if said else f'apt-get ended {run.returncode}')


def reachable(path):
    """Whether any user can come to this path."""
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == '/':
            return True
        path = os.path.dirname(path)


def for_server(lab, server):
    """The package, where the lab's servers can reach it: a copy in the lab if they give up root
    and the checkout lies where only root can go."""
    package = Package(server).need()
    if not lab.root or reachable(package.tree):
        return package
    copy = Package(server, lab.path('packages'))
    if not copy.is_there():
        shutil.copytree(package.tree, copy.tree, symlinks=True)
        shutil.copy(package.tree + '.ready', copy.dir)
    return copy


def main():
    if len(sys.argv) < 2 or set(sys.argv[2:]) - set(SERVERS):
        sys.exit(f'usage: packages.py FOLDER [{"|".join(SERVERS)}]…')
    wanted = [Package(name, sys.argv[1]) for name in sys.argv[2:] or SERVERS]
    wanted = [package for package in wanted if not package.is_there()]
    if wanted:
        print(f'Unpacking Debian\'s {", ".join(p.server for p in wanted)} into '
              f'{os.path.relpath(sys.argv[1])} (not installed: this machine\'s own mail and DNS '
              'stay as they are) …', flush=True)
    try:
        for package in wanted:
            package.need()
    except PackageError as error:
        sys.exit(f'packages.py: {error}')


if __name__ == '__main__':
    main()
