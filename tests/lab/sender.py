"""Debian's Postfix as a sender, in the network namespace that the test lives in (netns.py).

    sender = Sender(lab, root, {'verify': ['smtp_tls_security_level=verify'], …})
    sender.deliver([('verify', 'bigmail.test'), …])    {('verify', 'bigmail.test'): Delivery, …}
    sender.finger('verify', 'bigmail.test')            what posttls-finger says

Each transport is Postfix's smtp(8) with options of its own; a recipient's local part chooses it,
so that its domain stays what it is: the name that certificates and TLSA records are looked at for.
"""
import os
import re
import smtplib
import subprocess
import time

from .lab import wait_until
from .postfix import Unpacked
from .unbound import ADDRESS as RESOLVER

PORT = 10025
TLS_LINE = re.compile(r'(Anonymous|Untrusted|Trusted|Verified) TLS connection established to '
                      r'(\S+?)\[([0-9a-f.:]+)\]:\d+')


class Delivery:
    """sessions: (word, host, address) of each TLS session, in order; text: what status says."""

    def __init__(self):
        self.sessions, self.status, self.text, self.relay, self.lines = [], None, '', None, []

    @property
    def word(self):
        return self.sessions[-1][0] if self.sessions else None

    @property
    def delivered(self):
        return self.status == 'sent'

    def __repr__(self):
        return '\n'.join(self.lines[-12:]) or 'nothing was logged'


class Sender(Unpacked):
    def __init__(self, lab, root, transports, maps=None, name='sender'):
        """root: PEM file of the authorities to trust. transports: {name: [option=value, …]}, where
        / in a name stands between level and variant. maps: {file name: lines} for hash tables."""
        super().__init__(lab, name)
        self.root = root
        self.read = 0
        self.deliveries = {}
        self.current = {}
        self.write('resolv.conf', [f'nameserver {RESOLVER}', 'options edns0 trust-ad'])
        self.write('main.cf', [
            'compatibility_level = 3.6', 'myhostname = sender.lab.test', 'mydestination =',
            'maillog_file = /dev/stdout', 'inet_protocols = all', 'inet_interfaces = 127.0.0.1',
            'mynetworks = 127.0.0.0/8', 'smtpd_recipient_limit = 100000',
            'smtpd_relay_restrictions = permit_mynetworks,reject', 'alias_maps =',
            'alias_database =', 'transport_maps = regexp:/etc/postfix/transport',
            'default_destination_recipient_limit = 1', 'smtp_tls_loglevel = 1',
            f'smtp_tls_CAfile = {root}', 'smtp_dns_support_level = dnssec',
            'smtp_connection_cache_on_demand = no', 'smtp_mx_session_limit = 0',
            'smtp_mx_address_limit = 0',
            'smtp_connect_timeout = 10s', 'smtp_helo_timeout = 10s', 'smtp_starttls_timeout = 20s',
            # Nothing is tried twice. Plaintext is fallen back to after a failed handshake only
            # with mail that has waited for minimal_backoff_time: so all waits, on hold.
            'smtpd_data_restrictions = check_client_access static:hold', 'notify_classes =',
            'minimal_backoff_time = 4h', 'maximal_backoff_time = 4h', 'queue_run_delay = 1s',
            'soft_bounce = yes'])
        self.write('master.cf', [
            f'127.0.0.1:{PORT} inet n - n - 20 smtpd', 'qmgr unix n - n 300 1 qmgr',
            'tlsmgr unix - - n 1000? 1 tlsmgr', 'anvil unix - - n - 1 anvil',
            'rewrite unix - - n - - trivial-rewrite', 'proxymap unix - - n - - proxymap',
            'cleanup unix n - n - 0 cleanup', 'bounce unix - - n - 0 bounce',
            'defer unix - - n - 0 bounce', 'trace unix - - n - 0 bounce',
            'retry unix - - n - - error', 'error unix - - n - - error',
            'scache unix - - n - 1 scache', 'postlog unix-dgram n - n - 1 postlogd',
            *(line for transport, options in transports.items()
              for line in self._transport(transport, options))])
        self.write('transport', [f'/^{self._service(t)}@/ {self._service(t)}:' for t in transports])
        for file, lines in (maps or {}).items():
            self.write(file, lines)
        self.start(['127.0.0.1'], PORT)

    @staticmethod
    def _service(transport):
        return transport.replace('/', '-')

    def _transport(self, transport, options):
        yield f'{self._service(transport)} unix - - n - 3 smtp'
        yield f'  -o syslog_name=out/{self._service(transport)} -o minimal_backoff_time=1s'
        for option in options:
            yield f'  -o {{{option}}}'

    def deliver(self, pairs, seconds=400):
        """Sends one message to each (transport, domain)."""
        wanted = {f'{self._service(t)}@{domain}': (t, domain) for t, domain in pairs}
        with smtplib.SMTP('127.0.0.1', PORT, 'client.lab.test', timeout=30) as smtp:
            smtp.sendmail('', list(wanted), 'Subject: test\r\n\r\ntest\r\n')
        time.sleep(2)
        self.inside('postsuper', '-H', 'ALL')
        wait_until(lambda: self._gather() >= wanted.keys(), seconds, 'Postfix delivering')
        return {pair: self.deliveries.pop(recipient) for recipient, pair in wanted.items()}

    def _gather(self):
        """Reads the log on; the recipients that are done."""
        text = self.log()
        text = text[:text.rfind('\n') + 1]
        for line in text[self.read:].splitlines():
            process = re.search(r' out/(\S+?)/smtp\[(\d+)\]: (.*)', line)
            if not process:
                continue
            delivery = self.current.setdefault(process[2], Delivery())
            delivery.lines.append(line)
            if session := TLS_LINE.match(process[3]):
                delivery.sessions.append((session[1], session[2], session[3]))
            done = re.match(r'\S+: to=<(.*?)>, (?:orig_to=<.*?>, )?relay=(.*?), .*'
                            r'status=(\w+) \((.*)\)$', process[3])
            if done:
                delivery.relay, delivery.status, delivery.text = done[2], done[3], done[4]
                self.deliveries[done[1]] = self.current.pop(process[2])
        self.read = len(text)
        return self.deliveries.keys()

    def inside(self, *argv, seconds=60, stdin=''):
        """Runs a command in Postfix's mount namespace."""
        return subprocess.run(['nsenter', f'--mount=/proc/{self.process.pid}/ns/mnt', '--', *argv],
                              capture_output=True, text=True, timeout=seconds, check=False,
                              input=stdin,
                              env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C'})

    def finger(self, *question):
        """(word or None, all that posttls-finger said). question: level, domain[, servername[,
        match…]]."""
        return self.fingers([question])[question]

    def fingers(self, questions, workers=6):
        """finger() of many questions at once."""
        folder = self.lab.path(f'fingers-{time.monotonic_ns()}')
        os.mkdir(folder)
        with open(os.path.join(folder, 'questions'), 'w', encoding='ascii') as f:
            for n, (level, domain, *more) in enumerate(questions):
                name, *match = more or [None]
                f.write(' '.join([str(n), '-l', level, *(['-s', name] if name else []), domain,
                                  *(match[0] if match else ())]) + '\n')
        self.inside('xargs', '-a', f'{folder}/questions', '-P', str(workers), '-L', '1', 'sh', '-c',
                    f'n=$1; shift; exec posttls-finger -c -M may -F {self.root} "$@" '
                    f'>{folder}/$n 2>&1', 'sh', seconds=600)
        answers = {}
        for n, question in enumerate(questions):
            with open(os.path.join(folder, str(n)), encoding='utf-8', errors='replace') as f:
                said = f.read()
            found = TLS_LINE.findall(said)
            answers[question] = (found[-1][0] if found else None, said)
        return answers
