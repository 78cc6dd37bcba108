"""A soak of mxcollect watch: thousands of addresses of the farm (farm.c), a tenth of whose servers
misbehave, a roll-out now and then, and a follower of the feed.

    soak_watch.py [--seconds N] [--addresses N] [--interval S] [--roll-out-every S]
                  (3600, 2000, 30, 300; ./dev soak watch)

What must hold: the feed tells of every roll-out once (what comes again says that it does), and of
nothing else; the corpus is sound; the memory of watch and follower, and what the corpus grows by for
an observation, stay flat once the first sixth of the time is over. Draws both, says what watch costs
when there is nothing to do; exits 1 if anything does not hold.
"""
import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import programs  # noqa: E402
from lab.lab import Lab, end  # noqa: E402
from lab.soak import behaviours, farm_path  # noqa: E402

FAULTY = ('drip', '421', 'garbage', 'close', 'stall', 'reset', 'silent', '454', 'inject', '554', 'junk')
GROUPS = 8
GROWTH = 8 << 20  # octets of memory after the first sixth
FILE_EACH = 400  # octets of file for an observation, then: pages, not only what is in them
TICKS = os.sysconf('SC_CLK_TCK')
BARS = '▁▂▃▄▅▆▇█'


def rss(pid):
    """Octets of a process's own: pages of the corpus are the kernel's cache."""
    with open(f'/proc/{pid}/statm', encoding='ascii') as f:
        words = f.read().split()
    return (int(words[1]) - int(words[2])) * os.sysconf('SC_PAGE_SIZE')


def cpu(pid):
    """Seconds so far."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as f:
        words = f.read().rpartition(')')[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def plot(values, width=72):
    """A line of bars from 0 to the greatest."""
    if not values:
        return ''
    step = max(len(values) / width, 1)
    picked = [max(values[int(i * step):max(int((i + 1) * step), int(i * step) + 1)])
              for i in range(int(len(values) / step))]
    most = max(picked) or 1
    return ''.join(BARS[int(v / most * (len(BARS) - 1))] for v in picked)


def targets(addresses, port):
    """Lines; in each group every tenth server is a faulty one."""
    octets = {name: octet for octet, name in behaviours().items()}
    for i in range(addresses):
        group, number = i % GROUPS, i // GROUPS
        faulty = FAULTY[number // 10 % len(FAULTY)] if number % 10 == 9 else None
        octet = octets[faulty] if faulty else 10 + (number >> 8)
        yield f'm{i}.op{group}.test@127.{octet}.{group}.{number & 255}:{port}\n'


class Soak:
    def __init__(self, lab, seconds=3600, addresses=2000, interval=30, every=300, timeout=5,
                 threads=None):
        self.lab, self.failures, self.samples = lab, [], []
        self.seconds, self.addresses, self.interval, self.every = seconds, addresses, interval, every
        self.timeout, self.roll_outs, self.growth = timeout, 0, GROWTH
        self.threads = threads  # None: the cores
        self.store = lab.path('store')
        self.port = lab.free_port(['127.0.0.1'])
        self.farm = lab.spawn('farm', [farm_path(), str(self.port), '2', '0', str(GROUPS)], drop=False)
        lab.wait_listening('farm', self.farm, ['127.0.0.1'], self.port)
        with open(lab.path('targets'), 'w', encoding='ascii') as f:
            f.writelines(targets(addresses, self.port))

    def fail(self, text):
        if len(self.failures) < 40:
            self.failures.append(text)

    def spawn(self, name, *argv):
        return self.lab.spawn(name, [programs.path(argv[0]), *map(str, argv[1:])],
                              env=programs.environment(), drop=False)

    def watch_args(self, interval):
        return ('mxcollect', 'watch', '-f', self.lab.path('targets'), '--store', self.store,
                '--allow-private', '--per-address-gap', 0, '--sni', 'hostname', '--timeout',
                self.timeout, '--interval', interval, '--concurrency', 400,
                *(('--threads', self.threads) if self.threads else ()))

    def run(self):
        self.watch = self.spawn('watch', *self.watch_args(self.interval))
        # The first pass is nobody's news; the follower begins with it all the same.
        while not os.path.exists(os.path.join(self.store, 'data.mdb')):
            time.sleep(0.1)
        self.feed = self.spawn('feed', 'mxdiff', 'feed', '--follow', '--store', self.store)
        begin, due = time.monotonic(), self.first_roll_out()
        while (now := time.monotonic() - begin) < self.seconds:
            # The last one has time to be seen by everybody.
            if now >= due and now < self.seconds - 2 * self.interval - 5:
                self.farm.send_signal(signal.SIGUSR1)
                self.roll_outs += 1
                due += self.every
            self.sample(now)
            time.sleep(max(min(self.seconds / 360, 5), 0.5))
            for process, name in ((self.watch, 'watch'), (self.feed, 'feed')):
                if process.poll() is not None:
                    self.fail(f'{name} ended with {process.returncode}: '
                              f'{self.lab.output(name)[-2000:]}')
                    return
        self.cost = cpu(self.watch.pid), cpu(self.feed.pid)

    def first_roll_out(self):
        return 2 * self.interval + 5

    def sample(self, now):
        self.samples.append((now, rss(self.watch.pid), rss(self.feed.pid),
                             os.stat(os.path.join(self.store, 'data.mdb')).st_blocks * 512,
                             descriptors(self.watch.pid), descriptors(self.feed.pid)))

    def stop(self):
        end(self.watch, 60)
        if self.watch.returncode != 0:
            self.fail(f'watch ended with {self.watch.returncode}: {self.lab.output("watch")[-2000:]}')
        time.sleep(3)
        end(self.feed, 20)

    def events(self):
        """What the follower said."""
        events = []
        for line in self.lab.output('feed').split('\n'):
            if line.startswith('{'):
                events.append(json.loads(line))
            elif line:
                self.fail(f'feed: {line}')
        return events

    def check_feed(self):
        windows, changes = collections.Counter(), collections.Counter()
        for e in self.events():
            if e['type'] == 'window' and not e.get('update'):
                windows[e['id']] += 1
            elif e['type'] == 'change':
                changes[e['id']] += 1
        if len(windows) != self.roll_outs:
            self.fail(f'{self.roll_outs} roll-outs, but the feed told of {len(windows)}')
        for kind, counts in (('window', windows), ('change', changes)):
            for name, n in counts.items():
                if n > 1:
                    self.fail(f'{kind} {name} was told {n} times')
        good = sum(1 for line in targets(self.addresses, 1) if '@127.10.' in line or '@127.11.' in line)
        expected = good * self.roll_outs / GROUPS
        if not expected * 0.95 <= len(changes) <= expected * 1.05:
            self.fail(f'{len(changes)} changes were told, not {expected:.0f}')
        return len(changes)

    def check_growth(self):
        settled = [s for s in self.samples if s[0] > self.seconds / 6] or self.samples[-1:]
        for column, name in ((1, 'watch'), (2, 'feed')):
            first = max(s[column] for s in settled[:max(len(settled) // 5, 1)])
            growth = max(s[column] for s in settled) - first
            if growth > self.growth:
                self.fail(f'{name}: {growth >> 20} MiB more memory than after a sixth of the time')
        for column, name in ((4, 'watch'), (5, 'feed')):
            most = [s[column] for s in settled]
            if max(most[len(most) // 2:]) > max(most[:len(most) // 2 + 1]) + 400:
                self.fail(f'{name}: open files grow: {most[0]} … {most[-1]}')
        return settled[-1][3] - settled[0][3], settled[-1][0] - settled[0][0]

    def idle(self, seconds=10):
        """What a watch costs that has made its pass and waits: CPU in percent."""
        watch = self.spawn('idle', *self.watch_args(3600))
        self.farm.poll()
        deadline = time.monotonic() + 90
        while ' probe' not in self.lab.output('idle') and time.monotonic() < deadline:
            time.sleep(0.5)
        time.sleep(2)
        before = cpu(watch.pid)
        time.sleep(seconds)
        percent = (cpu(watch.pid) - before) / seconds * 100
        end(watch, 30)
        return percent

    def check(self):
        changes = self.check_feed()
        grown, took = self.check_growth()
        stat = programs.run('mxstore', 'stat', '--json', '--store', self.store)
        sound = programs.run('mxstore', 'check', '--store', self.store)
        if sound.status != 0:
            self.fail(f'mxstore check: {sound}')
        observations = json.loads(stat.out)['observations']
        each = grown / max(observations * took / self.seconds, 1)
        if each > FILE_EACH:
            self.fail(f'the corpus grew by {each:.0f} octets an observation')
        return observations, changes, each

    def draw(self):
        for column, name in ((1, 'watch, memory'), (2, 'feed, memory'), (3, 'corpus, file')):
            values = [s[column] for s in self.samples]
            print(f'{name:14} {plot(values)} {max(values) / (1 << 20):.1f} MiB at most')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--seconds', type=int, default=3600)
    parser.add_argument('--addresses', type=int, default=2000)
    parser.add_argument('--interval', type=int, default=30)
    parser.add_argument('--roll-out-every', type=int, default=300)
    args = parser.parse_args()
    with Lab() as lab:
        soak = Soak(lab, args.seconds, args.addresses, args.interval, args.roll_out_every)
        soak.run()
        soak.stop()
        observations, changes, each = soak.check()
        soak.draw()
        print(f'{args.seconds} s: {observations} observations, {soak.roll_outs} roll-outs, '
              f'{changes} changes told; {each:.0f} octets of file an observation after a sixth')
        if hasattr(soak, 'cost'):
            print(f'CPU: watch {soak.cost[0] / args.seconds * 100:.2f} %, '
                  f'feed {soak.cost[1] / args.seconds * 100:.2f} %, '
                  f'a watch that waits {soak.idle():.3f} %')
        for line in soak.failures:
            print('failed:', line)
        sys.exit(1 if soak.failures else 0)


if __name__ == '__main__':
    main()
