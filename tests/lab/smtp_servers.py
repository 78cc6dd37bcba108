"""Mail servers that do what no MTA does: each is one short coroutine on an address of its own.

    servers = SmtpServers(lab, {'silent': silent, 'alert': tls_alert(40)}, certificate)
    servers.target('silent')     for mxcollect: silent.hostile.test@127.x.y.1:PORT

A behaviour is a coroutine of a Session. What a session has seen stands in servers.seen.
"""
import asyncio
import contextlib
import ssl

from .lab import free_net
from .loop import Loop

HOST = 'hostile.test'


class Session:
    def __init__(self, reader, writer, context, seen):
        self.reader, self.writer, self.context, self.seen = reader, writer, context, seen

    async def send(self, data):
        self.writer.write(data if isinstance(data, bytes) else data.encode())
        await self.writer.drain()

    async def line(self):
        line = await self.reader.readline()
        if not line:
            raise ConnectionResetError
        self.seen.append(line.decode('latin-1').rstrip('\r\n'))
        return self.seen[-1]

    async def to_starttls(self, reply='220 go ahead\r\n', greeting='220 mx ESMTP\r\n'):
        """A polite dialogue up to the reply to STARTTLS."""
        await self.send(greeting)
        await self.line()
        await self.send('250-mx\r\n250-SIZE 1000\r\n250 STARTTLS\r\n')
        await self.line()
        await self.send(reply)

    async def client_hello(self):
        header = await self.reader.readexactly(5)
        return await self.reader.readexactly(int.from_bytes(header[3:], 'big'))

    async def tls(self):
        await self.writer.start_tls(self.context)

    async def until_quit(self):
        while not (await self.line()).upper().startswith('QUIT'):
            pass
        await self.send('221 bye\r\n')

    async def until_gone(self):
        while True:
            await self.line()


class SmtpServers:
    def __init__(self, lab, behaviours, certificate=None):
        net = free_net()
        self.addresses = {name: f'{net}{i + 1}' for i, name in enumerate(behaviours)}
        self.port = lab.free_port(list(self.addresses.values()))
        self.seen = {name: [] for name in behaviours}
        self.connections = {name: 0 for name in behaviours}
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        loop = Loop(lab)
        for name, behaviour in behaviours.items():
            loop.run(self._serve(name, behaviour))

    def target(self, name):
        return f'{name}.{HOST}@{self.addresses[name]}:{self.port}'

    async def _serve(self, name, behaviour):
        async def client(reader, writer):
            self.connections[name] += 1
            session = Session(reader, writer, self.context, self.seen[name])
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await behaviour(session)
            with contextlib.suppress(OSError):
                writer.close()
        await asyncio.start_server(client, self.addresses[name], self.port, limit=1 << 20)


def says(text):
    """Greets with the text."""
    async def behaviour(s):
        await s.send(text)
        await s.until_quit()
    return behaviour


async def silent(s):
    await s.until_gone()


async def closes(s):
    del s


async def closes_after_ehlo(s):
    await s.send('220 mx ESMTP\r\n')
    await s.line()


def replies_to_ehlo(text):
    async def behaviour(s):
        await s.send('220 mx ESMTP\r\n')
        await s.line()
        await s.send(text)
        await s.until_quit()
    return behaviour


def replies_to_starttls(text):
    async def behaviour(s):
        await s.to_starttls(text)
        await s.until_quit()
    return behaviour


async def drips(s):
    """One octet now and then, for ever, and never a whole line."""
    while True:
        await s.send(b'2')
        await asyncio.sleep(0.05)


async def endless_line(s):
    while True:
        await s.send(b'220 ' + b'x' * 65536)


async def endless_reply(s):
    await s.send('220 mx\r\n')
    await s.line()
    while True:
        await s.send(b'250-AUTH PLAIN\r\n' * 4096)


async def slow_but_honest(s):
    """As postscreen: the first line of the greeting at once, the last one later; split replies."""
    await s.send('220-wait\r\n')
    await asyncio.sleep(1)
    for part in ('22', '0 mx ESMTP\r', '\n'):
        await s.send(part)
        await asyncio.sleep(0.05)
    await s.line()
    for octet in '250-mx\r\n250-8BITMIME\r\n250 starttls\r\n':
        await s.send(octet)
    await s.line()
    await s.send('220-go\r\n220 ahead\r\n')
    await s.tls()
    await s.line()


async def honest(s):
    await s.to_starttls()
    await s.tls()
    await s.line()
    await s.send('221 bye\r\n')


def after_client_hello(data, then_waits=False):
    async def behaviour(s):
        await s.to_starttls()
        await s.client_hello()
        await s.send(data)
        if then_waits:
            await s.until_gone()
        else:
            s.writer.write_eof()
            await s.until_gone()
    return behaviour


def tls_alert(number):
    return after_client_hello(bytes([21, 3, 3, 0, 2, 2, number]))


def _records(handshake):
    out = b''
    for at in range(0, len(handshake), 16384):
        part = handshake[at:at + 16384]
        out += b'\x16\x03\x03' + len(part).to_bytes(2, 'big') + part
    return out


def _message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, 'big') + body


def presents(certificates, extensions=b'\x00\x05' + b'\xff\x01\x00\x01\x00'):
    """TLS 1.2 up to the Certificate message, in clear, whatever the certificates are. extensions:
    their list with its length; that of RFC 5746 alone."""
    hello = _message(2, b'\x03\x03' + bytes(32) + b'\0' + b'\xc0\x2f' + b'\0' +
                     extensions)  # ECDHE-RSA-AES128-GCM-SHA256
    entries = b''.join(len(c).to_bytes(3, 'big') + c for c in certificates)
    chain = _message(11, len(entries).to_bytes(3, 'big') + entries)
    return after_client_hello(_records(hello + chain), then_waits=True)
