#!/usr/bin/env python3
"""mxdiff metrics: what Debian's promtool says of them and of the example alerts, and their values."""
import datetime
import os
import re
import subprocess
import time
import unittest

from common import Lab, packages, programs, tap
from lab.story import Story

RULES = os.path.join(packages.TOP, 'differ', 'mx509.rules.yml')


def parse(text):
    """{(name, labels): value}"""
    found = {}
    for line in text.split('\n'):
        if line and not line.startswith('#'):
            name, labels, value = re.fullmatch(r'(\w+)(?:\{(.*)\})? (-?[\d.]+)', line).groups()
            key = name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels or '')))
            assert key not in found, f'twice: {line}'
            found[key] = float(value)
    return found


def seconds(iso):
    return datetime.datetime.fromisoformat(iso.replace('Z', '+00:00')).timestamp()


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.package = packages.Package('prometheus').need()
        cls.story = Story(cls.lab, 'metrics')
        cls.story.see({'192.0.2.1': 'sentinel'})

    def promtool(self, *args, stdin=''):
        return subprocess.run([self.package.path('usr/bin/promtool'), *args], input=stdin,
                              env=self.package.env(), text=True, capture_output=True, check=False)

    def metrics(self, *args):
        done = self.story.mxdiff('metrics', *args)
        self.assertEqual((done.status, done.err), (0, ''), done)
        return done.out

    def test_promtool_finds_no_fault(self):
        text = self.metrics()
        self.assertTrue(text.endswith('# EOF\n'))
        done = self.promtool('check', 'metrics', stdin=text)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ''))

    def test_values(self):
        got = parse(self.metrics())

        def of(name, *labels):
            return got[(name, tuple(sorted(labels)))]

        at = ('host', 'mx1.bigmail.test'), ('sni', 'none')
        shown = {r['address']: r for r in self.story.mxdiff('show', '--json').lines()}
        change = self.story.mxdiff('log', '--json').lines()[0]
        self.assertEqual(of('mx509_certificate_not_after_timestamp_seconds', *at),
                         seconds(shown['192.0.2.1']['not_after']))
        self.assertEqual(of('mx509_last_observation_timestamp_seconds', *at),
                         seconds(shown['192.0.2.1']['last']))
        self.assertEqual(of('mx509_last_change_timestamp_seconds', *at), seconds(change['before']))
        self.assertEqual(of('mx509_series', *at), 1)
        self.assertEqual(of('mx509_rollouts_open', ('severity', 'critical')), 1)
        self.assertEqual(of('mx509_probes_last_day', ('outcome', 'success')), 6)
        self.assertEqual(of('mx509_probes_last_day', ('outcome', 'io-timeout')), 0)
        self.assertAlmostEqual(of('mx509_read_timestamp_seconds'), time.time(), delta=60)
        self.assertNotIn(('mx509_last_change_timestamp_seconds',
                          (('host', 'mx2.bigmail.test'), ('sni', 'none'))), got)
        verify = [v for (name, labels), v in got.items()
                  if name == 'mx509_delivers' and ('level', 'verify') in labels]
        if verify:  # there are roots on this machine
            self.assertEqual(set(verify), {0}, 'the lab\'s CA is nobody\'s root')

    def test_how_many_are_bounded(self):
        text = self.metrics('--limit', '1')
        hosts = set(re.findall('host="([^"]*)"', text))
        self.assertEqual(hosts, {'mx1.bigmail.test', '(others)'})
        got = parse(text)
        self.assertEqual(got[('mx509_series', (('host', '(others)'), ('sni', 'none')))], 2)
        self.assertEqual(got[('mx509_series_summed', ())], 2)
        self.assertEqual(self.promtool('check', 'metrics', stdin=text).returncode, 0)
        text = self.metrics('--by-address', 'mx1.bigmail.test', '192.0.2.2')
        self.assertEqual(set(re.findall('address="([^"]*)"', text)), {'192.0.2.1', '192.0.2.2'})
        parse(text)

    def test_nobody_is_named(self):
        text = self.metrics('--limit', '0')
        self.assertEqual(set(re.findall('host="([^"]*)"', text)), {'(others)'})
        self.assertEqual(parse(text)[('mx509_series_summed', ())], 3)
        self.assertEqual(self.promtool('check', 'metrics', stdin=text).returncode, 0)

    def test_what_is_old_says_nothing_of_the_present(self):
        done = self.story.mxdiff('metrics', '--stale-after', '0s')
        self.assertEqual((done.status, done.out, done.err.count('\n')), (2, '', 1), done)
        self.assertIn('--stale-after', done.err)
        text = self.metrics('--stale-after', '1m')
        self.assertNotIn('\nmx509_certificate_not_after_timestamp_seconds{', text)
        self.assertIn('\nmx509_last_observation_timestamp_seconds{', text)

    def test_textfile(self):
        path = self.lab.path('mx509.prom')
        old = os.umask(0o077)
        try:
            self.assertEqual(self.metrics('--textfile', path), '')
        finally:
            os.umask(old)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)
        with open(path, encoding='ascii') as f:
            self.assertTrue(f.read().endswith('# EOF\n'))
        self.assertFalse(os.path.exists(path + '.new'))
        done = self.story.mxdiff('metrics', '--textfile', '/no/such/folder/x.prom')
        self.assertEqual((done.status, done.err.count('\n')), (2, 1), done)

    def test_example_alerts(self):
        checked = self.promtool('check', 'rules', RULES)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        tests = self.lab.path('alerts.yml')
        with open(tests, 'w', encoding='ascii') as f:
            f.write(ALERTS.format(rules=RULES))
        done = self.promtool('test', 'rules', tests)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


# The clock of `promtool test rules` begins at 0.
ALERTS = '''
rule_files: ['{rules}']
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: mx509_certificate_not_after_timestamp_seconds{{host="mx1.test",sni="none"}}
        values: 604800x600
      - series: mx509_delivers{{host="mx1.test",sni="none",level="verify"}}
        values: 1x60 0x600
      - series: mx509_rollouts_open{{severity="critical"}}
        values: 0x60 1x600
      - series: mx509_last_observation_timestamp_seconds{{host="mx1.test",sni="none"}}
        values: 0x600
      - series: mx509_read_timestamp_seconds
        values: 0x600
    alert_rule_test:
      - eval_time: 59m
        alertname: MxCertificateExpires
      - eval_time: 90m
        alertname: MxCertificateExpires
        exp_alerts:
          - exp_labels: {{host: mx1.test, sni: none, severity: warning}}
            exp_annotations:
              summary: mx1.test (SNI none) shows a certificate that ends in 6.938 days
      - eval_time: 60m
        alertname: MxDoesNotVerify
      - eval_time: 70m
        alertname: MxDoesNotVerify
        exp_alerts:
          - exp_labels: {{host: mx1.test, sni: none, level: verify, severity: critical}}
            exp_annotations:
              summary: senders at level verify no longer deliver to mx1.test under SNI none
      - eval_time: 60m
        alertname: MxRollOut
      - eval_time: 62m
        alertname: MxRollOut
        exp_alerts:
          - exp_labels: {{severity: critical}}
            exp_annotations:
              summary: '1 critical roll-outs are under way: mxdiff windows says which'
      - eval_time: 359m
        alertname: MxNotObserved
      - eval_time: 361m
        alertname: MxNotObserved
        exp_alerts:
          - exp_labels: {{host: mx1.test, sni: none, severity: warning}}
            exp_annotations:
              summary: mx1.test (SNI none) was not observed for 6h 1m 0s
      - eval_time: 119m
        alertname: MxMetricsAreOld
      - eval_time: 121m
        alertname: MxMetricsAreOld
        exp_alerts:
          - exp_labels: {{severity: warning}}
            exp_annotations:
              summary: no new metrics of mail exchangers for 2h 1m 0s
'''

if __name__ == '__main__':
    tap.main()
