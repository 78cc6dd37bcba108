"""Debian's Exim, unpacked and unprivileged, as one or many MXs on loopback.

    exim = Exim(lab, [('127.0.0.11', 'mx1.bigmail.test'), ('::1', …)], leaf, sentinel=…)
    exim.roll_out('127.0.0.11')    that address answers clients without SNI with the sentinel

Certificates are chosen at each handshake: a file per address is the switch of the roll-out. It
relays nothing and delivers nothing.
"""
import os
import shutil
import time

from . import packages


class Exim:
    def __init__(self, lab, listeners, leaf, sentinel=None, by_sni=None, port=None, name='exim',
                 options=()):
        """leaf, sentinel, by_sni's values: PEM files with key and chain. listeners: (address,
        host name) pairs on one port. options: further lines of the main configuration."""
        self.lab, self.listeners, self.name = lab, listeners, name
        self.addresses = [address for address, _ in listeners]
        self.package = packages.for_server(lab, 'exim')
        self.port = port or lab.free_port(self.addresses)
        self.dir = lab.folder(name)
        self.leaf, self.sentinel = self._own(leaf), self._own(sentinel)
        self.by_sni = {sni: self._own(file) for sni, file in (by_sni or {}).items()}
        self.options = options
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
            'tls_advertise_hosts = *', 'acl_smtp_rcpt = deny', *self.options,
            'begin acl', 'deny:', '  deny message = this is a test', ''])

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
