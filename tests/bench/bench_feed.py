#!/usr/bin/env python3
"""./dev bench feed [SECONDS]: what following the feed costs, beside its limits.

Idle: the processor's time of a follower that waits, over SECONDS (60). Promptness: 60 commits, one a
second or so, each of a change; from the start of the import that makes the commit, which so counts
as well, to the line of the change. A roll-out: 20 addresses of an operator convert, a commit each;
what a batch costs the follower against how many addresses the operator has, whole and with
--type change; and where 60 addresses have a past of 250 roll-outs.
"""
import datetime
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))

from common import Lab  # noqa: E402
from lab.story import Story  # noqa: E402
from test_feed import Follower  # noqa: E402

IDLE_LIMIT, PROMPT_LIMIT_S = 0.1, 1.0  # per cent of a processor; seconds
COMMITS, BATCHES = 60, 20
SIZES = (50, 500, 5000)
PASSES = 10  # of all addresses, before
OLD, PAST = 60, 250  # addresses, and roll-outs before


def cpu_ms(follower):
    """Exactly: /proc/PID/stat counts in hundredths of a second."""
    with open(f'/proc/{follower.process.pid}/schedstat', encoding='ascii') as f:
        return int(f.read().split()[0]) / 1e6


def idle(lab, seconds):
    story = Story(lab, 'idle')
    follower = Follower(story.store)
    follower.until_cursor()
    time.sleep(1)
    before, began = cpu_ms(follower), time.monotonic()
    time.sleep(seconds)
    share = (cpu_ms(follower) - before) / 10 / (time.monotonic() - began)
    follower.end()
    return share


def promptness(lab):
    """Seconds, sorted."""
    story = Story(lab, 'prompt', addresses=COMMITS)
    follower = Follower(story.store)
    follower.until_cursor()
    found = []
    for i, address in enumerate(story.places):
        time.sleep(0.7 + i % 10 * 0.05)  # at any phase of whatever the follower does
        began = time.monotonic()
        story.see({address: 'sentinel'})
        found.append(follower.until_cursor()[0] - began)
    follower.end()
    return sorted(found)


def batch_cost(lab, size, *args, past=0):
    """Milliseconds of the processor."""
    began = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=past + 60)
    story = Story(lab, f'group-{size}-{past}-{len(args)}', begin=began)
    story.places = {f'10.0.{i >> 8}.{i & 255}': f'mx{i // 4}.bigmail.test' for i in range(size)}
    story.shown = dict.fromkeys(story.places, 'leaf')
    for _ in range(PASSES):
        story.see()
    for i in range(past):
        story.see(dict.fromkeys(story.places, 'leaf' if i % 2 else 'sentinel'))
    follower = Follower(story.store, '--since', story.mxdiff('feed', *args).lines()[-1]['cursor'],
                        *args)
    follower.until_cursor()
    before = cpu_ms(follower)
    for address in list(story.places)[:BATCHES]:
        story.now += datetime.timedelta(seconds=1)
        story.tell([story.observation(address, 'sentinel')])
        follower.until_cursor(120)
    cost = (cpu_ms(follower) - before) / BATCHES
    follower.end()
    return cost


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with Lab() as lab:
        print(f'idle, {seconds} s: {idle(lab, seconds):.3f} % of a processor (limit {IDLE_LIMIT} %)',
              flush=True)
        late = promptness(lab)
        print(f'{COMMITS} commits: a change is out {statistics.median(late) * 1000:.0f} ms (median), '
              f'{late[-1] * 1000:.0f} ms (longest) after its import began '
              f'(limit {PROMPT_LIMIT_S * 1000:.0f} ms)', flush=True)
        for size in SIZES:
            print(f'one of {size} addresses converts: {batch_cost(lab, size):.1f} ms of a processor, '
                  f'with --type change {batch_cost(lab, size, "--type", "change"):.1f} ms', flush=True)
        for args in ([], ['--severity', 'warning'], ['--no-verdict']):
            # What comes back at once is no balancer's here, but a roll-back.
            cost = batch_cost(lab, OLD, '--settle', '1', *args, past=PAST)
            print(f'one of {OLD} converts after {PAST} roll-outs{"".join(" " + a for a in args)}: '
                  f'{cost:.1f} ms', flush=True)


if __name__ == '__main__':
    main()
