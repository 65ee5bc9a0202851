# SPDX-License-Identifier: GPL-2.0-or-later
"""A tree of files to be, planned first and written later.

Planning apart from writing is what makes layers cacheable: the key of a
plan is known without copying anything.

The rule of the plan: a path inside means what it means outside.  So a
symbolic link met on the way to a file (/lib -> usr/lib, or a link in a
build folder) is planned as that link, and what it leads to is planned
under its own name.  Planning a *directory* /lib instead would be fatal:
the kernel, unpacking a later archive, replaces the link /lib of an
earlier one by an empty directory, and every library is gone.
"""

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from nested.errors import NestedError

# More than any sane path needs; Linux itself gives up at 40.
MAX_LINKS = 40


@dataclass(frozen=True)
class Entry:
    """One name in the tree: exactly one of the fields in use is not None,
    and none at all means a directory."""
    mode: int
    source: str | None = None    # a file, copied from here
    data: bytes | None = None    # a file with this content
    target: str | None = None    # a symbolic link

    def fingerprint(self) -> str:
        """What must change whenever the written entry would change."""
        content: object = self.target
        if self.source is not None:
            # Not the content: hashing 100 MB at each start costs more
            # than the boot's saving, and a build tool trusts stat too.
            info = os.stat(self.source)
            content = (self.source, info.st_size, info.st_mtime_ns,
                       info.st_ino)
        elif self.data is not None:
            content = hashlib.sha256(self.data).hexdigest()
        return f'{self.mode:o} {content!r}'


class Tree:
    """Destination path (absolute, no link in its folder part) -> Entry."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    # Planning

    def add(self, path: Path | str) -> None:
        """Plan a file or a folder (with all below it) under its own path."""
        path = os.path.abspath(path)
        if not os.path.lexists(path):
            raise NestedError(f'{path}: no such file to take into the nested '
                              'host; check the path')
        place = self._place(path)
        if os.path.exists(place):
            self._copy(place, place)

    def add_as(self, source: Path | str, destination: Path | str) -> None:
        """Plan a file or folder under another path; links are resolved."""
        source = os.path.realpath(source)
        if not os.path.exists(source):
            raise NestedError(f'{source}: no such file to take into the '
                              'nested host; check the path')
        self._copy(source, self._new_place(destination))

    def add_data(self, destination: Path | str, data: bytes,
                 mode: int = 0o644) -> None:
        """Plan a file with this content."""
        self._set(self._new_place(destination), Entry(mode, data=data))

    def add_folder(self, destination: Path | str, mode: int = 0o755) -> None:
        """Plan an empty folder."""
        self._set(self._new_place(destination), Entry(mode))

    def add_link(self, destination: Path | str, target: str) -> None:
        """Plan a symbolic link."""
        self._set(self._new_place(destination), Entry(0o777, target=target))

    def _set(self, place: str, entry: Entry) -> None:
        parent = os.path.dirname(place)
        if parent != place and parent not in self.entries:
            self._set(parent, Entry(0o755))
        if place != '/':
            self.entries[place] = entry

    def _new_place(self, destination: Path | str) -> str:
        destination = os.path.normpath(destination)
        if not os.path.isabs(destination):
            raise NestedError(f'{destination}: a place in the nested host '
                              'must be an absolute path')
        folder, name = os.path.split(destination)
        return os.path.join(self._place(folder), name)

    def _place(self, path: str) -> str:
        """Plan every link on the way to path; return where it leads to."""
        place = '/'
        todo = [part for part in path.split('/') if part]
        links = 0
        while todo:
            part = todo.pop(0)
            if part == '..':
                place = os.path.dirname(place)
                continue
            if part == '.':
                continue
            place = os.path.join(place, part)
            if not os.path.islink(place):
                continue
            links += 1
            if links > MAX_LINKS:
                raise NestedError(f'{path}: symbolic links go in a circle')
            target = os.readlink(place)
            self._set(place, Entry(0o777, target=target))
            place = '/' if target.startswith('/') else os.path.dirname(place)
            todo = [p for p in target.split('/') if p] + todo
        return place

    def _copy(self, source: str, place: str) -> None:
        info = os.lstat(source)
        mode = stat.S_IMODE(info.st_mode)
        if stat.S_ISDIR(info.st_mode):
            self._set(place, Entry(mode))
            for name in sorted(os.listdir(source)):
                self._copy(os.path.join(source, name),
                           os.path.join(place, name))
        elif stat.S_ISREG(info.st_mode):
            self._set(place, Entry(mode, source=source))
        elif stat.S_ISLNK(info.st_mode):
            self._copy_link(source, place)
        # Sockets, pipes and devices mean nothing inside.

    def _copy_link(self, source: str, place: str) -> None:
        """A link inside a given folder stays a link.  A file it leads to
        comes along; a folder does not (one link to / would be the whole
        machine): whoever needs it gives it too."""
        self._set(place, Entry(0o777, target=os.readlink(source)))
        leads_to = os.path.realpath(source)
        if os.path.isfile(leads_to):
            self._place(source)
            if leads_to not in self.entries:
                self._copy(leads_to, leads_to)

    # Using the plan

    def key(self, recipe: str) -> str:
        """A name for what would be written; recipe names the later steps."""
        text = '\n'.join([recipe] + [
            f'{place!r} {entry.fingerprint()}'
            for place, entry in sorted(self.entries.items())])
        return hashlib.sha256(
            text.encode('utf-8', 'surrogateescape')).hexdigest()[:24]

    def size(self) -> int:
        """Bytes in files, before any later step."""
        return sum(os.path.getsize(entry.source) if entry.source
                   else len(entry.data or b'')
                   for entry in self.entries.values())

    def write(self, root: Path) -> None:
        """Write the tree below root."""
        for place, entry in sorted(self.entries.items()):
            path = f'{root}{place}'
            if entry.target is not None:
                os.symlink(entry.target, path)
                continue
            if entry.source is not None:
                shutil.copyfile(entry.source, path)
            elif entry.data is not None:
                Path(path).write_bytes(entry.data)
            else:
                os.mkdir(path)
            # Writable by the owner: strip and compileall work on these.
            os.chmod(path, entry.mode | stat.S_IWUSR)
