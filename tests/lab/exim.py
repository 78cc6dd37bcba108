"""Debian's Exim, unpacked and unprivileged, as one or many MXs on loopback.

    exim = Exim(lab, [('127.0.0.11', 'mx1.bigmail.test'), ('::1', …)], leaf, sentinel=…)
    exim.roll_out('127.0.0.11')    that address answers clients without SNI with the sentinel

Certificates are chosen at each handshake: a file per address is the switch of the roll-out. It
relays nothing and delivers nothing.
"""
import contextlib
import os
import shutil
import time

from . import packages


class Exim:
    def __init__(self, lab, listeners, leaf, sentinel=None, by_sni=None, port=None, name='exim',
                 options=(), accept=False):
        """leaf, sentinel, by_sni's values: PEM files with key and chain. listeners: (address,
        host name) pairs on one port. options: further lines of the main configuration. accept: it
        takes mail and throws it away; what is for all-… is deferred at every address."""
        self.lab, self.listeners, self.name = lab, listeners, name
        self.addresses = [address for address, _ in listeners]
        self.package = packages.for_server(lab, 'exim')
        self.port = port or lab.free_port(self.addresses)
        self.dir = lab.folder(name)
        self.leaf, self.sentinel = self._own(leaf), self._own(sentinel)
        self.by_sni = {sni: self._own(file) for sni, file in (by_sni or {}).items()}
        self.options, self.accept = options, accept
        self._start()

    def roll_out(self, address):
        """Returns the time (seconds since the epoch) after which every handshake shows it."""
        with open(self._switch(address), 'w', encoding='ascii'):
            pass
        return time.time()

    def roll_back(self, address):
        os.unlink(self._switch(address))
        return time.time()

    def log(self):
        with open(os.path.join(self.dir, 'mainlog'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def _own(self, certificate):
        """A copy that Exim can read: where we are root, it gives root up, and the checkout may lie
        where nobody else can go."""
        if certificate is None:
            return None
        copy = os.path.join(self.dir, f'{len(os.listdir(self.dir))}-{os.path.basename(certificate)}')
        shutil.copyfile(certificate, copy)
        os.chmod(copy, 0o600)
        os.chown(copy, *self.lab.server_ids())
        return copy

    def _switch(self, address):
        return os.path.join(self.dir, 'rollout-' + address)

    def _certificate(self):
        choice = self.leaf
        if self.sentinel:
            switch = self._switch('$received_ip_address')
            choice = f'${{if and{{{{exists{{{switch}}}}}{{eq{{$tls_in_sni}}{{}}}}}}{{{self.sentinel}}}{{{choice}}}}}'
        for sni, file in self.by_sni.items():
            choice = f'${{if eqi{{$tls_in_sni}}{{{sni}}}{{{file}}}{{{choice}}}}}'
        return choice

    def _hostname(self):
        name = self.listeners[0][1]
        for address, host in self.listeners[1:]:
            name = f'${{if eq{{$received_ip_address}}{{{address}}}{{{host}}}{{{name}}}}}'
        return name

    def _config(self):
        return '\n'.join([
            'keep_environment =', f'primary_hostname = {self.listeners[0][1]}',
            f'smtp_active_hostname = {self._hostname()}',
            f'daemon_smtp_ports = {self.port}',
            'local_interfaces = <; ' + ' ; '.join(self.addresses),
            f'spool_directory = {self.dir}', f'log_file_path = {self.dir}/%slog',
            f'pid_file_path = {self.dir}/pid', 'notifier_socket =', 'check_spool_space = 0',
            'check_log_space = 0', 'host_lookup =', 'rfc1413_hosts =', 'smtp_accept_max = 200',
            'smtp_accept_queue_per_connection = 0', 'log_selector = +tls_sni +tls_cipher',
            f'tls_certificate = {self._certificate()}', f'tls_privatekey = {self._certificate()}',
            'tls_advertise_hosts = *', *self.options,
            *(('acl_smtp_rcpt = accept', 'acl_smtp_data = discard') if self.accept else
              ('acl_smtp_rcpt = deny',)),
            'begin acl', 'deny:', '  deny message = this is a test',
            'accept:', '  defer local_parts = ^all-', '  accept', 'discard:', '  discard', ''])

    def _start(self):
        uid, gid = self.lab.server_ids()
        with open(os.path.join(self.dir, 'passwd'), 'w', encoding='ascii') as f:
            f.write(f'root:x:0:0::/:/bin/sh\nDebian-exim:x:{uid}:{gid}::{self.dir}:/bin/sh\n')
        with open(os.path.join(self.dir, 'group'), 'w', encoding='ascii') as f:
            f.write(f'root:x:0:\nDebian-exim:x:{gid}:\nmail:x:8:\n')
        config = os.path.join(self.dir, 'exim.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write(self._config())
        env = self.package.env(LD_PRELOAD=self.package.library('libnss_wrapper.so'),
                                NSS_WRAPPER_PASSWD=os.path.join(self.dir, 'passwd'),
                                NSS_WRAPPER_GROUP=os.path.join(self.dir, 'group'))
        # The variables are set behind setpriv: only Exim sees the passwd file that names it.
        argv = ['env', *(f'{k}={v}' for k, v in env.items()),
                self.package.path('usr/sbin/exim4'), '-C', config, '-bdf']
        self.process = self.lab.spawn(self.name, argv, env={'PATH': env['PATH']})
        self.lab.wait_listening(self.name, self.process, self.addresses, self.port)


class EximClient:
    """Exim as a sender, in the mount namespace of a Sender (sender.py), whose resolver it asks."""

    CONFIG = """
keep_environment =
primary_hostname = exim.lab.test
spool_directory = {dir}
log_file_path = {dir}/%slog
pid_file_path =
notifier_socket =
check_spool_space = 0
check_log_space = 0
dns_dnssec_ok = 1
tls_advertise_hosts =
log_selector = +tls_peerdn +tls_certificate_verified
begin routers
mx:
  driver = dnslookup
  transport = smtp
  dnssec_request_domains = *
  ignore_target_hosts = 0.0.0.0
  self = send
begin transports
smtp:
  driver = smtp
  tls_verify_certificates = {root}
{lines}
begin retry
* * F,1d,1h
"""

    def __init__(self, sender, root):
        self.sender, self.root, self.lab = sender, root, sender.lab
        self.package = packages.for_server(self.lab, 'exim')
        self.count = 0

    def deliver(self, domain, lines):
        """(whether it was delivered, the log), with these options of the transport."""
        self.count += 1
        name = f'exim-client-{self.count}'
        folder = self.lab.folder(name)
        uid, gid = self.lab.server_ids()
        files = {
            'passwd': f'root:x:0:0::/:/bin/sh\nDebian-exim:x:{uid}:{gid}::{folder}:/bin/sh\n',
            'group': f'root:x:0:\nDebian-exim:x:{gid}:\nmail:x:8:\n',
            'exim.conf': self.CONFIG.format(dir=folder, root=self.root, lines='\n'.join(
                '  ' + line for line in lines.splitlines()))}
        for file, text in files.items():
            with open(os.path.join(folder, file), 'w', encoding='ascii') as f:
                f.write(text)
        env = self.package.env(LD_PRELOAD=self.package.library('libnss_wrapper.so'),
                                NSS_WRAPPER_PASSWD=os.path.join(folder, 'passwd'),
                                NSS_WRAPPER_GROUP=os.path.join(folder, 'group'))
        done = self.sender.inside(
            *self.lab.as_server(['env', *(f'{k}={v}' for k, v in env.items()),
                                 self.package.path('usr/sbin/exim4'), '-C',
                                 os.path.join(folder, 'exim.conf'), '-odf', '-oi', '-f',
                                 'sender@exim.lab.test', f'u@{domain}']),
            stdin='Subject: test\n\ntest\n')
        said = done.stdout + done.stderr
        with contextlib.suppress(OSError), open(os.path.join(folder, 'mainlog'), encoding='utf-8',
                                                errors='replace') as f:
            said += f.read()
        return f'=> u@{domain}' in said, said
