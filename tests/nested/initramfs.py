# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in the nested host's initramfs, layer by layer."""

import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nested.errors import NestedError
from nested.job import END, JOB, STDIN
from nested.kernel import Kernel
from nested.layer import Layer
from nested.module import module_bytes
from nested.paths import BUILD, INIT, LAYERS
from nested.tree import Tree

PYTHON = '/usr/bin/python3'
BUSYBOX = '/bin/busybox'

# Parts of the standard library that no test imports.
PYTHON_LEFT_OUT = re.compile(
    r'(test|tests|idlelib|lib2to3|ensurepip|tkinter|turtledemo|pydoc_data'
    r'|config-.*|__pycache__|.*\.exe)')

FIRMWARE = {
    '/usr/share/qemu': r'(bios.*\.bin|vgabios.*\.bin|kvmvapic\.bin'
                       r'|linuxboot.*\.bin|multiboot.*\.bin|pvh\.bin'
                       r'|qboot\.rom)',
    '/usr/share/seabios': r'.*\.bin',
    '/usr/lib/ipxe/qemu': r'.*\.rom',
}

# QEMU's own Python packages, for tests that drive QEMU with them.
QEMU_PYTHON = (BUILD / 'qemu-src/python/qemu',
               BUILD / 'qemu-src/tests/functional/qemu_test')

GivenFile = Path | str | tuple[Path | str, Path | str]


def layers(kernel: Kernel, emulator: Path, others: Sequence[Path],
           files: Sequence[GivenFile]) -> list[Layer]:
    """All layers but the job's, the lowest first."""
    result = [base_layer(kernel), python_layer(), emulator_layer(emulator)]
    result += [other_emulator_layer(other) for other in others]
    if files:
        result.append(files_layer(files))
    return result


def base_layer(kernel: Kernel, init: Path = INIT,
               folder: Path = LAYERS) -> Layer:
    """busybox, init, modules, and the places to mount things on."""
    if not os.path.exists(BUSYBOX):
        raise NestedError(f'{BUSYBOX} is missing; install it with: '
                          'apt-get install busybox-static')
    tree = Tree()
    # Where these are links (merged /usr), all layers must agree they are.
    for name in ('/bin', '/sbin', '/lib', '/lib64'):
        if os.path.islink(name):
            tree.add_link(name, os.readlink(name))
    for name in ('/usr/bin', '/usr/sbin', '/usr/lib', '/usr/lib64', '/dev',
                 '/proc', '/sys', '/etc', '/root', '/run', '/var/tmp',
                 '/var/run', '/modules'):
        tree.add_folder(name)
    tree.add_folder('/tmp', 0o1777)
    tree.add(BUSYBOX)
    for applet in _applets():
        # First come, first kept: busybox itself must not become a link.
        if applet != BUSYBOX[1:]:
            tree.add_link(f'/{applet}', BUSYBOX)
    tree.add_data('/init', init.read_bytes(), 0o755)
    tree.add_data('/etc/passwd', b'root:x:0:0:root:/root:/bin/sh\n')
    tree.add_data('/etc/group', b'root:x:0:\n')
    tree.add_data('/etc/hosts', b'127.0.0.1 localhost nested\n')
    for number, module in enumerate(kernel.modules):
        name = module.name.removesuffix('.xz')
        # Numbered: init loads them in the order of their names.
        tree.add_data(f'/modules/{number:02}-{name}',
                      module_bytes(module))
    return Layer('base', tree, folder=folder)


def python_layer() -> Layer:
    """The system's Python and its standard library."""
    about = _ask_python()
    tree = Tree()
    tree.add(PYTHON)
    _add_sources(tree, Path(about['stdlib']))
    libraries = {PYTHON}
    libraries.update(source.source for source in tree.entries.values()
                     if source.source and source.source.endswith('.so'))
    add_libraries(tree, libraries)
    if about['pycotap']:
        _add_sources(tree, Path(about['pycotap']))
    return Layer('python', tree, f'compileall {about["version"]}',
                 (_compile_python,))


def emulator_layer(emulator: Path) -> Layer:
    """The QEMU under test, its libraries, firmware and Python packages."""
    tree = _emulator_tree(emulator)
    for folder, wanted in FIRMWARE.items():
        _add_firmware(tree, Path(folder), wanted)
    for package in QEMU_PYTHON:
        if package.is_dir():
            _add_sources(tree, package)
    return Layer('emulator', tree, f'strip compileall {_python_version()}',
                 (_strip(emulator), _compile_python))


def other_emulator_layer(emulator: Path) -> Layer:
    """One more QEMU, which shares all but its libraries with the first."""
    return Layer('other-emulator', _emulator_tree(emulator), 'strip',
                 (_strip(emulator),))


def _emulator_tree(emulator: Path) -> Tree:
    if not emulator.exists():
        raise NestedError(f'{emulator}: no such emulator; build it first '
                          '(./run does), or name one with --qemu')
    tree = Tree()
    tree.add(emulator)
    add_libraries(tree, [str(emulator)])
    # A QEMU in its build folder looks for firmware in the bundle there
    # before anywhere else; it is made of links to the real places.
    bundle = emulator.resolve().parent / 'qemu-bundle'
    for name in FIRMWARE:
        if os.path.islink(f'{bundle}{name}'):
            tree.add_link(f'{bundle}{name}', os.readlink(f'{bundle}{name}'))
    return tree


def _strip(emulator: Path) -> Callable[[Path], None]:
    def strip(root: Path) -> None:
        # The symbols are two thirds of it, and nobody debugs inside.
        _run(['strip', f'{root}{emulator.resolve()}'],
             'apt-get install binutils')

    return strip


def files_layer(files: Iterable[GivenFile]) -> Layer:
    """What the caller gave."""
    tree = Tree()
    for given in files:
        if isinstance(given, tuple):
            tree.add_as(*given)
        else:
            tree.add(given)
    return Layer('files', tree, f'compileall {_python_version()}',
                 (_compile_given,))


def job_tree(script: bytes, mark: bytes, stdin: bool) -> Tree:
    """The job; made for each run, so not a layer with a key."""
    tree = Tree()
    tree.add_data(JOB, script)
    tree.add_data(END, mark)
    if stdin:
        tree.add_data(STDIN, b'')
    return tree


def _run(command: Sequence[str | Path], remedy: str) -> str:
    try:
        return subprocess.run(command, check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    except FileNotFoundError:
        raise NestedError(f'the tool {str(command[0])!r} is missing; install '
                          f'it with: {remedy}') from None
    except subprocess.CalledProcessError as error:
        raise NestedError(f'failed: {error}') from error


def _applets() -> list[str]:
    return _run([BUSYBOX, '--list-full'],
                'apt-get install busybox-static').split()


@functools.cache
def _ask_python() -> dict[str, str]:
    """The system's Python is asked, not this one: they may differ."""
    code = ('import json, sys, sysconfig, importlib.util as u;'
            's = u.find_spec("pycotap");'
            'print(json.dumps({"version": sys.version,'
            '"stdlib": sysconfig.get_path("stdlib"),'
            '"pycotap": s.submodule_search_locations[0] if s else ""}))')
    return json.loads(_run([PYTHON, '-E', '-c', code],
                           'apt-get install python3'))


def _python_version() -> str:
    return _ask_python()['version']


def _add_sources(tree: Tree, folder: Path) -> None:
    """A package or library: all of it but what is left out."""
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders
                            if not PYTHON_LEFT_OUT.fullmatch(name))
        for name in sorted(files):
            full = os.path.join(path, name)
            # Debian's sitecustomize.py leads to a file that is not there.
            if not PYTHON_LEFT_OUT.fullmatch(name) and os.path.exists(full):
                tree.add(full)


def add_libraries(tree: Tree, binaries: Iterable[str]) -> None:
    """All shared libraries that ldd names, at their paths."""
    output = _run(['ldd', *sorted(binaries)], 'apt-get install libc-bin')
    missing = re.findall(r'^\s*(\S+) => not found', output, re.MULTILINE)
    if missing:
        raise NestedError(f'shared libraries not found: {", ".join(missing)}')
    # "libz.so.1 => /lib/... (0x...)" or "/lib64/ld-... (0x...)"
    for path in re.findall(r'^\s+(?:\S+ => )?(/\S+) \(0x', output,
                           re.MULTILINE):
        tree.add(path)


def _add_firmware(tree: Tree, folder: Path, wanted: str) -> None:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if re.fullmatch(wanted, path.name) and path.exists():
            # Resolved: a link may lead to a name that is not wanted.
            tree.add_as(path, path)


def _compile_python(root: Path) -> None:
    """Byte code that is taken without a look at its source: the initramfs
    need not keep times, and compiling under TCG is slow."""
    _run(_compileall(root), 'apt-get install python3')


def _compile_given(root: Path) -> None:
    """The same, but what does not compile is the caller's business: it
    may be a test of just that."""
    if any(root.rglob('*.py')):
        subprocess.run([*_compileall(root), '-q'], check=False)


def _compileall(root: Path) -> list[str]:
    # -s and -p: inside, tracebacks name the paths of inside.
    return [PYTHON, '-E', '-m', 'compileall', '-q', '--invalidation-mode',
            'unchecked-hash', '-s', str(root), '-p', '/', str(root)]
