"""Debian's Postfix, unpacked, in a mount and a process namespace of its own. Needs root.

Postfix receives mail, for mxcollect to look at; sender.py has one that sends.

Inside, overlays lie on /usr, /etc and /var whose upper layers are on a tmpfs that only the
namespace has: outside nothing of it is seen but the port on loopback, and with its first process
all of it is gone.

    postfix = Postfix(lab, [('127.0.0.5', 'mx.bigmail.test')], default, sni={'mx.…': leaf})
"""
import os
import subprocess

from . import packages

SCRIPT = r'''
set -eu
mount -t tmpfs -o mode=755 tmpfs "$NS"
for top in usr etc var; do
	mkdir -p "$NS/$top" "$NS/$top.work"
	mount -t overlay overlay \
	    -o "lowerdir=/$top,upperdir=$NS/$top,workdir=$NS/$top.work" "/$top"
done
rm -rf /etc/postfix /var/spool/postfix /var/lib/postfix
cp -r "$TREE/usr/." /usr
cp -r "$TREE/etc/postfix" /etc
cp "$CONF"/* /etc/postfix
[ ! -e "$CONF/resolv.conf" ] || { rm -f /etc/resolv.conf; cp "$CONF/resolv.conf" /etc; }
grep -v -e '^postfix:' /etc/passwd >"$NS/passwd"
grep -v -e '^postfix:' -e '^postdrop:' /etc/group >"$NS/group"
echo 'postfix:x:64990:64990::/var/spool/postfix:/usr/sbin/nologin' >>"$NS/passwd"
printf 'postfix:x:64990:\npostdrop:x:64991:\n' >>"$NS/group"
cat "$NS/passwd" >/etc/passwd
cat "$NS/group" >/etc/group
cp /usr/share/postfix/dynamicmaps.cf /etc/postfix
mkdir -p /var/spool/postfix /var/lib/postfix
chown postfix /var/lib/postfix
[ ! -e "$CONF/sni" ] || postmap -F hash:/etc/postfix/sni
# Not exec: the shell stays the first process of the namespace, whose end is that of all in it.
postfix start-fg
exit 1
'''


def why_not():
    """Why Postfix cannot run here; None if it can."""
    if os.geteuid() != 0:
        return 'Postfix in namespaces of its own needs root'
    probe = ('set -e; mkdir -p "$1"; mount -t tmpfs tmpfs "$1"; mkdir "$1/u" "$1/w"; '
             'mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/u,workdir=$1/w" /etc')
    done = subprocess.run(['unshare', '-m', '-p', '-f', 'sh', '-c', probe, 'sh', '/mnt'],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f'no namespaces or overlays here: {done.stderr.strip()}'
    return None


class Unpacked:
    """What a Postfix of any kind is: a folder of its files, and the namespaces that it runs in."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.package = packages.Package('postfix').need()
        self.conf = lab.path(name)
        os.mkdir(self.conf)

    def log(self):
        return self.lab.output(self.name)

    def write(self, file, lines):
        with open(os.path.join(self.conf, file), 'w', encoding='ascii') as f:
            f.write('\n'.join(lines) + '\n')

    def start(self, addresses, port):
        ns = self.lab.path(self.name + '-ns')
        os.mkdir(ns)
        env = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'NS': ns,
               'TREE': self.package.tree, 'CONF': self.conf}
        argv = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', SCRIPT]
        self.process = self.lab.spawn(self.name, argv, env=env, drop=False)
        self.lab.wait_listening(self.name, self.process, addresses, port)


class Postfix(Unpacked):
    def __init__(self, lab, listeners, default, sni=None, options=(), name='postfix'):
        """default and sni's values: PEM files with key and chain."""
        super().__init__(lab, name)
        self.addresses = [address for address, _ in listeners]
        self.hostname = listeners[0][1]
        self.port = lab.free_port(self.addresses)
        self.write('main.cf', [
            'compatibility_level = 3.6', f'myhostname = {self.hostname}', 'mydestination =',
            'maillog_file = /dev/stdout', 'inet_protocols = all',
            'inet_interfaces = loopback-only', 'mynetworks =',
            'smtpd_relay_restrictions = reject', 'smtpd_recipient_restrictions = reject',
            'smtpd_tls_security_level = may', f'smtpd_tls_chain_files = {default}',
            'tls_server_sni_maps = hash:/etc/postfix/sni', 'smtpd_tls_loglevel = 1',
            'smtpd_client_connection_rate_limit = 0', 'smtpd_client_connection_count_limit = 0',
            'alias_maps =', 'alias_database =', *options])
        self.write('master.cf', [
            *(f'{self._listen(a)} inet n - n - 20 smtpd' for a in self.addresses),
            'tlsmgr unix - - n 1000? 1 tlsmgr', 'anvil unix - - n - 1 anvil',
            'rewrite unix - - n - - trivial-rewrite', 'proxymap unix - - n - - proxymap',
            'cleanup unix n - n - 0 cleanup', 'postlog unix-dgram n - n - 1 postlogd'])
        self.write('sni', [f'{host} {file}' for host, file in (sni or {}).items()])
        self.start(self.addresses, self.port)

    def _listen(self, address):
        return f'[{address}]:{self.port}' if ':' in address else f'{address}:{self.port}'
