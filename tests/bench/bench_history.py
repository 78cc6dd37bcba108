#!/usr/bin/env python3
"""./dev bench history [SERIES…]: time and memory of questions against the size of the corpus.

Corpora of 30 days of hourly probes (tests/bench/make_history.c) of 1,000, 10,000 (and, if asked
for, 100,000: 1.5 GB) series; of each question the median CPU time of five runs and the most
anonymous memory. A question about one host is over in the time that a program takes to start: it
is asked in turn with others that do as little.
"""
import glob
import os
import resource
import statistics
import subprocess
import sys
import tempfile

BUILD = os.environ['MX509_BUILD']
DAYS = 30
QUESTIONS = [('windows --since -1d', 5), ('log --since -1d', 5), ('windows', 3), ('log {host}', 5),
             ('feed --since {last}', 5)]
TURNS = 50


def anonymous_kib(pid):
    try:
        with open(f'/proc/{pid}/status') as f:
            return next((int(x.split()[1]) for x in f if x.startswith('RssAnon')), 0)
    except OSError:
        return 0


def measure(args):
    """(CPU seconds, most anonymous memory in KiB, lines)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(args, stdout=out)
        most = 0
        while True:
            most = max(most, anonymous_kib(child.pid))
            try:
                if child.wait(0.002) is not None:
                    break
            except subprocess.TimeoutExpired:
                continue
        out.seek(0)
        lines = sum(1 for _ in out)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most, lines


def peers(mxdiff, store, host, folder):
    """Medians of CPU time of programs that take turns: what a start costs here, and libcrypto."""
    mxstore = os.path.join(BUILD, 'store', 'mxstore')
    out = os.path.join(folder, os.path.basename(store) + '.pem')
    subprocess.run([mxstore, 'export', 'pem', '--at', '2100-01-01', '--out', out, '--store', store,
                    '--quiet'], check=True)
    leaf = sorted(glob.glob(os.path.join(out, '**', '*.pem'), recursive=True))[0]
    ask = [mxdiff, 'log', host, '--store', store]
    programs = {'true': ['/bin/true'], 'openssl version': ['openssl', 'version'],
                'openssl verify': ['openssl', 'verify', '-CApath', '/etc/ssl/certs', leaf],
                'mxdiff --version': [mxdiff, '--version'], 'log HOST': ask,
                'log HOST --no-verdict': [*ask, '--no-verdict'], 'log HOST --json': [*ask, '--json']}
    used = {name: [] for name in programs}
    for _ in range(TURNS):
        for name, args in programs.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used[name].append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                               after.ru_minflt - before.ru_minflt))
    for name, runs in used.items():
        print(f'  {name:22} {1e3 * statistics.median(r[0] for r in runs):6.2f} ms CPU, '
              f'{statistics.median(r[1] for r in runs):.0f} page faults', flush=True)


def main():
    mxdiff = os.path.join(BUILD, 'differ', 'mxdiff')
    with tempfile.TemporaryDirectory(dir=os.environ.get('MX509_BENCH_DIR')) as folder:
        for series in [int(x) for x in sys.argv[1:]] or [1000, 10000]:
            store = os.path.join(folder, str(series))
            made, _, _ = measure([os.path.join(BUILD, 'tests', 'bench', 'make_history'), store,
                                  str(series), str(DAYS)])
            size = os.stat(os.path.join(store, 'data.mdb')).st_size
            n = series * DAYS * 24
            print(f'{series} series, some {n / 1e6:.1f} M observations, {size / 1e6:.0f} MB, '
                  f'written in {made:.1f} s of CPU')
            for question, times in QUESTIONS:
                args = question.format(host='mx0.op3.test', last='999999999'
                                       if 'feed' not in question else last_cursor(mxdiff, store))
                runs = [measure([mxdiff, *args.split(), '--json', '--store', store])
                        for _ in range(times)]
                cpu = statistics.median(r[0] for r in runs)
                rate = f', {n / cpu / 1e6:.1f} M observations/s' if question == 'windows' else ''
                print(f'  {question.split("{")[0]:20} {cpu:7.3f} s CPU, '
                      f'{max(r[1] for r in runs) / 1024:6.1f} MiB anonymous, '
                      f'{runs[0][2]} lines{rate}', flush=True)
            peers(mxdiff, store, 'mx0.op3.test', folder)


def last_cursor(mxdiff, store):
    """The cursor before the last commit."""
    out = subprocess.run([mxdiff, 'feed', '--since', 'now', '--store', store],
                         capture_output=True, text=True, check=True).stdout
    return str(int(out.rsplit('"cursor":"', 1)[1].split('"')[0]) - 1)


if __name__ == '__main__':
    main()
