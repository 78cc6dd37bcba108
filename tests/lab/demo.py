"""./dev demo: the incident, played live on loopback in under a minute.

    demo.py FOLDER      keeps FOLDER/store and FOLDER/ca; everything else ends with it

A name server with a signed zone and Exim with five addresses are started, a collector pass is
taken, and then the roll-out happens address by address, for clients without SNI only, with a
pass after each. What mx509 says of it is printed with the commands that say it.
"""
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import programs  # noqa: E402
from lab.ca import Ca  # noqa: E402
from lab.dns import NameServer, Zone  # noqa: E402
from lab.exim import Exim  # noqa: E402
from lab.lab import Lab, LabError, has_ipv6  # noqa: E402
from lab.packages import TOP, PackageError  # noqa: E402

DOMAIN = 'bigmail.test'
PAUSE = 1.5  # seconds before and after a change: brackets that an eye can tell apart


class Trouble(Exception):
    """A command of the demo did not do what it is there to show."""


def say(text=''):
    print(text, flush=True)


def bold(text):
    plain = not sys.stdout.isatty() or 'NO_COLOR' in os.environ
    return text if plain else f'\033[1m{text}\033[0m'


def clock():
    now = time.time()
    return time.strftime('%H:%M:%S', time.gmtime(now)) + f'.{int(now * 1000) % 1000:03d}'


def relative(path):
    return os.path.relpath(path, TOP)


def command(program, *args):
    return [relative(programs.path(program)), *map(str, args)]


def run(argv):
    """Shows a command, then its output."""
    say(bold('$ ' + shlex.join(argv)))
    done = subprocess.run(argv, cwd=TOP, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode != 0:
        raise Trouble(f'{os.path.basename(argv[0])} ended with status {done.returncode}')


def addresses():
    """(address, MX) of the five; loopback has only ::1 of IPv6, and some machines not even that."""
    second = '::1' if has_ipv6() else '127.0.0.12'
    if second != '::1':
        say('(This machine has no IPv6 on loopback: 127.0.0.12 stands in for ::1.)')
    return [(second, 'mx1'), ('127.0.0.11', 'mx1'), ('127.0.0.21', 'alt1'),
            ('127.0.0.22', 'alt1'), ('127.0.0.31', 'alt2')]


def zone(places):
    lines = ['@ MX 5 mx1', '@ MX 10 alt1', '@ MX 20 alt2']
    lines += [f'{mx} {"AAAA" if ":" in address else "A"} {address}' for address, mx in places]
    return Zone(DOMAIN + '.', '\n'.join(lines))


def introduce(places, exim, dns):
    say(bold('The incident of one 19 March, played again on the loopback of this machine'))
    say()
    say(f'  {DOMAIN}: DNSSEC-signed, served by NSD at {dns.address} port {dns.port}')
    for name in ('mx1', 'alt1', 'alt2'):
        at = ', '.join(address for address, mx in places if mx == name)
        say(f'  MX {name + "." + DOMAIN:<18} {at}')
    say(f'  Exim answers on all five, port {exim.port}, with a P-256 leaf of the demo\'s own CA.')
    say('  The certificate of the incident is a look-alike: the key of the real one is Google\'s.')
    say()


def play(lab, folder):
    store, places = os.path.join(folder, 'store'), addresses()
    ca = Ca(os.path.join(folder, 'ca'), 'mx509 demo')
    leaf = ca.issue('leaf', [f'{mx}.{DOMAIN}' for mx in ('mx', 'mx1', 'alt1', 'alt2')])
    exim = Exim(lab, [(address, f'{mx}.{DOMAIN}') for address, mx in places], leaf, ca.sentinel())
    dns = NameServer(lab, [zone(places)])
    introduce(places, exim, dns)

    collect = command('mxcollect', 'run', DOMAIN, '--store', relative(store), '--resolver',
                      dns.resolver, '--trust-anchor', dns.anchor, '--port', exim.port,
                      '--allow-private', '--per-address-gap', 0)
    say(bold('1. All is well.') + ' One pass over every address, under four kinds of SNI:')
    run(collect)
    say()
    say(bold('2. The roll-out.') + ' Address by address, clients that send no SNI get another '
        'certificate; a pass after each:')
    for address, _ in places[:-1]:
        time.sleep(PAUSE)
        exim.roll_out(address)
        say(f'{clock()} UTC  {address} has changed')
        time.sleep(PAUSE)
        quiet(collect)
    say(f'{clock()} UTC  {places[-1][0]} has not changed yet; one more pass, then we ask.')
    quiet(collect)
    say()
    ask(folder, store)
    return places


def quiet(argv):
    """A pass like the first one: only trouble is shown."""
    done = subprocess.run(argv + ['--quiet'], cwd=TOP, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Trouble(f'{shlex.join(argv)} ended with status {done.returncode}')


def ask(folder, store):
    where = ['--store', relative(store)]
    roots = ['--roots', relative(os.path.join(folder, 'ca', 'root.pem'))]
    say(bold('3. What do they show now?') + ' A row a series:')
    run(command('mxdiff', 'show', *roots, *where))
    say()
    say(bold('4. What changed,') + ' on which address, from what to what, between when and when, '
        'and whom does it break?')
    run(command('mxdiff', 'log', *roots, *where))
    say(bold('5. How far has it come?') + ' The roll-out as a whole:')
    run(command('mxdiff', 'windows', *roots, *where))
    say(bold('6. The evidence,') + ' as files: one PEM a distinct chain, a manifest, checksums:')
    out = os.path.join(folder, 'export')
    run(command('mxstore', 'export', 'pem', '--at', 'now', '--out', relative(out), *where))
    for name in sorted(os.listdir(out)):
        say('  ' + relative(os.path.join(out, name)))
    say()


def judge(store, ca, places):
    """The demo must show what it says that it shows."""
    argv = command('mxdiff', 'windows', '--json', '--store', relative(store), '--roots',
                   os.path.join(ca, 'root.pem'))
    done = subprocess.run(argv, cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    windows = [json.loads(line) for line in done.stdout.splitlines() if line]
    found = [(w['sni'], w['converted'], w['total'], w['verdict']['lost']) for w in windows]
    if found != [('none', len(places) - 1, len(places), ['verify', 'secure'])]:
        raise Trouble('expected one roll-out, of 4 of 5 without SNI, that breaks verify and '
                      f'secure, but windows says {found}')


def main():
    if len(sys.argv) != 2:
        sys.exit('usage: demo.py FOLDER')
    folder = os.path.abspath(sys.argv[1])
    began = time.monotonic()
    if not os.path.exists(programs.path('mxdiff')):
        sys.exit('demo: the programs are not built yet: ./dev demo builds them')
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    try:
        with Lab() as lab:
            places = play(lab, folder)
        judge(os.path.join(folder, 'store'), os.path.join(folder, 'ca'), places)
    except (LabError, PackageError, Trouble) as error:
        sys.exit(f'demo: {error}')
    except KeyboardInterrupt:
        sys.exit('demo: interrupted; servers ended')
    say(bold(f'{time.monotonic() - began:.0f} s.') + ' The servers are gone; the store stays in '
        f'{relative(folder)}/store, the CA in {relative(folder)}/ca.')
    say(f'Repeat the commands of 3 to 6 in {TOP}, or ask more: '
        f'{relative(programs.path("mxdiff"))} --help')


if __name__ == '__main__':
    main()
