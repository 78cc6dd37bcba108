"""Mail servers that take mail, each with its own certificates and faults, on port 25.

    receivers = Receivers(lab)
    receivers.add('127.0.1.1', 'mx.valid.test', Server(certificate=bundle))

Server says what one does. What was delivered to an address stands in receivers.mail.
"""
import asyncio
import contextlib
import dataclasses
import logging
import ssl

from .loop import Loop

PORT = 25
NAMELESS = object()  # in Server.by_sni: a client that sends no name


@dataclasses.dataclass
class Server:
    certificate: str = None  # PEM file with key and chain; None: STARTTLS is not offered
    by_sni: dict = dataclasses.field(default_factory=dict)  # name or NAMELESS: PEM file, or an alert
    versions: tuple = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    ciphers: str = 'ALL:!aNULL'
    starttls: str = '220 2.0.0 go ahead'
    rcpt: str = '250 2.1.5 ok'
    alert: bool = False  # no handshake succeeds


def context_of(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # What is weak is what some servers have: nothing is refused here.
    context.set_ciphers(f'{server.ciphers}:@SECLEVEL=0')
    context.minimum_version, context.maximum_version = server.versions
    if certificate:
        context.load_cert_chain(certificate)
    return context


class Receivers:
    def __init__(self, lab):
        logging.getLogger('asyncio').setLevel(logging.ERROR)  # clients end as they like
        self.loop = Loop(lab)
        self.mail = {}

    def add(self, address, host, server, port=PORT):
        self.loop.run(self._serve(address, host, server, port))

    @staticmethod
    def _context(server):
        if not server.certificate and not server.alert:
            return None
        context = context_of(server, server.certificate)
        others = {name: choice if isinstance(choice, int) else context_of(server, choice)
                  for name, choice in server.by_sni.items()}

        def choose(tls, name, _context):
            choice = others.get(NAMELESS if name is None else name.lower())
            if isinstance(choice, int):
                return choice
            if choice is not None:
                tls.context = choice
            return None
        if others:
            context.sni_callback = choose
        return context

    async def _serve(self, address, host, server, port):
        context = self._context(server)

        async def client(reader, writer):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._dialogue(reader, writer, address, host, server, context)
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()
        await asyncio.start_server(client, address, port)

    async def _dialogue(self, reader, writer, address, host, server, context):
        encrypted = False

        async def say(text):
            writer.write((text + '\r\n').encode('ascii'))
            await writer.drain()
        await say(f'220 {host} ESMTP')
        while line := await reader.readline():
            verb = line.split(None, 1)[0].upper().rstrip(b':') if line.strip() else b''
            if verb in (b'EHLO', b'HELO'):
                offered = context is not None and not encrypted
                await say(f'250-{host}\r\n' + ('250-STARTTLS\r\n' if offered else '')
                          + '250 8BITMIME')
            elif verb == b'STARTTLS' and context is not None:
                await say(server.starttls)
                if server.starttls.startswith('220'):
                    await writer.start_tls(context)
                    encrypted = True
            elif verb == b'RCPT':
                await say(server.rcpt)
            elif verb == b'DATA':
                await say('354 go on')
                while (await reader.readline()) not in (b'.\r\n', b''):
                    pass
                self.mail[address] = self.mail.get(address, 0) + 1
                await say('250 2.0.0 taken')
            elif verb == b'QUIT':
                await say('221 bye')
                return
            else:
                await say('250 2.0.0 ok')
