#!/usr/bin/env python3
"""./dev bench certificates [FOLDER…]: what certificates take in a corpus beside their DER.

Every certificate (PEM, or DER in a file of its own) below the folders, else of ../shared/corpora
where that is there, else of corpus/, once, into a corpus that is compacted: the octets of
sub-databases cert, cert_id and dictionary, whole pages, over those of the DER. Wanted: at most 0.70.
"""
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ['MX509_BUILD']
FOLDERS = [os.path.join(TOP, '..', 'shared', 'corpora'), os.path.join(TOP, 'corpus')]
PARTS = ('cert', 'cert_id', 'dictionary')
MOST = 65536  # octets: what a server shows is smaller
PEM = re.compile(rb'-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----')


def is_whole(der):
    """One SEQUENCE that begins with another, and nothing behind it."""
    if len(der) < 8 or len(der) > MOST or der[0] != 0x30 or der[1] not in (0x81, 0x82):
        return False
    n = der[1] & 3
    return int.from_bytes(der[2:2 + n], 'big') + 2 + n == len(der) and der[2 + n] == 0x30


def certificates(folders):
    """Those of each file below, whole ones."""
    for folder in folders:
        for where, _, names in sorted(os.walk(folder)):
            for path in (os.path.join(where, name) for name in sorted(names)):
                if not os.path.isfile(path) or os.path.getsize(path) > 64 << 20:
                    continue
                with open(path, 'rb') as f:
                    data = f.read()
                found = PEM.findall(data)
                if not found and path.endswith(('.der', '.crt', '.cer')):
                    yield data
                for text in found:
                    try:
                        yield base64.b64decode(text)
                    except ValueError:
                        pass


def mxstore(*args):
    return subprocess.run([os.path.join(BUILD, 'store', 'mxstore'), *args], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def main():
    folders = sys.argv[1:] or [next(f for f in FOLDERS if os.path.isdir(f))]
    seen, octets = set(), 0
    with tempfile.TemporaryDirectory() as tmp:
        lines, store = os.path.join(tmp, 'lines'), os.path.join(tmp, 'store')
        with open(lines, 'w', encoding='ascii') as f:
            for der in certificates(folders):
                name = hashlib.sha256(der).hexdigest()
                if name in seen or not is_whole(der):
                    continue
                seen.add(name)
                octets += len(der)
                f.write(json.dumps({'type': 'certificate', 'sha256': name,
                                    'der': base64.b64encode(der).decode()}) + '\n')
        mxstore('import', 'jsonl', lines, '--store', store, '--quiet')
        mxstore('compact', '--store', store, '--quiet')
        stat = json.loads(mxstore('stat', '--store', store, '--json'))
    parts = {p['name']: p for p in stat['parts']}
    if parts['cert_id']['records'] != len(seen):
        sys.exit(f'{len(seen)} certificates went in, {parts["cert_id"]["records"]} are there')
    size = sum(parts[name]['octets'] for name in PARTS)
    print(f'{len(seen)} certificates, {octets} octets of DER, {size} in the corpus after compact: '
          f'{size / octets:.3f} (wanted: 0.70)')
    for name in PARTS:
        print(f'  {name:10} {parts[name]["records"]:7} records {parts[name]["octets"]:9} octets')


if __name__ == '__main__':
    main()
