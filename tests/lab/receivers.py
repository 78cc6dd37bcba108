"""Mail servers that take mail, each with its own certificates and faults, on port 25.

    receivers = Receivers(lab)
    receivers.add('127.0.1.1', 'mx.valid.test', Server(certificate=bundle))

Server says what one does. What was delivered to an address stands in receivers.mail.
"""
import contextlib
import dataclasses
import select
import socket
import ssl
import threading

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
        self.mail = {}
        self.listeners = {}  # socket: (address, host, Server, context)
        self.wake, self.woken = socket.socketpair()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()
        lab.on_close(self.stop)

    def stop(self):
        self.wake.close()
        self.thread.join(5)

    def add(self, address, host, server, port=PORT):
        listener = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        self.listeners[listener] = (address, host, server, self._context(server))
        self.wake.send(b'.')

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

    def _accept(self):
        while True:
            ready, _, _ = select.select([self.woken, *self.listeners], [], [])
            for listener in ready:
                if listener is self.woken:
                    if not self.woken.recv(1):
                        return
                    continue
                connection, _ = listener.accept()
                threading.Thread(target=self._client, args=(connection, *self.listeners[listener]),
                                 daemon=True).start()

    def _client(self, connection, *which):
        connection.settimeout(60)
        with contextlib.suppress(OSError):  # ssl.SSLError is one
            self._dialogue(connection, *which)
        connection.close()

    def _dialogue(self, connection, address, host, server, context):
        lines = connection.makefile('rb')
        encrypted = False

        def say(text):
            connection.sendall((text + '\r\n').encode('ascii'))
        say(f'220 {host} ESMTP')
        while line := lines.readline():
            verb = line.split(None, 1)[0].upper().rstrip(b':') if line.strip() else b''
            if verb in (b'EHLO', b'HELO'):
                offered = context is not None and not encrypted
                say(f'250-{host}\r\n' + ('250-STARTTLS\r\n' if offered else '') + '250 8BITMIME')
            elif verb == b'STARTTLS' and context is not None:
                say(server.starttls)
                if server.starttls.startswith('220'):
                    # Blocking, and of the socket itself: so that an alert is sent, too.
                    connection = context.wrap_socket(connection, server_side=True)
                    lines = connection.makefile('rb')
                    encrypted = True
            elif verb == b'RCPT':
                say(server.rcpt)
            elif verb == b'DATA':
                say('354 go on')
                while lines.readline() not in (b'.\r\n', b''):
                    pass
                self.mail[address] = self.mail.get(address, 0) + 1
                say('250 2.0.0 taken')
            elif verb == b'QUIT':
                say('221 bye')
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                return
            else:
                say('250 2.0.0 ok')
