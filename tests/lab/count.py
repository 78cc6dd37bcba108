"""The last lines of ./dev test: what failed and its words, what was skipped and why, how many.

    count.py BUILD…

Reads what `meson test` left in each build's meson-logs/testlog.json. Every test of a TAP file
counts by itself; a program that speaks no TAP, or ends badly after its last test, counts as one.
Exits 1 if anything failed, or if nothing was tested.
"""
import json
import os
import re
import sys

LINE = re.compile(r'(not )?ok\b\s*\d*\s*-?\s*(.*?)\s*(?:#\s*skip\b\s*(.*))?$', re.I)
SHOWN = 60  # lines of a failed program's own words


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def take(self, build, test):
        name = f'{build}: {test["name"].split(" / ", 1)[-1]}'
        said, results = test.get('stdout', ''), 0
        before = len(self.failed)
        lines = said.splitlines()
        for i, line in enumerate(lines):
            match = LINE.match(line)
            if not match or not line.startswith(('ok', 'not ok')):
                continue
            results += 1
            self.one(f'{name}: {match[2]}', match, lines[i + 1:])
        ended_well = test['result'] in ('OK', 'SKIP')
        if ended_well and not results:
            if test['result'] == 'SKIP':
                self.skipped.append((name, said.strip()))
            else:
                self.passed += 1
        elif not ended_well and len(self.failed) == before:
            words = (said + '\n' + test.get('stderr', '')).strip().splitlines()
            self.failed.append((f'{name}: {test["result"]}, exit status {test.get("returncode")}',
                                words[-SHOWN:]))

    def one(self, name, match, after):
        if match[1]:
            words = []
            for line in after:
                if not line.startswith('#'):
                    break
                words.append(line)
            self.failed.append((name, words[-SHOWN:]))
        elif match[3] is not None:
            self.skipped.append((name, match[3]))
        else:
            self.passed += 1


def main():
    count = Count()
    for build in sys.argv[1:]:
        log = os.path.join(build, 'meson-logs', 'testlog.json')
        if not os.path.exists(log):
            count.failed.append((f'{build}: no test was run', []))
            continue
        with open(log, encoding='utf-8') as f:
            for line in f:
                count.take(build, json.loads(line))
    for name, words in count.failed:
        print(f'\nfailed: {name}')
        for word in words:
            print(f'    {word}')
    for name, why in count.skipped:
        print(f'skipped: {name}: {why or "no reason given"}')
    print(f'{count.passed} passed, {len(count.failed)} failed, {len(count.skipped)} skipped')
    sys.exit(1 if count.failed or not count.passed else 0)


if __name__ == '__main__':
    main()
