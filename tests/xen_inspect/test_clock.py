# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be said of a guest's time, and no more."""

import unittest

import canned
from xen_inspect import clock
from xen_inspect.clock import NANO, compare
from xen_inspect.ports import ranges


class CompareTest(unittest.TestCase):
    """The guest's clock was 100 s when a vCPU's was last updated."""

    GUEST = 100 * NANO

    def test_age_unknown(self) -> None:
        self.assertEqual(compare(self.GUEST, 103 * NANO, True, None),
                         'guest at most 3.000 s behind (the update\'s age is '
                         'unknown)')

    def test_ahead_is_certain(self) -> None:
        self.assertEqual(compare(self.GUEST, self.GUEST - NANO // 2, True,
                                 None),
                         'guest at least 500.000 ms ahead')

    def test_stopped(self) -> None:
        self.assertEqual(compare(self.GUEST, 103 * NANO, False, None),
                         'guest at most 3.000 s behind; it is stopped')

    def test_age_limited(self) -> None:
        self.assertEqual(
            compare(self.GUEST, 103 * NANO, True, 1.0),
            'guest between 3.000 s behind and 2.000 s behind')
        self.assertEqual(
            compare(self.GUEST, 103 * NANO, True, 3.5),
            'guest between 3.000 s behind and 500.000 ms ahead')


class TimeTest(unittest.TestCase):
    """Numbers from the guest's memory."""

    def test_frequency(self) -> None:
        # Without a shift, 2^31 / 2^32 ns per tick is 2 GHz.
        for shift, mul, expected in ((0, 1 << 31, 2000), (1, 1 << 31, 1000),
                                     (-1, 1 << 31, 4000), (0, 0, None)):
            with self.subTest(shift=shift, mul=mul):
                self.assertEqual(
                    clock.frequency_mhz(canned.clock(shift=shift, mul=mul)),
                    expected)

    def test_wallclock(self) -> None:
        wallclock = {'version': 2, 'seconds': 7, 'nanoseconds': 9}
        self.assertEqual(clock.wallclock_ns(wallclock), 7 * NANO + 9)
        self.assertIsNone(clock.wallclock_ns(wallclock | {'version': 0}))

    def test_utc(self) -> None:
        self.assertEqual(clock.utc(86400 * NANO + 1_234_567),
                         '1970-01-02 00:00:00.001234 UTC')

    def test_utc_of_what_a_guest_made_up(self) -> None:
        self.assertEqual(clock.utc((2 ** 64 - 1) * NANO),
                         '18446744073709551615 s after 1970')

    def test_latest_update(self) -> None:
        vcpus = [canned.vcpu(0, time=canned.clock(system_time=5)),
                 canned.vcpu(1, time=canned.clock(system_time=8)),
                 canned.vcpu(2, time=canned.clock(version=0, system_time=9)),
                 canned.nowhere(3)]
        latest = clock.latest_update(vcpus)
        assert latest
        self.assertEqual(latest['cpu-index'], 1)
        self.assertIsNone(clock.latest_update(vcpus[2:]))


class RangesTest(unittest.TestCase):
    """Ports as people write them."""

    def test_ranges(self) -> None:
        for ports, text in (([], 'none'), ([5], '5'), ([2, 3], '2-3'),
                            ([*range(2, 18), 20], '2-17, 20'),
                            ([9, 1, 2, 4, 3], '1-4, 9')):
            with self.subTest(text):
                self.assertEqual(ranges(ports), text)


if __name__ == '__main__':
    unittest.main()
