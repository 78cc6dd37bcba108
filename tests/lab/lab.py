"""One lab: a temporary folder, the processes started in it, and ports that are free.

    with Lab() as lab:
        port = lab.free_port(['127.0.0.11', '::1'])
        lab.spawn('nsd', [...])

Leaving the block ends every process that the lab started (by its id) and removes the folder.
Each process is also told to end if this one is killed outright.
"""
import contextlib
import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# Below the ephemeral range, so that no outgoing connection takes a port between look and use.
PORTS = range(20000, 32000)
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class LabError(Exception):
    """The lab could not be set up; the text says what to do."""


def wait_until(condition, seconds, what):
    """Polls condition until it is true; LabError after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise LabError(f'{what}: not within {seconds} s')
        time.sleep(0.02)


def family(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def can_bind(address, port=0, kind=socket.SOCK_STREAM):
    with socket.socket(family(address), kind) as s:
        # As a daemon would: connections of an earlier test in TIME_WAIT are no obstacle.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen()
        except OSError:
            return False
    return True


def can_connect(address, port):
    with socket.socket(family(address), socket.SOCK_STREAM) as s:
        s.settimeout(1)
        return s.connect_ex((address, port)) == 0


def end(process, seconds=5):
    """Ends one process that we started: asks, waits, insists."""
    for ask in (process.terminate, process.kill):
        if process.poll() is not None:
            return
        ask()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def _processes():
    """(process id, its parent's, its group's) of everything that runs."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/stat', encoding='latin-1') as f:
                _, parent, group = f.read().rpartition(')')[2].split()[:3]
            yield int(pid), int(parent), int(group)


def _family(leader):
    """Those of the leader's group, and what any of them forked."""
    everything = list(_processes())
    found = [pid for pid, _, group in everything if group == leader]
    for ancestor in found:
        found += [pid for pid, parent, _ in everything if parent == ancestor and pid not in found]
    return set(found) - {leader}


def end_family(process):
    """Ends a server and sees that what it forked is gone, too: its orphans are ours by now."""
    family = _family(process.pid)
    end(process)
    deadline = time.monotonic() + 5
    while family := {p for p in family | _family(process.pid) if os.path.exists(f'/proc/{p}')}:
        for pid in family:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)


def _adopt_orphans():
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _stop(number, _frame):
    raise SystemExit(128 + number)


class Lab:
    def __init__(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop)
        _adopt_orphans()
        self.dir = tempfile.mkdtemp(prefix='mx509-lab-')
        self._stack = contextlib.ExitStack()
        self._stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        # Servers give up root where the run is root: they must reach the folder.
        self.root = os.geteuid() == 0
        if self.root:
            os.chmod(self.dir, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stack.close()

    def on_close(self, function, *args):
        self._stack.callback(function, *args)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def folder(self, name):
        """A new folder that an unprivileged server can write to."""
        path = self.path(name)
        os.mkdir(path)
        if self.root:
            nobody = pwd.getpwnam('nobody')
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        return path

    def server_ids(self):
        """(user id, group id) that servers run under: ours, or nobody's where we are root."""
        if not self.root:
            return os.getuid(), os.getgid()
        nobody = pwd.getpwnam('nobody')
        return nobody.pw_uid, nobody.pw_gid

    def as_server(self, argv):
        """The command that runs argv without privilege, and ends it when we are gone."""
        drop = ['--reuid=nobody', '--regid=nogroup', '--clear-groups'] if self.root else []
        return ['setpriv', '--pdeathsig=TERM', *drop, '--', *argv]

    def spawn(self, name, argv, env=None, drop=True):
        """Starts a server; its output goes to NAME.out in the lab's folder."""
        argv = self.as_server(argv) if drop else ['setpriv', '--pdeathsig=TERM', '--', *argv]
        with open(self.path(name + '.out'), 'ab') as out:
            process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=out, cwd=self.dir, process_group=0)
        self._stack.callback(end_family, process)
        return process

    def output(self, name):
        with open(self.path(name + '.out'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def wait_listening(self, name, process, addresses, port):
        """Until the server answers on every address; what it said, if it ends before."""
        def ready():
            if process.poll() is not None:
                raise LabError(f'{name} ended with {process.returncode}: {self.output(name)}')
            return all(can_connect(a, port) for a in addresses)
        wait_until(ready, 20, f'{name} listening on port {port}')

    def free_port(self, addresses, kinds=(socket.SOCK_STREAM,)):
        for _ in range(200):
            port = random.choice(PORTS)
            if all(can_bind(a, port, kind) for a in addresses for kind in kinds):
                return port
        raise LabError(f'no free port on {", ".join(addresses)}')


def has_ipv6():
    """Whether loopback has ::1 (containers without IPv6 exist)."""
    try:
        return can_bind('::1')
    except OSError:
        return False


def free_net():
    """'127.A.B.': a part of loopback of a test's own, so that tests run side by side."""
    return f'127.{random.randrange(1, 255)}.{random.randrange(0, 255)}.'
