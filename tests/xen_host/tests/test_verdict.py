# SPDX-License-Identifier: GPL-2.0-or-later
"""Statuses: the guest's word counts only if its domain ended well."""

import unittest

from xen_host.verdict import judge


class VerdictTest(unittest.TestCase):
    """judge()."""

    def test_words(self) -> None:
        for word, status in (('PASS', 0), ('FAIL', 1), ('SKIP', 77),
                             ('ERROR', 99)):
            verdict = judge(f'READY\nVERDICT: {word} remap: x\n', 0)
            self.assertEqual((status, ''),
                             (verdict.status, verdict.explanation))

    def test_the_last_one_counts(self) -> None:
        self.assertEqual(99, judge('VERDICT: PASS a: x\n'
                                   'VERDICT: ERROR a: x\n', 0).status)

    def test_no_verdict(self) -> None:
        for text in ('', 'READY\n', 'VERDICT: PASSED x\n',
                     'say VERDICT: PASS x\n', 'VERDICT: PERFECT x\n'):
            verdict = judge(text, 0)
            self.assertEqual(134, verdict.status, text)
            self.assertIn('powered off without a verdict',
                          verdict.explanation)

    def test_bad_end(self) -> None:
        for reason, words in ((1, 'triple fault'), (3, 'crashed'),
                              (9, 'reason 9')):
            verdict = judge('VERDICT: PASS remap: x\n', reason)
            self.assertEqual(134, verdict.status)
            self.assertIn(words, verdict.explanation)


if __name__ == '__main__':
    unittest.main()
