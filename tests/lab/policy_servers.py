"""Policy hosts of MTA-STS: a small HTTPS server for each behaviour, on an address of its own.

    servers = PolicyServers(lab, {'good': answers(POLICY)}, {'good': ca.issue(...)})

The certificate's name in the second table; without one the server speaks plain HTTP. What was asked
of a server stands in servers.seen, each request as a whole.
"""
import asyncio
import contextlib
import ssl

from .lab import free_net
from .loop import Loop


def policy(mode='enforce', mx='*.example.test', max_age=86400):
    return f'version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: {max_age}\r\n'


def answers(body, status='200 OK', kind='text/plain', more=''):
    """One whole answer; more: further lines of its head."""
    body = body if isinstance(body, bytes) else body.encode()

    async def behaviour(reader, writer):
        del reader
        writer.write(f'HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Content-Length: '
                     f'{len(body)}\r\nConnection: close\r\n\r\n'.encode() + body)
        await writer.drain()
    return behaviour


def streams(size):
    """So many octets, without saying before how many."""
    async def behaviour(reader, writer):
        del reader
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n')
        for _ in range(size // 65536):
            writer.write(b'x: ' + b'y' * 65532 + b'\n')
            await writer.drain()
    return behaviour


async def drips(reader, writer):
    """An octet now and then, for ever."""
    del reader
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n')
    while True:
        writer.write(b'v')
        await writer.drain()
        await asyncio.sleep(0.1)


async def says_nothing(reader, writer):
    del writer
    await reader.read()


class PolicyServers:
    def __init__(self, lab, behaviours, certificates):
        net = free_net()
        self.addresses = {name: f'{net}{i + 1}' for i, name in enumerate(behaviours)}
        self.port = lab.free_port(list(self.addresses.values()))
        self.seen = {name: [] for name in behaviours}
        loop = Loop(lab)
        for name, behaviour in behaviours.items():
            context = None
            if certificates.get(name):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificates[name])
            loop.run(self._serve(name, behaviour, context))

    async def _serve(self, name, behaviour, context):
        async def client(reader, writer):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                head = await reader.readuntil(b'\r\n\r\n')
                self.seen[name].append(head.decode('latin-1'))
                await behaviour(reader, writer)
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()
        await asyncio.start_server(client, self.addresses[name], self.port, ssl=context)
