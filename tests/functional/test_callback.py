#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""However a guest wants to be called, it is called for each event.

KVM can call a guest by a vector only.  By a pin QEMU does it, and has to keep
from KVM what KVM would then send without a call: IPIs and the vCPUs' timers.
"""

from pathlib import Path

from overlay_test import main, stream
from overlay_test.migration import EventsTest

PIN = 'gsi=20'
# That entry of the IOAPIC's in a stream: after its id, its register, 8 unused
# bytes, the pins that are up, and 20 entries before it.
ENTRY = 1 + 1 + 8 + 4 + 20 * 8
REMOTE_IRR = 1 << 14
ROUNDS = 5


class Callback(EventsTest):
    """With the guest that counts its events (tests/guest/events)."""

    def test_pin(self) -> None:
        """At rest, a timer that goes off is all that calls."""
        self.start_events(PIN, smp=1)
        for _ in range(ROUNDS):
            self.go()
            self.rest()
        self.finish()
        self.check_log(self.vm)

    def changes(self, append: str, pin: int) -> None:
        """There and back, at rest and with events under way."""
        self.start_events(append, smp=1)

        def change() -> None:
            nonlocal pin
            pin = 1 - pin
            self.command('c', f'CALLBACK pin={pin}\n')

        for moments in range(ROUNDS):
            for _ in range(2):
                self.go()
                self.rest()
                change()
            self.go()
            for _ in range(moments):
                change()
            self.rest()
        self.finish()
        self.check_log(self.vm)

    def test_pin_to_vector(self) -> None:
        """Ports that were bound when only QEMU could call."""
        self.changes(PIN, 1)

    def test_vector_to_pin(self) -> None:
        """Ports that KVM was told of when they were bound."""
        self.changes(f'{PIN} vector=1', 0)

    def test_end_that_got_lost(self) -> None:
        """A vCPU that is stopped right after it has ended an interrupt does
        not tell, and in the stream the pin waits for that.  Too rare to
        wait for: such a stream is made here."""
        self.start_events(PIN, smp=1)
        saved = self.path('saved')
        source = self.leave_machine()
        source.cmd('migrate', uri=f'file:{saved}')
        self.wait_for_migration(source)
        self.end_machine(source)

        data = Path(saved).read_bytes()
        section = stream.find(data, 'ioapic')
        at = section.start + ENTRY
        entry = int.from_bytes(data[at:at + 8], 'big')
        self.assertFalse(entry & REMOTE_IRR)
        Path(saved).write_bytes(stream.patched(
            data, section, ENTRY, (entry | REMOTE_IRR).to_bytes(8, 'big')))

        self.launch_events('', '-incoming', 'defer', smp=1)
        self.vm.cmd('migrate-incoming', uri=f'file:{saved}')
        self.wait_for_migration(self.vm)
        self.go()
        self.rest()
        self.finish()
        self.check_log(self.vm)

    def poll(self, append: str, smp: int) -> None:
        """KVM has a vCPU wait without telling QEMU, and has to be told when
        QEMU has what it waits for."""
        self.start_events(append, smp=smp)
        self.command('p', 'POLLED\n')
        self.go()
        self.rest()
        self.finish()
        self.check_log(self.vm)

    def test_poll_for_qemu(self) -> None:
        """For a timer that is not KVM's."""
        self.poll(PIN, smp=1)

    def test_poll_while_a_port_is_closed(self) -> None:
        """KVM waits for who polls, and so may not be waited for."""
        self.poll('', smp=2)


if __name__ == '__main__':
    main()
