# SPDX-License-Identifier: GPL-2.0-or-later
"""A migration stream in a file, as far as sections of single devices go.

A section of a device is QEMU_VM_SECTION_FULL (4), its number, its name with
the length in front, an instance, a version, the device's data, and a footer
of 0x7e and the number again (docs/devel/migration in QEMU).  All numbers are
big-endian.
"""

from dataclasses import dataclass

SECTION_FULL = b'\x04'
FOOTER = b'\x7e'


@dataclass(frozen=True)
class Section:
    """Where the data of a device's section lies in a stream."""
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


def find(stream: bytes, name: str) -> Section:
    """The section of the device with that name; KeyError: none, or more."""
    called = bytes([len(name)]) + name.encode()
    found = []
    at = stream.find(called)
    while at >= 0:
        number = stream[at - 4:at]
        if stream[at - 5:at - 4] == SECTION_FULL:
            start = at + len(called) + 8
            found.append(Section(start, stream.index(FOOTER + number, start)))
        at = stream.find(called, at + 1)
    if len(found) != 1:
        raise KeyError(f'{len(found)} sections are called {name}')
    return found[0]


def patched(stream: bytes, section: Section, offset: int,
            value: bytes) -> bytes:
    """`stream` with `value` over the section's bytes from `offset` on."""
    at = section.start + offset
    assert at + len(value) <= section.end
    return stream[:at] + value + stream[at + len(value):]
