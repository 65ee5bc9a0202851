#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams go to and fro between ours and stock QEMU 10.0.

Stock QEMU refuses to migrate any Xen guest.  The one here has one line less,
which says so (tests/qemu/stock-migratable.patch), and is stock otherwise.
"""

from overlay_test import main
from overlay_test.environment import MIGRATABLE_STOCK
from overlay_test.migration import AUTO, GFN, EventsTest

VCPUS = 2

# Stock QEMU crashes at its end where there is one.
NO_NIC = ('-nic', 'none')


class StockStream(EventsTest):
    """The guest that counts its events, here and there."""

    needs_migratable_stock = True

    def setUp(self) -> None:
        super().setUp()
        if not MIGRATABLE_STOCK.exists():
            self.skipTest('stock QEMU for this is not built; '
                          './test functional stock_stream does')
        self.own = self.qemu_bin

    def use(self, stock: bool) -> None:
        """Which emulator the next machine is."""
        self.qemu_bin = str(MIGRATABLE_STOCK.resolve()) if stock else self.own
        # Stock QEMU cannot be asked for one.
        self.has_remap_method = stock

    def incoming(self, stock: bool, backend: tuple[str, ...]) -> None:
        self.use(stock)
        self.launch_events('', *NO_NIC, *(() if stock else backend),
                           '-incoming', 'defer', smp=VCPUS)

    def there_and_back(self, backend: tuple[str, ...],
                       other: tuple[str, ...]) -> None:
        """From ours to stock's, back into ours in another mode, and so on."""
        self.use(stock=False)
        self.start_events('own=0,1 ports=100', *NO_NIC, *backend, smp=VCPUS)
        stock = False
        for mode in (other, backend) * 2:
            source = self.leave_machine()
            stock = not stock
            self.incoming(stock, mode)
            self.migrate_to(source)
            source.shutdown()
            self.assertEqual(0, source.exitcode(), source.get_log())
        self.go()
        self.rest()
        self.finish()

    def test_there_and_back(self) -> None:
        self.there_and_back(AUTO, GFN)
        self.leave_machine()
        self.there_and_back(GFN, AUTO)


if __name__ == '__main__':
    main()
