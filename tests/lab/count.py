"""The last lines of ./dev test: why tests were skipped, which failed, and how many there were.

    count.py FAILED BUILD…      FAILED: 1 if meson said that something failed

Counts what meson wrote to each build's meson-logs/testlog.junit.xml, every test of a TAP file by
itself. Exits 1 if anything failed, or if nothing was tested.
"""
import os
import sys
import xml.etree.ElementTree as xml


def main():
    failed_by_meson, builds = int(sys.argv[1]), sys.argv[2:]
    passed, failed, skipped = 0, [], []
    for build in builds:
        log = os.path.join(build, 'meson-logs', 'testlog.junit.xml')
        if not os.path.exists(log):
            failed.append(f'{build}: no test was run')
            continue
        for case in xml.parse(log).getroot().iter('testcase'):
            name = f'{build}: {case.get("classname", "")} {case.get("name", "")}'
            skip = case.find('skipped')
            if case.find('failure') is not None or case.find('error') is not None:
                failed.append(name)
            elif skip is not None:
                skipped.append(f'{name}: {skip.get("message") or skip.text or "no reason given"}')
            else:
                passed += 1
    if failed_by_meson and not failed:
        failed.append('a test ended badly after its last result: see the output above')
    for title, names in (('skipped', skipped), ('failed', failed)):
        for name in names:
            print(f'{title}: {name}')
    print(f'{passed} passed, {len(failed)} failed, {len(skipped)} skipped')
    sys.exit(1 if failed or not passed else 0)


if __name__ == '__main__':
    main()
