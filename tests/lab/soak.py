"""A soak: many probes of the farm (farm.c), a third of whose servers misbehave.

    soak.py [--probes N] [--threads N]      (200,000 and the cores; ./dev soak)

What must hold: the outcome of every server is the one that its behaviour demands, each probe that
the summary counts is in the corpus and no other, the corpus is sound, and memory does not grow while
the run goes on. Says what was seen; exits 1 if anything does not hold.

On a busy machine the farm may answer too late, and says so itself: what timed out at an
address that was kept waiting by the farm for half of the time-out or more is told apart, and no
failure of the collector, so long as there is little of it.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import programs  # noqa: E402
from lab.lab import Lab, end  # noqa: E402

SNI = ('none', 'hostname', 'unknown')
LATER = {'421', '450'}  # three attempts an address, whatever the variant
OUTCOMES = {
    'good': 'success', 'drip': 'io-timeout', '421': 'rate-limited',
    'no-starttls': 'starttls-not-offered', 'garbage': 'protocol-error',
    'close': 'connection-closed', 'endless': 'protocol-error', 'stall': 'io-timeout',
    'giant': 'handshake-error', 'reset': 'connection-closed', 'silent': 'io-timeout',
    '454': 'starttls-rejected', 'alert': 'tls-alert', 'inject': 'protocol-error',
    'tls12': 'success', 'big-ehlo': 'success', '450': 'temporary-reject',
    '554': 'permanent-reject', 'junk': 'handshake-error', 'tickets': 'success',
    'fragments': 'success', 'helo-only': 'starttls-not-offered',
    'renegotiate': 'success',
}
FLAGS = {'inject': ['injection'], 'giant': ['chain-too-long']}
TIMEOUTS = {'io-timeout', 'connection-timeout'}
LATE_MS = 200  # what the farm tells
MOST_LATE = 0.02  # of all addresses: beyond this the machine was too busy for a verdict
GROWTH = 48 << 20  # octets from half of the run to its end


def farm_path():
    return os.path.join(programs.BUILD, 'tests', 'lab', 'farm')


def behaviours():
    """{second octet: name}"""
    lines = subprocess.run([farm_path(), '--list'], check=True, text=True, capture_output=True)
    pairs = (line.split() for line in lines.stdout.splitlines())
    return {int(octet): name for octet, name in pairs}


def targets(addresses, port, bad):
    """(line, behaviour): every third address is one of the bad ones, in turn."""
    octets = sorted(bad)
    for i in range(addresses):
        octet = octets[i // 3 % len(octets)] if i % 3 == 0 else 10 + (i >> 16)
        name = bad.get(octet, 'good')
        yield f'm{i}.{name}.test@127.{octet}.{i >> 8 & 255}.{i & 255}:{port}'


class Soak:
    def __init__(self, lab, probes, threads=None, timeout=10, concurrency=400):
        self.lab, self.failures, self.rss = lab, [], []
        self.addresses = max(probes // len(SNI), 3)
        self.store = lab.path('store')
        self.port = lab.free_port(['127.0.0.1'])
        self.farm = lab.spawn('farm', [farm_path(), str(self.port), '1', str(LATE_MS)],
                              drop=False)
        self.timeout, self.late, self.excused = timeout, {}, set()
        lab.wait_listening('farm', self.farm, ['127.0.0.1'], self.port)
        self.argv = [programs.path('mxcollect'), 'run', '-f', '-', '--store', self.store,
                     '--allow-private', '--per-address-gap', 0, '--sni', ','.join(SNI),
                     '--timeout', timeout, '--concurrency', concurrency,
                     *(['--threads', threads] if threads else [])]

    def fail(self, text):
        if len(self.failures) < 40:
            self.failures.append(text)

    def run(self):
        with open(self.lab.path('err'), 'w+', encoding='utf-8') as err:
            process = subprocess.Popen(map(str, self.argv), stdin=subprocess.PIPE, stderr=err,
                                       text=True, env=programs.environment())
            watch = threading.Thread(target=self.watch, args=(process,))
            watch.start()
            for line in targets(self.addresses, self.port, behaviours()):
                process.stdin.write(line + '\n')
            process.stdin.close()
            status = process.wait()
            watch.join()
            err.seek(0)
            self.err = err.read()
        if status != 0:
            self.fail(f'mxcollect ended with {status}: {self.err[-2000:]}')

    def read_late(self):
        """How long the farm let each address wait, in all, by its own log."""
        end(self.farm)
        for line in self.lab.output('farm').splitlines():
            words = line.split()
            # It may have been ended while it wrote.
            if len(words) == 3 and words[0] == 'late' and words[2].isdigit():
                self.late[words[1]] = self.late.get(words[1], 0) + int(words[2])

    def is_late(self, address):
        return self.late.get(address, 0) >= self.timeout * 500

    def watch(self, process):
        while process.poll() is None:
            try:
                with open(f'/proc/{process.pid}/statm', encoding='ascii') as f:
                    words = f.read().split()
                # Pages of the corpus are the kernel's cache, not the program's memory.
                self.rss.append((int(words[1]) - int(words[2])) * os.sysconf('SC_PAGE_SIZE'))
            except (OSError, IndexError):
                break
            time.sleep(0.25)

    def observations(self):
        process = subprocess.Popen([programs.path('mxstore'), 'export', 'jsonl', '--store',
                                    self.store], stdout=subprocess.PIPE, text=True,
                                   env=programs.environment())
        for line in process.stdout:
            o = json.loads(line)
            if o['type'] == 'observation':
                yield o
        if process.wait() != 0:
            self.fail('mxstore export failed')

    def check_observations(self):
        seen, stored = collections.Counter(), 0
        for o in self.observations():
            name = o['host'].split('.')[1]
            stored += 1
            seen[name, o['host']] += 1
            want = OUTCOMES[name]
            # That the clocks disagreed is the machine's doing.
            flags = [f for f in o['flags'] if f != 'clock-stepped']
            if o['outcome'] in TIMEOUTS - {want} and self.is_late(o['address']):
                self.excused.add(o['host'])
            elif o['outcome'] != want or flags != FLAGS.get(name, []):
                self.fail(f'{o["host"]} {o["sni"]}: {o["outcome"]} {o["flags"]} '
                          f'{o["errno"]}, not {want}')
        for (name, host), n in seen.items():
            # After a connection that timed out the address was left alone.
            if n != len(SNI) and host not in self.excused:
                self.fail(f'{host}: {n} observations')
        if len(seen) != self.addresses:
            self.fail(f'{len(seen)} of {self.addresses} addresses were seen')
        said = re.search(r'(\d+) probes:', self.err)
        if not said or int(said[1]) != stored:
            self.fail(f'{stored} stored, but said: {self.err[-500:]}')
        return stored

    def check(self):
        self.read_late()
        stored = self.check_observations()
        if len(self.excused) > MOST_LATE * self.addresses:
            self.fail(f'the farm was late for {len(self.excused)} of {self.addresses} addresses: '
                      'the machine was too busy, run it again')
        sound = programs.run('mxstore', 'check', '--store', self.store)
        if sound.status != 0:
            self.fail(f'mxstore check: {sound}')
        half = max(self.rss[:len(self.rss) // 2 + 1] or [0])
        growth = max(self.rss or [0]) - half
        if growth > GROWTH:
            self.fail(f'memory grew by {growth >> 20} MiB after half of the time')
        return stored, max(self.rss or [0]), growth


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--probes', type=int, default=200000)
    parser.add_argument('--threads', type=int)
    args = parser.parse_args()
    with Lab() as lab:
        soak = Soak(lab, args.probes, args.threads)
        begin = time.monotonic()
        soak.run()
        print(f'{time.monotonic() - begin:.0f} s: {soak.err.strip().splitlines()[-1]}')
        stored, most, growth = soak.check()
        print(f'{stored} stored; at most {most >> 20} MiB of memory, {growth >> 20} MiB more '
              'than in the first half')
        if soak.excused:
            print(f'{len(soak.excused)} addresses timed out because the farm was late, by its own '
                  f'log (up to {max(soak.late.values()) / 1000:.1f} s)')
        for line in soak.failures:
            print('failed:', line)
        sys.exit(1 if soak.failures else 0)


if __name__ == '__main__':
    main()
