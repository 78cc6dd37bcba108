#!/usr/bin/env python3
"""./dev bench rollout [ROLL-OUTS [SEED]]: what mxdiff finds of roll-outs whose truth is known.

Plays worlds of operators (tests/golden/test_rollout_truth.py) until there are so many roll-outs
(10,000), imports each into a corpus of its own, and holds log and windows against the truth. The same
seed gives the same figures.
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'golden'))

from test_rollout_truth import Findings, simulate  # noqa: E402

OPERATORS = 110  # in one world


def main():
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    findings, world, began = Findings(), 0, time.monotonic()
    while findings.count['roll-outs'] < wanted:
        simulate(seed, world * OPERATORS, (world + 1) * OPERATORS, findings)
        world += 1
        if sys.stderr.isatty():
            print(f'\r{findings.count["roll-outs"]} roll-outs', end='', file=sys.stderr, flush=True)
    n = findings.count
    print(f'seed {seed}: {world * OPERATORS} operators, {n["observations"]} observations, '
          f'{time.monotonic() - began:.0f} s')
    print(f'brackets of addresses with one backend: {n["brackets"]}, '
          f'without the true time: {n["brackets wrong"]}')
    print(f'roll-outs: {n["roll-outs"]}, found as exactly one window: {n["found once"]} '
          f'({100 * n["found once"] / n["roll-outs"]:.2f} %)')
    print(f'windows: {n["windows"]}, that are no roll-out: {n["windows that are no roll-out"]} '
          f'({100 * n["windows that are no roll-out"] / n["windows"]:.2f} %)')
    for name, counts in sorted(findings.by_name.items()):
        print(f'  {name:12} {sum(counts.values()):6}  once {counts[1]}'
              + ''.join(f', {k} times {v}' for k, v in sorted(counts.items()) if k != 1))
    for line in findings.examples:
        print(f'  e.g. {line}')


if __name__ == '__main__':
    main()
