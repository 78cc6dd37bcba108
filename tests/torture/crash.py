"""kill -9, short writes, EIO and ENOSPC at every call of a writer that changes the corpus.

What is acknowledged is there afterwards, a batch is there in whole or not at all, nothing is
there that was not submitted: the export is, octet for octet, that of an undisturbed corpus after
as many batches as were acknowledged, or one of those that were begun.
"""
import hashlib
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import programs  # noqa: E402

FAULT = os.path.join(programs.BUILD, 'tests/torture/fault.so')
WRITER = os.path.join(programs.BUILD, 'tests/torture/writer')
READER = os.path.join(programs.BUILD, 'tests/torture/reader')
KILLED = -9
NO_CORPUS = hashlib.sha256(b'no corpus yet').hexdigest()


class Broken(AssertionError):
    """A promise of the corpus was not kept."""


def preloaded(store, **plan):
    """The environment of a program that runs into a fault at a corpus or the directory above."""
    directory = os.path.dirname(store)
    env = programs.environment(LD_PRELOAD=FAULT, FAULT_DIR=directory)
    # The runtime of the sanitizers wants to be first; it works as second too.
    options = env.get('ASAN_OPTIONS', '')
    env['ASAN_OPTIONS'] = f'{options}:verify_asan_link_order=0:detect_leaks=0'.lstrip(':')
    return {**env, **plan}


def mxstore(*args, env=None):
    """A command of mxstore: its exit status, standard output in octets, standard error."""
    done = subprocess.run([programs.path('mxstore'), *map(str, args)], capture_output=True,
                          timeout=300, env=env or programs.environment(), check=False)
    return done.returncode, done.stdout, done.stderr.decode('utf-8', 'replace')


def export(store):
    """The export in octets."""
    status, out, err = mxstore('export', 'jsonl', '--quiet', '--store', store)
    if status != 0:
        raise Broken(f'export of {store}: status {status}: {err}')
    return out


def state(store):
    """What the corpus holds, as a hash; it is checked before."""
    status, out, err = mxstore('check', '--store', store)
    if status == 2 and 'no corpus here' in err:
        return NO_CORPUS
    if status != 0:
        raise Broken(f'check of {store}: status {status}: {out.decode()}{err}')
    return hashlib.sha256(export(store)).hexdigest()


def copy(source, target):
    """A corpus beside the one that is prepared."""
    shutil.rmtree(target, ignore_errors=True)
    if os.path.isdir(source):
        os.makedirs(target)
        shutil.copyfile(os.path.join(source, 'data.mdb'), os.path.join(target, 'data.mdb'))
    return target


def write(store, first, n, *options, env=None):
    """Batches from `first`: the writer that is running."""
    return subprocess.Popen([WRITER, '-f', str(first), '-n', str(n), *options, store],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            env=env or programs.environment())


class Witness:
    """What a writer told: how many batches are acknowledged, begun, failed."""

    def __init__(self, process, before, said=''):
        """said: what was read of it already."""
        out, self.err = process.communicate(timeout=300)
        out = said + out
        self.status, self.failed, self.state = process.returncode, [], None
        self.acknowledged = self.begun = before
        for line in out.split('\n')[:-1]:  # the last one is cut off, or empty
            word, rest = line.split(' ', 1)
            if word == 'begin':
                self.begun = int(rest) + 1
            elif word == 'done':
                self.acknowledged = int(rest) + 1
            elif word == 'state':
                self.state = rest
            else:
                self.failed.append(line)


class Golden:
    """The states of an undisturbed corpus after 0, 1, 2 … batches."""

    def __init__(self, folder):
        self.folder, self.states = folder, [NO_CORPUS]
        os.makedirs(folder)

    def store(self, n):
        """A corpus of n batches, not to be touched."""
        while len(self.states) <= n:
            k = len(self.states)
            copy(self.path(k - 1), self.path(k))
            told = Witness(write(self.path(k), k - 1, 1), k - 1)
            if told.acknowledged != k:
                raise Broken(f'batch {k - 1} cannot be written: {told.failed} {told.err}')
            self.states.append(state(self.path(k)))
        return self.path(n)

    def path(self, n):
        return os.path.join(self.folder, str(n))

    def judge(self, store, least, most):
        """The corpus has at least what was acknowledged and at most what was begun."""
        self.store(most)
        found = state(store)
        allowed = self.states[least:most + 1]
        if found not in allowed and not (least == 0 and self.is_empty(store, found)):
            there = [k for k, s in enumerate(self.states) if s == found]
            raise Broken(f'{store}: {least} batches are acknowledged, {most} begun; it has '
                         f'{there[0] if there else "none of their states"}')
        return found

    @staticmethod
    def is_empty(store, found):
        return found != NO_CORPUS and export(store) == b''


class Crash:
    """A writer of `batches` batches into a corpus that has `before`, again and again."""

    def __init__(self, golden, folder, before, batches):
        self.golden, self.folder, self.before, self.batches = golden, folder, before, batches
        golden.store(before + batches + 1)
        self.boundaries, self.lasts = self.count()

    def prepare(self, name):
        folder = os.path.join(self.folder, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        return copy(self.golden.path(self.before), os.path.join(folder, 'corpus'))

    def count(self):
        """How many boundaries there are, and how many seconds the writer takes."""
        store, trace = self.prepare('counted'), os.path.join(self.folder, 'counted.trace')
        Witness(write(store, self.before, self.batches,
                      env=preloaded(store, FAULT_TRACE=trace)), self.before)
        begun = time.monotonic()
        Witness(write(self.prepare('timed'), self.before, self.batches), self.before)
        lasts = time.monotonic() - begun
        n = sum(1 for event in read_trace(trace) if event.call != 'said')
        os.unlink(trace)
        return n, lasts

    def go_on(self, store, told):
        """A corpus that was hurt takes the next batch as if nothing had been."""
        n = told.acknowledged
        after = Witness(write(store, n, 1), n)
        if after.acknowledged != n + 1:
            raise Broken(f'{store}: does not go on: {after.failed} {after.err}')
        # What was begun may be in it beside.
        self.golden.judge(store, n + 1, max(n + 1, told.begun))

    def fault(self, plan, name, company=False):
        """One run into a fault; true if it came to it."""
        store = self.prepare(name)
        # Somebody who has the corpus open keeps its lock file from being made anew.
        reader = subprocess.Popen([READER, '-h', store], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) if company else None
        try:
            if reader:
                reader.stdout.readline()
            options = () if plan.startswith('kill') else ('-r',)
            told = Witness(write(store, self.before, self.batches, *options,
                                 env=preloaded(store, FAULT=plan)), self.before)
            if plan.startswith('kill'):
                self.golden.judge(store, told.acknowledged, told.begun)
            else:
                self.survived(store, told, plan)
            self.go_on(store, told)
        except Broken as broken:
            raise Broken(f'{plan}{" in company" if company else ""}: {broken}') from None
        finally:
            if reader:
                reader.communicate()
        shutil.rmtree(os.path.dirname(store))
        return told.status == KILLED if plan.startswith('kill') else bool(told.failed)

    def survived(self, store, told, plan):
        """An error is no crash: it is named, nothing is lost, the batch goes in afterwards."""
        if told.status != 0 or told.acknowledged != self.before + self.batches:
            raise Broken(f'the writer ended: {told.status} {told.failed} {told.err}')
        self.golden.judge(store, told.acknowledged, told.acknowledged)
        reasons = {'eio': ('Input/output error',), 'enospc': ('No space left on device',),
                   'short': ('No space left on device', 'Input/output error')}
        for line in told.failed:
            # LMDB goes no further where it failed to write a head page.
            wanted = (('a write to the disk failed before',) if line.startswith('failed again')
                      else reasons[plan.split(':')[0]])
            if not any(reason in line for reason in wanted):
                raise Broken(f'the reason is not named: {line}')

    def kill_at_random(self, name, chance):
        """kill -9 from outside, at a moment of chance: so long after a batch was begun."""
        store = self.prepare(name)
        process = write(store, self.before, self.batches)
        after, said = f'begin {chance.randrange(self.before, self.before + self.batches)}\n', ''
        while not said.endswith(after):
            line = process.stdout.readline()
            if not line:
                break  # what it said then tells why
            said += line
        time.sleep(chance.uniform(0, self.lasts / self.batches))
        process.kill()
        told = Witness(process, self.before, said + process.stdout.read())
        self.golden.judge(store, told.acknowledged, told.begun)
        self.go_on(store, told)
        return told.status == KILLED


CALLS = ('said', 'write', 'sync', 'truncate', 'create', 'rename', 'link', 'unlink', 'mkdir',
         'msync')


class Event:
    """One record of a trace (fault.c)."""
    __slots__ = ('call', 'durable', 'path', 'offset', 'data')

    def __init__(self, call, flags, path, offset, data):
        self.call, self.durable, self.path = CALLS[call], flags & 1 != 0, path
        self.offset, self.data = offset, data


def read_trace(file):
    """The events of a trace, in order."""
    with open(file, 'rb') as f:
        data = f.read()
    events, at = [], 0
    while at < len(data):
        call, flags = data[at], data[at + 1]
        path_len = int.from_bytes(data[at + 2:at + 4], 'little')
        offset = int.from_bytes(data[at + 4:at + 12], 'little')
        data_len = int.from_bytes(data[at + 12:at + 20], 'little')
        at += 20
        path = data[at:at + path_len].decode()
        at += path_len
        events.append(Event(call, flags, path, offset, data[at:at + data_len]))
        at += data_len
    return events
