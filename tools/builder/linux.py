# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds parts of Linux from Debian's source: KVM's modules, its tests."""

from __future__ import annotations

import collections
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence

from .say import Progress, UserError, note, step

KVM = 'arch/x86/kvm'
# Most of a kernel, and nothing here is built from it.  (Newer self tests of
# KVM want headers of some drivers.)
LEFT_OUT = ('drivers/*.[cS]', 'drivers/gpu/*.h', 'sound/*.[chS]',
            'fs/*.[chS]', 'net/*.[chS]')
COMPILED = re.compile(r'^  (CC|AS|HOSTCC)\b')
# Of a failed build.
LINES = 40
ERROR = re.compile(r'\berror: |\*\*\* ')


@dataclass(frozen=True)
class LinuxSource:
    """A source tree that is built as the packaged kernel `release` was."""
    tree: Path
    release: str

    @classmethod
    def unpack(cls, archive: Path, tree: Path, release: str) -> LinuxSource:
        """From linux-source-*.tar.xz."""
        step(f'unpacking the source of Linux {release}')
        tree.mkdir()
        # Of the archive's one folder only: there is an include/linux/fs, too.
        top = archive.name.removesuffix('.tar.xz')
        left_out = [f'--exclude={top}/{files}' for files in LEFT_OUT]
        _run(['tar', '--extract', '--file', str(archive), '--xz', '--strip=1',
              '--directory', str(tree), '--anchored', '--wildcards',
              *left_out])
        return cls(tree, release)

    def patch(self, patch: Path) -> None:
        """Apply a patch; what does not apply as it is must be updated."""
        note(patch.name)
        _run(['patch', '--directory', str(self.tree), '--strip=1',
              '--forward', '--fuzz=0', '--input', str(patch)])

    def configure(self, headers: Path, options: Sequence[str]) -> None:
        """As the kernel's header package says, and `options` switched on."""
        for name in ('.config', 'Module.symvers'):
            shutil.copy(headers / name, self.tree)
        for option in options:
            _run([str(self.tree / 'scripts/config'), '--file',
                  str(self.tree / '.config'), '--enable', option])
        self._make('configuring Linux', ['olddefconfig'])
        config = (self.tree / '.config').read_text()
        for option in options:
            if f'\nCONFIG_{option}=y\n' not in config:
                raise UserError(f'Linux {self.release} cannot be configured '
                                f'with CONFIG_{option}=y')

    def kvm_modules(self) -> list[Path]:
        """Build KVM's modules for AMD's virtualization."""
        step(f'building KVM of Linux {self.release}')
        self._make('tools', ['modules_prepare'])
        files = [*(self.tree / KVM).rglob('*.c'),
                 *(self.tree / 'virt/kvm').glob('*.c')]
        ours = [file for file in files if file.parent.name != 'vmx']
        self._make('KVM', [f'M={KVM}', 'CONFIG_KVM_INTEL=', 'modules'],
                   len(ours))
        built = [self.tree / KVM / name for name in ('kvm.ko', 'kvm-amd.ko')]
        # As in packages: what debuggers want is nine tenths of it.
        _run(['strip', '--strip-debug', *map(str, built)])
        return built

    def selftests(self, names: Iterable[str], into: Path) -> None:
        """Build these of KVM's own tests, for x86."""
        step(f"building KVM's own tests of Linux {self.release}")
        tests = self.tree / 'tools/testing/selftests/kvm'
        self._make('headers', ['headers'])
        into.mkdir()
        for name in names:
            source, = tests.glob(f'x86*/{name}.c')
            # By the path that its Makefile knows it by.
            target = tests / source.parent.name / name
            self._make(name, ['--directory', str(tests), f'OUTPUT={tests}',
                              str(target)])
            shutil.copy(target, into)

    def _make(self, what: str, arguments: list[str], files: int = 0) -> None:
        command = ['make', '--directory', str(self.tree),
                   f'--jobs={os.cpu_count() or 1}',
                   f'KERNELRELEASE={self.release}', *arguments]
        progress = Progress(what) if files else None
        compiled = 0
        tail: collections.deque[str] = collections.deque(maxlen=LINES)
        # Another of its jobs may say more than that after the first of them.
        errors: list[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              errors='replace',
                              env={**os.environ, 'LC_ALL': 'C.UTF-8'}
                              ) as make:
            assert make.stdout
            try:
                for line in make.stdout:
                    tail.append(line.rstrip())
                    if ERROR.search(line):
                        errors.append(line.rstrip())
                    compiled += COMPILED.match(line) is not None
                    if progress:
                        progress.at(min(compiled, files), files)
            finally:
                if progress:
                    progress.end()
        if make.returncode:
            raise UserError(f'building {what} failed '
                            f'({shlex.join(command)}):\n' +
                            '\n'.join([*errors, '...', *tail]))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True,
                          errors='replace', check=False)
    if done.returncode:
        raise UserError(f'{shlex.join(command)}:\n'
                        f'{done.stdout}{done.stderr}')
