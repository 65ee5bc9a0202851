# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of a few instructions, made here: what ends them is in sight."""

import struct

LOAD_AT = 0x100000

# In 32-bit protected mode, without an IDT, interrupts off.
CPUID = b'\x0f\xa2'
HALT = b'\xf4'              # hlt
TRIPLE_FAULT = b'\x0f\x0b'  # ud2
FOR_EVER = b'\xeb\xfe'      # jmp to itself


def say(text: str) -> bytes:
    """Code that writes to port 0xe9."""
    # mov al, byte; out 0xe9, al
    return b''.join(b'\xb0%c\xe6\xe9' % byte for byte in text.encode())


def say_whether_vcpu_exists(vcpu: int) -> bytes:
    """Code that asks VCPUOP_is_up: "A" if it is down, "?" if there is no
    such vCPU (-ENOENT)."""
    return (b'\xb8' + struct.pack('<I', 24)         # mov eax, vcpu_op
            + b'\xbb' + struct.pack('<I', 3)        # mov ebx, VCPUOP_is_up
            + b'\xb9' + struct.pack('<I', vcpu)     # mov ecx
            + b'\x31\xd2'                           # xor edx, edx
            + b'\x0f\x01\xd9'                       # vmmcall
            + b'\x04A\xe6\xe9')                     # add al, 'A'; out 0xe9


def turn_paging_on() -> bytes:
    """Code that goes to PAE mode, the first 8 MiB mapped one to one."""
    def store(address: int, value: int) -> bytes:
        # mov dword [address], value
        return b'\xc7\x05' + struct.pack('<II', address, value)

    directory = 0x201000
    code = store(0x200000, directory | 1) + store(0x200004, 0)
    for number in range(4):
        entry = directory + 8 * number
        # Present, writable, 2 MiB.
        code += store(entry, number << 21 | 0x83) + store(entry + 4, 0)
    return (code
            + b'\xb8' + struct.pack('<I', 1 << 5)
            + b'\x0f\x22\xe0'                      # mov cr4, PAE
            + b'\xb8' + struct.pack('<I', 0x200000)
            + b'\x0f\x22\xd8'                      # mov cr3
            + b'\x0f\x20\xc0'                      # mov eax, cr0
            + b'\x0d' + struct.pack('<I', 1 << 31)  # or eax, PG
            + b'\x0f\x22\xc0')                     # mov cr0, eax


def elf(code: bytes) -> bytes:
    """An ELF32 file that Xen enters at the code by PVH."""
    headers = 52 + 2 * 32
    # XEN_ELFNOTE_PHYS32_ENTRY
    note = struct.pack('<III4sI', 4, 4, 18, b'Xen\0', LOAD_AT)
    offset = headers + len(note)
    header = b'\x7fELF\1\1\1' + bytes(9) + struct.pack(
        '<HHIIIIIHHHHHH', 2, 3, 1, LOAD_AT, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    load = struct.pack('<8I', 1, offset, LOAD_AT, LOAD_AT, len(code),
                       len(code), 5, 1)
    notes = struct.pack('<8I', 4, headers, 0, 0, len(note), len(note), 4, 4)
    return header + load + notes + note + code
