# SPDX-License-Identifier: GPL-2.0-or-later
"""What parts read of the host's and of the process's own words."""

import unittest

from benchmark.events import typical
from benchmark.host_clock import first_entry
from benchmark.memory import rollup
from benchmark.parts import PARTS
from benchmark.remap import LOOPS, derived, with_touch
from benchmark.work import total

TRACE = '''# tracer: nop
 python3-7   [000] .....   3.000100: sched_process_exec: filename=/bin/sh pid=7
 CPU 0/KVM-9 [000] d....   3.000150: kvm_exit: reason hlt
 python3-8   [000] .....   4.000100: sched_process_exec: filename=/q pid=8
 CPU 0/KVM-9 [000] d....   4.250000: kvm_entry: vcpu 0
 CPU 0/KVM-9 [000] d....   4.260000: kvm_entry: vcpu 0
'''
ROLLUP = '''55d0-7fff ---p 00000000 00:00 0    [rollup]
Rss:              123456 kB
Pss_Dirty:            12 kB
Private_Dirty:         7 kB
'''


class PartsTest(unittest.TestCase):
    """Each from a text, or from numbers."""

    def test_titles(self) -> None:
        """A plot has one place for each, and so one for those of a name."""
        for part in PARTS.values():
            titles = [measure.title for measure in part.measures]
            self.assertEqual(len(titles), len(set(titles)), titles)

    def test_first_entry(self) -> None:
        self.assertEqual(249900000, first_entry(TRACE))

    def test_no_entry(self) -> None:
        for trace in ('', TRACE.split(' CPU')[0],
                      ' a-1 [000] d 4.250000: kvm_entry: vcpu 0\n'):
            with self.assertRaisesRegex(ValueError, 'no entry'):
                first_entry(trace)

    def test_events(self) -> None:
        self.assertEqual({'self': [7, 7], 'self-while-moved-lost': [0]},
                         typical({'self': [7, 7, 99],
                                  'self-while-moved-lost': [0]}))
        self.assertEqual(
            {'timer-while-moved': [8], 'timer-while-moved-mean': [900, 8, 7],
             'timer-while-moved-in-a-move': [9, 99]},
            typical({'timer-while-moved': [900, 8, 7],
                     'timer-while-moved-in-a-move': [9, 99]}))

    def test_work(self) -> None:
        self.assertEqual(30, total(['10 700 1\n', '20 800 2\n']))

    def test_rollup(self) -> None:
        self.assertEqual({'Rss': 123456, 'Pss_Dirty': 12, 'Private_Dirty': 7},
                         rollup(ROLLUP))

    def test_what_a_remap_leaves_to_do(self) -> None:
        self.assertEqual(
            {'remap-and-touch': [16, 27], 'fresh-and-touch': [40, 51]},
            with_touch({'touch': [100], 'remap-of-touched': [10, 20],
                        'touch-after': [106, 107], 'fresh': [30, 40],
                        'touch-after-fresh': [110, 111]}))

    def test_in_exits(self) -> None:
        found = derived({'remap': [20, 40], 'exit': [10]},
                        {'clock-updates': [LOOPS], 'clock-step': [5]})
        self.assertEqual({'in-exits': [3], 'clock-updates': [1],
                          'clock-step': [5]}, found)


if __name__ == '__main__':
    unittest.main()
