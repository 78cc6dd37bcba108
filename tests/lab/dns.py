"""Debian's NSD, unpacked, with a signed tree of its own: a root, and the zones below it.

    root = Zone('.')                          made by NameServer
    Zone('bigmail.test.', '@ MX 10 mx1 …')    signed, DS in the root
    Zone('plain.test.', …, signed=False)      an insecure delegation
    Zone('broken.test.', …, wrong_ds=True)    bogus: the root's DS is of another key
    Zone('forged.test.', …, forge=('a', 'b')) bogus in part: text of a signed record replaced

NameServer.anchor is the file for --trust-anchor; NameServer.change() changes a zone. StrippingResolver, SilentResolver: what hostile
or old resolvers do.
"""
import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess

from . import packages
from .lab import LabError
from .loop import Loop

TTL = 300
BOTH = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


class Zone:
    def __init__(self, name, records='', signed=True, wrong_ds=False, forge=None):
        self.name, self.records, self.signed = name, records, signed
        self.wrong_ds, self.forge = wrong_ds, forge
        self.ds, self.keys, self.serial = [], [], 1

    def text(self):
        return (f'$ORIGIN {self.name}\n$TTL {TTL}\n'
                f'@ SOA ns.lab.test. hostmaster.lab.test. {self.serial} 3600 600 86400 {TTL}\n'
                f'@ NS ns.lab.test.\n{self.records}\n')


class NameServer:
    """Serves the zones on one address and a free port. Without a root, the anchor is that of the
    first zone alone."""

    def __init__(self, lab, zones, address='127.0.0.1', root=True, name='nsd'):
        self.lab, self.address, self.name = lab, address, name
        self.package = packages.for_server(lab, 'nsd')
        self.dir = lab.path(name)
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        self.zones = {zone.name: zone for zone in zones}
        for zone in zones:
            self._write(zone)
        top = zones[0]
        if root:
            top = Zone('.', 'lab.test. NS ns.lab.test.\nns.lab.test. A 127.0.0.1\n' + ''.join(
                f'{z.name} NS ns.lab.test.\n' + '\n'.join(z.ds) + '\n' for z in zones))
            self.zones['.'] = top
            self._write(top)
        self.anchor = lab.path(name + '-anchor.ds')
        with open(self.anchor, 'w', encoding='ascii') as f:
            f.write('\n'.join(top.ds) + '\n')
        self.port = lab.free_port([address], BOTH)
        self._start()

    @property
    def resolver(self):
        """For --resolver."""
        return f'{self.address}@{self.port}'

    def _tool(self, *argv):
        run = subprocess.run(argv, cwd=self.dir, env=self.package.env(), capture_output=True,
                             text=True, check=False)
        if run.returncode != 0:
            raise LabError(f'{os.path.basename(argv[0])}: {run.stderr.strip()}')
        return run.stdout

    def _file(self, zone):
        return os.path.join(self.dir, (zone.name.rstrip('.') or 'root') + '.zone')

    def _write(self, zone):
        path = self._file(zone)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(zone.text())
        if not zone.signed:
            return
        for kind in [] if zone.keys else (['-k'], []):
            zone.keys.append(self._tool(self.package.path('usr/bin/ldns-keygen'), *kind, '-a',
                                        'ECDSAP256SHA256', zone.name).strip())
        with open(os.path.join(self.dir, zone.keys[0] + '.ds'), encoding='ascii') as f:
            zone.ds = [line.strip() for line in f if line.strip()]
        if zone.wrong_ds:
            zone.ds = [re.sub(r'[0-9a-f]{64}$', lambda m: m[0][::-1], ds) for ds in zone.ds]
        self._tool(self.package.path('usr/bin/ldns-signzone'), '-f', path + '.signed', path,
                   *zone.keys)
        os.replace(path + '.signed', path)
        if zone.forge:
            with open(path, encoding='utf-8') as f:
                text = f.read()
            old, new = zone.forge
            if old not in text:
                raise LabError(f'{zone.name}: no {old!r} to forge')
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text.replace(old, new))

    def change(self, name, records):
        """Another text for a zone, served soon; who asked before keeps what he has for its TTL."""
        zone = self.zones[name]
        zone.records, zone.serial = records, zone.serial + 1
        self._write(zone)
        self.process.send_signal(signal.SIGHUP)

    def _start(self):
        state = self.lab.folder(self.name + '-state')
        config = os.path.join(self.dir, 'nsd.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('\n'.join([
                'server:', f'  ip-address: {self.address}@{self.port}', '  server-count: 1',
                '  username: ""', '  chroot: ""', f'  zonesdir: "{self.dir}"',
                '  database: ""', f'  zonelistfile: "{state}/zone.list"',
                f'  xfrdfile: "{state}/xfrd.state"', '  pidfile: ""', f'  xfrdir: "{state}"',
                f'  cookie-secret-file: "{state}/cookies"',
                '  rrl-ratelimit: 0', '  rrl-whitelist-ratelimit: 0', '  verbosity: 1',
                'remote-control:', '  control-enable: no', '']))
            for zone in self.zones.values():
                f.write(f'zone:\n  name: "{zone.name}"\n  zonefile: "{self._file(zone)}"\n')
        self.process = self.lab.spawn(self.name, [self.package.path('usr/sbin/nsd'), '-d', '-c',
                                                  config], env=self.package.env())
        self.lab.wait_listening(self.name, self.process, [self.address], self.port)


def parse_question(query):
    """(name, type, end of the question section) of a DNS message."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode('latin-1'))
        at += 1 + query[at]
    return '.'.join(labels) + '.', int.from_bytes(query[at + 1:at + 3], 'big'), at + 5


class StrippingResolver(asyncio.DatagramProtocol):
    """Forwards to a name server and asks without EDNS, so that no answer has DNSSEC in it."""

    def __init__(self, lab, upstream, address='127.0.0.1'):
        self.upstream, self.address = upstream, address
        self.port = lab.free_port([address], BOTH)
        self.asked = []
        self.transport = None
        loop = Loop(lab)
        loop.run(self._serve())
        self._loop = loop.loop

    @property
    def resolver(self):
        return f'{self.address}@{self.port}'

    async def _serve(self):
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=(self.address, self.port))
        await asyncio.start_server(self._stream, self.address, self.port)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        asyncio.ensure_future(self._datagram(data, addr), loop=self._loop)

    async def _datagram(self, data, addr):
        with contextlib.suppress(OSError, asyncio.TimeoutError, IndexError):
            self.transport.sendto(await self.answer(data), addr)

    async def _stream(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, IndexError):
            while True:
                length = int.from_bytes(await reader.readexactly(2), 'big')
                answer = await self.answer(await reader.readexactly(length))
                writer.write(len(answer).to_bytes(2, 'big') + answer)
                await writer.drain()
        writer.close()

    async def answer(self, query):
        name, rrtype, end = parse_question(query)
        self.asked.append((name, rrtype))
        plain = query[:6] + b'\0\0' * 2 + b'\0\0' + query[12:end]
        reader, writer = await asyncio.open_connection(self.upstream.address, self.upstream.port)
        writer.write(len(plain).to_bytes(2, 'big') + plain)
        length = int.from_bytes(await reader.readexactly(2), 'big')
        answer = await reader.readexactly(length)
        writer.close()
        # A resolver says that recursion is available.
        return answer[:3] + bytes([answer[3] | 0x80]) + answer[4:]


class SilentResolver:
    """Takes questions and never answers."""

    def __init__(self, lab, address='127.0.0.1'):
        self.address, self.port = address, lab.free_port([address], BOTH)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, self.port))
        lab.on_close(self.socket.close)

    @property
    def resolver(self):
        return f'{self.address}@{self.port}'
