"""Debian's Unbound, unpacked: the validating resolver of a network namespace, on its port 53.

    Unbound(lab, dns)      dns: the NameServer that knows all names; its anchor is trusted
"""
import os

from . import packages

ADDRESS, PORT = '127.0.0.53', 53


class Unbound:
    def __init__(self, lab, dns, address=ADDRESS, port=PORT, name='unbound'):
        self.address, self.port = address, port
        package = packages.for_server(lab, 'unbound')
        config = lab.path(name + '.conf')
        with open(config, 'w', encoding='ascii') as f:
            f.write('\n'.join([
                'server:', f'  interface: {address}@{port}', '  do-daemonize: no', '  username: ""',
                '  chroot: ""', f'  directory: "{lab.folder(name)}"', '  pidfile: ""',
                '  use-syslog: no', '  verbosity: 1', '  num-threads: 1',
                # As a resolver for others would, it would not ask a loopback address, and would
                # answer for .test by itself.
                '  do-not-query-localhost: no', '  local-zone: "test." nodefault',
                '  access-control: 127.0.0.0/8 allow', '  module-config: "validator iterator"',
                '  qname-minimisation: no', '  target-fetch-policy: "0 0 0 0 0"',
                f'  trust-anchor-file: "{dns.anchor}"',
                'remote-control:', '  control-enable: no',
                'stub-zone:', '  name: "."', f'  stub-addr: {dns.address}@{dns.port}',
                '  stub-prime: no',
                *(line for zone in dns.zones if zone != '.' for line in (
                    'stub-zone:', f'  name: "{zone}"',
                    f'  stub-addr: {dns.address}@{dns.port}')), '']))
        os.chmod(config, 0o644)
        self.process = lab.spawn(name, [package.path('usr/sbin/unbound'), '-d', '-c', config],
                                 env=package.env())
        lab.wait_listening(name, self.process, [address], port)
