# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel modules: what they need, and in which order they load."""

import functools
import lzma
from collections.abc import Iterable
from pathlib import Path

from nested.errors import NestedError


def module_name(path: Path | str) -> str:
    """kvm-amd.ko.xz and kvm_amd are the same module."""
    return Path(path).name.split('.')[0].replace('-', '_')


@functools.lru_cache(maxsize=8)
def module_bytes(path: Path) -> bytes:
    """The module as insmod wants it.

    Decompressed here: the kernel could, but under TCG it takes longer."""
    if path.suffix == '.xz':
        return lzma.decompress(path.read_bytes())
    if path.suffix == '.ko':
        return path.read_bytes()
    raise NestedError(f'{path}: only .ko and .ko.xz modules are understood; '
                      'decompress it first')


def modinfo(module: bytes, field: str) -> str:
    """A field of the section .modinfo ("name=value", NUL-terminated).

    Found by its text: enough, because the kernel's build writes it so, and
    an ELF parser would be the longest file here."""
    start = module.find(b'\0' + field.encode() + b'=')
    if start < 0:
        return ''
    start += len(field) + 2
    return module[start:module.index(b'\0', start)].decode()


def load_order(wanted: Iterable[str], modules: Iterable[Path]) -> list[Path]:
    """wanted and all they depend on, each after what it depends on."""
    known = {module_name(path): path for path in modules}
    order: list[Path] = []

    def visit(name: str, user: str) -> None:
        path = known.get(name)
        if path is None:
            raise NestedError(f'module {name}, needed by {user}, is missing '
                              'beside the kernel; add its .ko file')
        if path in order:
            return
        depends = modinfo(module_bytes(path), 'depends')
        for other in filter(None, depends.split(',')):
            visit(module_name(other), name)
        order.append(path)

    for name in wanted:
        visit(module_name(name), 'the test bed')
    return order
