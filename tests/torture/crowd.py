"""Two writers, eight readers, exports and copies at once, for a while.

Readers check in every view that no batch is there in part and that nothing goes back (reader.c).
Some are killed with a view open: the pages that they saw must not be kept for ever.

How large may the file become? What is replaced while a view is open cannot be used again till it
is closed: an export or a backup of a second costs what is replaced in a second, and the file keeps
that size. So the file may have what the same batches make without any reader, and what batches
replaced in the longest time that one view was open, measured here. A reader that is stuck, or a
dead one that is not cleared away, soon makes it more.
"""
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from crash import READER, Broken, Witness, mxstore, write
from lab import programs

BATCHES = 12000  # at most: so long may the export become


def file_size(store):
    return os.stat(os.path.join(store, 'data.mdb')).st_size


class Writer:
    """One that goes on until it is ended, and how many batches it has acknowledged."""

    def __init__(self, store, number, pause_ms):
        self.process = write(store, 0, 10 ** 6, '-w', str(number), '-p', str(pause_ms))
        self.batches = 0
        # A pipe that nobody reads would stop it soon.
        self.thread = threading.Thread(target=self.count)
        self.thread.start()

    def count(self):
        for line in self.process.stdout:
            self.batches += line.startswith('done ')

    def finish(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()


class Crowd:
    WRITERS = 2

    def __init__(self, folder, seconds, readers=8):
        self.folder, self.store = folder, os.path.join(folder, 'corpus')
        self.seconds, self.readers = seconds, []
        os.makedirs(folder)
        pause_ms = max(2, int(seconds * 1000 * self.WRITERS / BATCHES))
        self.writers = [Writer(self.store, w, pause_ms) for w in range(self.WRITERS)]
        # A reader is no writer: there must be something to read.
        while min(writer.batches for writer in self.writers) == 0:
            self.alive()
            time.sleep(0.01)
        self.readers = [self.read() for _ in range(readers)]
        self.counts = {'views': 0, 'readers killed': 0, 'exports': 0, 'copies': 0}
        self.longest = 0  # batches that were written while one view was open

    def batches(self):
        return sum(writer.batches for writer in self.writers)

    def held(self, what, *args):
        """Does what holds a view open, and sees how many batches come meanwhile."""
        before = self.batches()
        try:
            return what(*args)
        finally:
            self.longest = max(self.longest, self.batches() - before)

    def read(self):
        return subprocess.Popen([READER, '-w', str(self.WRITERS), self.store],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env=programs.environment())

    def kill_a_reader(self, chance):
        """One that has had a view open for a while."""
        held = hold_a_view(self.store, self.WRITERS)
        time.sleep(chance.uniform(0, 0.2))
        held.kill()
        out, _ = held.communicate()
        if 'broken' in out or held.returncode != -signal.SIGKILL:
            raise Broken(f'a reader: {out}')
        self.counts['readers killed'] += 1

    def look_on(self):
        """An export and a backup: whole states, each of them."""
        self.back_up()
        status, out, err = self.held(mxstore, 'export', 'jsonl', '--quiet', '--store', self.store)
        if status != 0:
            raise Broken(f'export: {status} {err}')
        ledger = {}
        for host in re.findall(rb'"host":"(ledger\d\.w\d)\.test"', out):
            ledger[host] = ledger.get(host, 0) + 1
        for w in range(self.WRITERS):
            lengths = {n for host, n in ledger.items() if host.endswith(b'w%d' % w)}
            if len(lengths) != 1:
                raise Broken(f'export: writer {w}: a batch in part: {lengths}')
        self.counts['exports'] += 1

    def back_up(self):
        copy = os.path.join(self.folder, 'copy')
        shutil.rmtree(copy, ignore_errors=True)
        for args in (('backup', copy, '--quiet', '--store', self.store),
                     ('check', '--store', copy)):
            status, out, err = self.held(mxstore, *args)
            if status != 0:
                raise Broken(f'{args[0]}: {status} {out.decode()} {err}')
        self.counts['copies'] += 1

    def run(self, chance):
        end = time.monotonic() + self.seconds
        try:
            while time.monotonic() < end:
                before = self.batches()
                self.held(self.kill_a_reader, chance)
                self.look_on()
                self.alive()
                if self.batches() == before:
                    raise Broken('the writers stand still')
        finally:
            self.finish()
        self.judge_size()

    def alive(self):
        for writer in self.writers:
            if writer.process.poll() is not None:
                raise Broken(f'a writer ended: {writer.process.returncode} '
                             f'{writer.process.stderr.read()}')
        for process in self.readers:
            if process.poll() is not None:
                raise Broken(f'a reader ended: {process.communicate()[0]}')

    def finish(self):
        for writer in self.writers:
            writer.finish()
        self.counts['batches'] = self.batches()
        broken = []
        for process in self.readers:
            out, _ = process.communicate()
            if process.returncode != 0:
                broken.append(out)
            else:
                told = re.search(r'views (\d+), longest (\d+)', out)
                self.counts['views'] += int(told[1])
                self.longest = max(self.longest, int(told[2]))
        if broken:
            raise Broken(f'readers: {broken}')
        status, found, err = mxstore('check', '--store', self.store)
        if status != 0:
            raise Broken(f'check: {status} {found.decode()} {err}')

    def judge_size(self):
        """The same batches without a reader, and then some under a view, for comparison."""
        alone, octets = os.path.join(self.folder, 'alone'), file_size(self.store)
        for w, writer in enumerate(self.writers):
            told = Witness(write(alone, 0, writer.batches, '-w', str(w)), 0)
            if told.acknowledged != writer.batches:
                raise Broken(f'alone: {told.failed} {told.err}')
        plain = file_size(alone)
        each = replaced_by_a_batch(alone, self.WRITERS, self.writers[0].batches)
        # A fifth more: pages that are free, but not side by side, do for no large record.
        most = plain * 6 // 5 + each * self.longest * 6 // 5
        self.counts[f'octets ({plain} without readers; {self.longest} batches under one view, each '
                    f'of which replaces {each}; at most {most})'] = octets
        if octets > most:
            raise Broken(f'the file has {octets} octets, and {most} at most were to be expected')


def hold_a_view(store, writers):
    """A reader that does."""
    held = subprocess.Popen([READER, '-w', str(writers), '-v', store], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, env=programs.environment())
    held.stdout.readline()
    time.sleep(0.1)
    return held


def replaced_by_a_batch(store, writers, n):
    """Octets that writer 0 cannot use again, a batch, while a view is open; it has written n."""
    held = hold_a_view(store, writers)
    before = file_size(store)
    Witness(write(store, n, 50), n)
    out, _ = held.communicate()
    if held.returncode != 0:
        raise Broken(f'a reader: {out}')
    return (file_size(store) - before) // 50


def wait_for(process, line):
    while True:
        said = process.stdout.readline()
        if said.strip() == line:
            return
        if not said:
            raise Broken(f'it ended before "{line}": {process.stderr.read()}')


def growth(folder, leave_a_dead_reader):
    """Octets by which a corpus grows while a writer that has it open goes on; a reader that was
    killed with a view open before, or none."""
    store = os.path.join(folder, 'corpus')
    os.makedirs(folder)
    writer = write(store, 0, 80, '-p', '20')
    wait_for(writer, 'done 9')
    if leave_a_dead_reader:
        held = hold_a_view(store, 1)
        held.kill()
        held.communicate()
    out, err = writer.communicate()
    if writer.returncode != 0:
        raise Broken(f'the writer: {out} {err}')
    return file_size(store)
