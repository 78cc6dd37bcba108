"""Two writers, eight readers, exports and copies at once, for a while.

Readers check in every view that no batch is there in part and that nothing goes back (reader.c).
Some are killed with a view open: the pages that they saw must not be kept for ever.
"""
import os
import re
import shutil
import signal
import subprocess
import time

from crash import READER, Broken, mxstore, write
from lab import programs


class Crowd:
    WRITERS = 2

    def __init__(self, folder, readers=8):
        self.folder, self.store = folder, os.path.join(folder, 'corpus')
        os.makedirs(folder)
        self.writers = [write(self.store, 0, 10 ** 6, '-w', str(w), '-p', '2')
                        for w in range(self.WRITERS)]
        # A reader is no writer: there must be something to read.
        for writer in self.writers:
            self.wait_for(writer, 'done 0')
        self.readers = [self.read() for _ in range(readers)]
        self.counts = {'views': 0, 'readers killed': 0, 'exports': 0, 'copies': 0}
        self.sizes = []

    @staticmethod
    def wait_for(process, line):
        while True:
            said = process.stdout.readline()
            if said.strip() == line:
                return
            if not said:
                raise Broken(f'it ended before "{line}": {process.stderr.read()}')

    def read(self, *options):
        return subprocess.Popen([READER, '-w', str(self.WRITERS), *options, self.store],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env=programs.environment())

    def size(self):
        return os.stat(os.path.join(self.store, 'data.mdb')).st_size

    def kill_a_reader(self, chance):
        """One that has had a view open for a while."""
        held = self.read('-v')
        held.stdout.readline()
        time.sleep(chance.uniform(0.1, 0.3))
        held.kill()
        out, _ = held.communicate()
        if 'broken' in out or held.returncode != -signal.SIGKILL:
            raise Broken(f'a reader: {out}')
        self.counts['readers killed'] += 1

    def look_on(self):
        """An export and a backup: whole states, each of them."""
        self.back_up()
        status, out, err = mxstore('export', 'jsonl', '--quiet', '--store', self.store)
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
            status, out, err = mxstore(*args)
            if status != 0:
                raise Broken(f'{args[0]}: {status} {out.decode()} {err}')
        self.counts['copies'] += 1

    def run(self, seconds, chance):
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.kill_a_reader(chance)
                self.look_on()
                self.sizes.append(self.size())
                self.alive()
        finally:
            self.finish()

    def alive(self):
        for process in self.writers:
            if process.poll() is not None:
                raise Broken(f'a writer ended: {process.returncode} {process.communicate()}')
        for process in self.readers:
            if process.poll() is not None:
                raise Broken(f'a reader ended: {process.communicate()[0]}')

    def finish(self):
        batches = []
        for process in self.writers:
            process.terminate()
            out, _ = process.communicate()
            batches.append(len(re.findall('^done', out, re.M)) + 1)
        self.counts['batches'] = sum(batches)
        broken = []
        for process in self.readers:
            out, _ = process.communicate()
            if process.returncode != 0:
                broken.append(out)
            else:
                self.counts['views'] += int(re.search(r'views (\d+)', out)[1])
        if broken:
            raise Broken(f'readers: {broken}')
        status, found, err = mxstore('check', '--store', self.store)
        if status != 0:
            raise Broken(f'check: {status} {found.decode()} {err}')


def growth(folder, leave_a_dead_reader):
    """Octets by which a corpus grows while a writer that has it open goes on; a reader that was
    killed with a view open before, or none."""
    store = os.path.join(folder, 'corpus')
    os.makedirs(folder)
    writer = write(store, 0, 80, '-p', '20')
    Crowd.wait_for(writer, 'done 9')
    if leave_a_dead_reader:
        held = subprocess.Popen([READER, '-w', '1', '-v', store], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, env=programs.environment())
        held.stdout.readline()
        time.sleep(0.1)
        held.kill()
        held.communicate()
    out, err = writer.communicate()
    if writer.returncode != 0:
        raise Broken(f'the writer: {out} {err}')
    return os.stat(os.path.join(store, 'data.mdb')).st_size
