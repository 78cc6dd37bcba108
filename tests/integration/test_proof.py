#!/usr/bin/env python3
"""The proof of verdicts: what real Postfix said and did in every situation, and what mxdiff says."""
import time

from common import Ca, Lab, collect, observations, programs, tap, unittest
from lab import proving
from lab.proving import VARIANTS
from lab.sender import Sender
from lab.situations import BOGUS, situations

# Levels that posttls-finger is asked at. Where DANE has no usable record it takes `secure`, unlike
# smtp(8): so it is asked where there are records, and believed where it matched them.
FINGERS = ('may', 'dane', 'fingerprint', 'verify', 'secure')
# A 4yz to STARTTLS says nothing about the certificate, so there is no verdict (CONTRACT).
NOT_OBSERVED = ('starttls-454',)


class ProofTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        why = proving.why_not()
        if why:
            raise unittest.SkipTest(why)
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        begin = time.monotonic()
        def said(what):
            print(f'# {what} after {time.monotonic() - begin:.1f} s', flush=True)
        ca = Ca(cls.lab.path('ca'))
        cls.situations = situations(ca)
        said(f'certificates of {len(cls.situations)} situations')
        cls.ground = proving.Ground(cls.lab, cls.situations)
        cls.store, cls.roots = cls.lab.path('store'), ca.path('root.pem')
        cls.done = collect(*(s.domain for s in cls.situations), '--sni', ','.join(VARIANTS),
                           store=cls.store, dns=cls.ground.dns, port=25)
        cls.seen = observations(cls.store).records('observation')
        said(f'collector with {len(cls.seen)} probes')
        cls.shown = cls.ground.shown(cls.seen)
        cls.sender = Sender(cls.lab, cls.roots, proving.transports(),
                            proving.pins(cls.shown))
        cls.asked = [(s.domain, *t.split('/')) for s in cls.situations
                     for t in proving.transports() if s.heeds_names or t.endswith('/none')]
        sent = cls.sender.deliver([(f'{level}/{variant}', domain)
                                   for domain, level, variant in cls.asked])
        cls.sent = {(domain, *t.split('/')): delivery for (t, domain), delivery in sent.items()}
        said(f'Postfix with {len(cls.sent)} deliveries')
        cls.fingers = cls.ask_fingers()
        said(f'posttls-finger with {len(cls.fingers)} questions')

    @classmethod
    def ask_fingers(cls):
        """{(domain, level, variant): (word, what it said)}"""
        hosts = {s.domain: s.mx_host for s in cls.situations}
        signed = {s.domain for s in cls.situations if s.tlsa}
        questions = {}
        for domain, level, variant in cls.asked:
            if level not in FINGERS or (level == 'dane' and domain not in signed):
                continue
            name = {'none': None, 'hostname': hosts[domain], 'nexthop': domain}[variant]
            match = ()
            if level == 'fingerprint' and (domain, variant) in cls.shown:
                match = (proving.fingerprint(cls.shown[(domain, variant)]),)
            questions[(domain, level, variant)] = (level, domain, name, match)
        answers = cls.sender.fingers(list(questions.values()))
        return {key: answers[question] for key, question in questions.items()}

    def test_every_situation_was_met(self):
        for s in self.situations:
            with self.subTest(situation=s.name):
                self.assertEqual((s.domain, 'none') in self.shown, s.zone != BOGUS)

    def test_posttls_finger_and_smtp_agree(self):
        for key, (word, said) in self.fingers.items():
            if key[1] == 'dane' and 'DANE' not in said:
                continue
            with self.subTest(key=key):
                sent = self.sent[key]
                self.assertEqual(word, sent.word, f'{said}\n{sent}')

    def show(self, *args):
        """{(address, variant): levels}"""
        done = programs.run('mxdiff', 'show', *args, '--json', '--store', self.store, '--roots',
                            self.roots)
        self.assertEqual(done.status, 0, done)
        return {(row['address'], row['sni']): row['verdict']['levels'] for row in done.lines()
                if row['verdict']}

    def verdict(self, rows, situation, level, variant):
        # DANE sends the name of the TLSA records, which is the host's; without any, none.
        if level.startswith('dane') and situation.has_usable_tlsa:
            variant = 'hostname'
        levels = rows.get((self.ground.address[situation.domain], variant))
        return levels and levels[level]

    def test_mxdiff_says_what_postfix_does(self):
        everything = self.show()
        hosts = [s.mx_host for s in self.situations]
        compared = 0
        for s in self.situations:
            rows = everything
            if hosts.count(s.mx_host) > 1:  # which domain is meant must be told
                rows = self.show(s.mx_host, '--nexthop', s.domain)
            for key in self.asked:
                if key[0] != s.domain:
                    continue
                with self.subTest(key=key):
                    real, ours = self.sent[key], self.verdict(rows, s, *key[1:])
                    if s.zone == BOGUS:
                        self.assertFalse(real.delivered, real)
                    if s.zone == BOGUS or s.name in NOT_OBSERVED:
                        self.assertIsNone(ours)
                        continue
                    self.assertIsNotNone(ours, real)
                    self.assertEqual((ours['word'], ours['delivers']),
                                     (real.word, real.delivered), f'{ours}\n{real}')
                    compared += 1
        self.assertGreater(compared, 1000)


if __name__ == '__main__':
    tap.main()
