"""Debian's OpenSMTPD, unpacked, in namespaces of its own, as postfix.py does it. Needs root.

    smtpd = OpenSmtpd(lab, '127.0.0.5', 'mx.bigmail.test', leaf)
"""
import os

from . import packages, programs

SCRIPT = r'''
set -eu
mount -t tmpfs -o mode=755 tmpfs "$NS"
for top in usr etc var; do
	mkdir -p "$NS/$top" "$NS/$top.work"
	mount -t overlay overlay \
	    -o "lowerdir=/$top,upperdir=$NS/$top,workdir=$NS/$top.work" "/$top"
done
cp -r "$TREE/usr/." /usr
grep -v '^opensmtp' /etc/passwd >"$NS/passwd"
grep -v '^opensmtp' /etc/group >"$NS/group"
for user in opensmtpd:64990 opensmtpq:64991; do
	echo "${user%:*}:x:${user#*:}:${user#*:}::/var/lib/opensmtpd/empty:/usr/sbin/nologin" >>"$NS/passwd"
	echo "${user%:*}:x:${user#*:}:" >>"$NS/group"
done
cat "$NS/passwd" >/etc/passwd
cat "$NS/group" >/etc/group
rm -rf /var/spool/smtpd /var/lib/opensmtpd
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
mkdir -p /run
mount -t tmpfs tmpfs /run
LD_PRELOAD="$KEY" smtpd -d -f "$CONF/smtpd.conf"
exit 1
'''


class OpenSmtpd:
    def __init__(self, lab, address, host, leaf, name='opensmtpd'):
        """leaf: a PEM file with key and chain. Where it stands for all SNI, it is the only one."""
        self.lab, self.name, self.host, self.address = lab, name, host, address
        self.port = lab.free_port([address])
        self.package = packages.Package('opensmtpd').need()
        self.conf = lab.path(name)
        os.mkdir(self.conf)
        self._split(leaf)
        with open(os.path.join(self.conf, 'smtpd.conf'), 'w', encoding='ascii') as f:
            f.write(f'pki {host} cert "{self.conf}/cert"\npki {host} key "{self.conf}/key"\n'
                    f'listen on {address} port {self.port} hostname {host} tls pki {host}\n'
                    'action "none" relay\nmatch from any for domain "none.invalid" reject\n')
        ns = lab.path(name + '-ns')
        os.mkdir(ns)
        env = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'NS': ns,
               'TREE': self.package.tree, 'CONF': self.conf,
               # Without it no handshake comes to its end: opensmtpd_key.c. RSA keys only.
               'KEY': os.path.join(programs.BUILD, 'tests', 'lab', 'opensmtpd_key.so')}
        argv = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', SCRIPT]
        self.process = lab.spawn(name, argv, env=env, drop=False)
        lab.wait_listening(name, self.process, [address], self.port)

    def log(self):
        return self.lab.output(self.name)

    def _split(self, leaf):
        with open(leaf, encoding='ascii') as f:
            text = f.read()
        at, end = text.index('-----BEGIN CERT'), text.index('-----BEGIN ')
        key = text[end:at] if end < at else text[text.index('-----BEGIN', text.rindex('-----END CERT')):]
        certificates = text[at:] if end < at else text[:text.rindex('-----END CERT') + 26]
        for file, part in (('cert', certificates), ('key', key)):
            path = os.path.join(self.conf, file)
            with open(path, 'w', encoding='ascii') as f:
                f.write(part)
            os.chmod(path, 0o600)
