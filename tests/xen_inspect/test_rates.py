# SPDX-License-Identifier: GPL-2.0-or-later
"""Rates between two looks."""

import unittest
from typing import Any

import canned
from xen_inspect import OVERLAY, VCPU_INFO
from xen_inspect.rates import rates


def with_vcpus(*vcpus: dict[str, Any]) -> dict[str, Any]:
    """Answers with these vCPUs."""
    return canned.answers() | {VCPU_INFO: list(vcpus)}


class RatesTest(unittest.TestCase):
    """Two seconds lie between the looks."""

    def time_updates(self, before: dict[str, Any],
                     after: dict[str, Any]) -> float:
        """Per second."""
        return rates(with_vcpus(before), with_vcpus(after), 2.0).time_updates

    def test_counters(self) -> None:
        after = canned.answers()
        after[OVERLAY]['stats']['maps'] += 10
        after[OVERLAY]['stats']['registrations'] += 3
        found = rates(canned.answers(), after, 2.0)
        self.assertEqual((found.maps, found.registrations), (5.0, 1.5))
        self.assertEqual(found.seconds, 2.0)

    def test_an_update_is_two_steps_of_the_version(self) -> None:
        before = with_vcpus(canned.vcpu(0, time=canned.clock(6)),
                            canned.vcpu(1, time=canned.clock(10)))
        after = with_vcpus(canned.vcpu(0, time=canned.clock(10)),
                           canned.vcpu(1, time=canned.clock(16)))
        self.assertEqual(rates(before, after, 2.0).time_updates, 2.5)

    def test_reset(self) -> None:
        self.assertEqual(self.time_updates(
            canned.vcpu(0, time=canned.clock(600)),
            canned.vcpu(0, time=canned.clock(4))), 1.0)

    def test_other_place_has_another_past(self) -> None:
        for change in ({'gpa': 0x5000}, {'source': 'default-slot'}):
            with self.subTest(change):
                self.assertEqual(self.time_updates(
                    canned.vcpu(0, time=canned.clock(6)),
                    canned.vcpu(0, time=canned.clock(600), **change)), 0)

    def test_vcpus_come_and_go(self) -> None:
        one, other = canned.vcpu(0), canned.vcpu(1, time=canned.clock(60))
        self.assertEqual(self.time_updates(one, other), 0)
        self.assertEqual(self.time_updates(canned.nowhere(1), other), 0)
        self.assertEqual(self.time_updates(other, canned.nowhere(1)), 0)


if __name__ == '__main__':
    unittest.main()
