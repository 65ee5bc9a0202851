# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's teaching device, edu, of the host's, given to a guest by VFIO.

Of what it does only DMA matters here: between guest RAM and a page of its own,
by the pages that were pinned, whatever is mapped where they were.  Nobody in
the guest drives it: the test does, from outside, by qtest's protocol, which
works beside KVM (docs/specs/edu of QEMU's documentation has the registers).
"""

import time
from pathlib import Path

from qemu.machine.qtest import QEMUQtestProtocol

PAGE = 4096

_DEVICES = Path('/sys/bus/pci/devices')
_PROBE = Path('/sys/bus/pci/drivers_probe')
_DRIVER = 'vfio-pci'
_IDS = ('0x1234', '0x11e8')

# Where the guest has it: i440fx's bus, whose devices can come later.
_SLOT = 0x10
# Above the guest's RAM; the firmware of a guest that is up sets none any more.
_BAR = 0xfea00000

_CONFIG_ADDRESS, _CONFIG_DATA = 0xcf8, 0xcfc
_COMMAND, _BAR0 = 0x04, 0x10
_MEMORY_AND_BUS_MASTER = 0x6

# From its start: the registers of DMA, and the page of its own.
_SOURCE, _DESTINATION, _COUNT, _DMA = 0x80, 0x88, 0x90, 0x98
_OWN_PAGE = 0x40000
_RUN, _TO_RAM = 0x1, 0x2

_LIMIT = 60
_BETWEEN = 0.05


def take() -> str | None:
    """Have VFIO take the host's; returns its address, None if there is none
    behind an IOMMU."""
    for device in _DEVICES.glob('*'):
        ids = tuple((device / name).read_text().strip()
                    for name in ('vendor', 'device'))
        if ids == _IDS and (device / 'iommu_group').exists():
            (device / 'driver_override').write_text(_DRIVER)
            if not (device / 'driver').exists():
                _PROBE.write_text(device.name)
            return device.name
    return None


class Edu:
    """The device in a guest.  Use as a context manager, around the machine that
    has arguments()."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / 'qtest')
        self._qtest = QEMUQtestProtocol(self._path, server=True)

    def __enter__(self) -> 'Edu':
        return self

    def __exit__(self, *_error: object) -> None:
        self._qtest.close()

    def arguments(self) -> list[str]:
        """For a machine of i440fx's."""
        return ['-qtest', f'unix:{self._path}', '-qtest-log', '/dev/null']

    @staticmethod
    def device(address: str) -> dict[str, str]:
        """For device_add: the host's at `address`."""
        return {'driver': _DRIVER, 'id': 'edu', 'host': address,
                'addr': hex(_SLOT)}

    def connect(self) -> None:
        """Once the machine has started."""
        self._qtest.accept()

    def set_up(self) -> None:
        """Once it is in the machine, and after a reset."""
        self._config(_BAR0, _BAR)
        self._config(_COMMAND, _MEMORY_AND_BUS_MASTER)

    def read(self, gpa: int, through: int) -> bytes:
        """A page of the guest's as DMA has it, by way of the page at
        `through`, which is the guest's as well."""
        self._dma(gpa, _OWN_PAGE)
        self._dma(_OWN_PAGE, through)
        return self.memory(through)

    def write(self, gpa: int, page: bytes, through: int) -> None:
        """A page to the guest's by DMA, by way of that at `through`."""
        self._ask(f'write {through:#x} {len(page):#x} 0x{page.hex()}')
        self._dma(through, _OWN_PAGE)
        self._dma(_OWN_PAGE, gpa)

    def memory(self, gpa: int) -> bytes:
        """A page of the guest's, as the guest has it."""
        return bytes.fromhex(self._ask(f'read {gpa:#x} {PAGE:#x}')[2:])

    def _dma(self, source: int, destination: int) -> None:
        self._register(_SOURCE, source)
        self._register(_DESTINATION, destination)
        self._register(_COUNT, PAGE)
        self._register(_DMA, _RUN | (_TO_RAM if source == _OWN_PAGE else 0))
        end = time.monotonic() + _LIMIT
        while int(self._ask(f'readl {_BAR + _DMA:#x}'), 16) & _RUN:
            if time.monotonic() > end:
                raise TimeoutError(f'DMA is not done after {_LIMIT} s')
            time.sleep(_BETWEEN)

    def _register(self, offset: int, value: int) -> None:
        self._ask(f'writel {_BAR + offset:#x} {value:#x}')

    def _config(self, offset: int, value: int) -> None:
        self._ask(f'outl {_CONFIG_ADDRESS:#x} '
                  f'{1 << 31 | _SLOT << 11 | offset:#x}')
        self._ask(f'outl {_CONFIG_DATA:#x} {value:#x}')

    def _ask(self, command: str) -> str:
        answer = self._qtest.cmd(command).split()
        if answer[:1] != ['OK']:
            raise ValueError(f'{command[:80]}: {answer}')
        return answer[1] if len(answer) > 1 else ''
