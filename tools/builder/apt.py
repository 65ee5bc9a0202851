# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's archive, through apt and its signed metadata.

apt runs with a configuration of the build's own, so that suites beside the
system's (a newer source package, a backport) can be used while the user's
sources stay as they are.  Where the archive is comes from those sources:
whoever uses a mirror goes on using it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Iterator, Sequence

from .say import UserError, note, step

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

# What is downloaded is not for this system: apt would else choose the version
# that is installed, which may come from a suite that is not among ours.
NOTHING_INSTALLED = ['-o', 'Dir::State::status=/dev/null']

# What each supported release lends from its neighbours.  The key is the
# system's own suite.
#   source:  the suite whose qemu is of the 10.0 series
#   extra:   a suite for packages that the system's own has too old
#   kernel:  the suite whose cloud kernel is 6.12, which has KVM_XEN
SUITES = {
    'bookworm': {'source': 'trixie', 'extra': 'bookworm-backports',
                 'kernel': 'bookworm-backports'},
    'trixie': {'source': 'trixie', 'extra': None, 'kernel': 'trixie'},
}


def system_suite() -> str:
    """The suite this system runs, as in /etc/os-release."""
    release = dict(
        line.split('=', 1)
        for line in Path('/etc/os-release').read_text().splitlines()
        if '=' in line)
    suite = release.get('VERSION_CODENAME', '').strip('"')
    if suite not in SUITES or os.uname().machine != 'x86_64':
        name = release.get('PRETTY_NAME', 'this system').strip('"')
        raise UserError(
            f'{name} on {os.uname().machine} is not supported: the packages '
            f'are taken from Debian {" or ".join(SUITES)} for x86_64.  '
            'Run it in a container or chroot of one of these.')
    return suite


def archive_uri(suite: str) -> str:
    """Where the system's own apt sources take `suite`'s main from."""
    # On a new system apt has read no lists yet and then shows, unless told
    # not to care, nothing.
    for option in ('--release-info', '--no-release-info'):
        done = subprocess.run(
            ['apt-get', 'indextargets', option, '--format', '|'.join(
                f'$({name})' for name in ('ORIGIN', 'CODENAME', 'RELEASE',
                                          'COMPONENT', 'REPO_URI')),
             'Identifier: Packages'],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError("apt cannot read the system's sources:\n"
                            f'{_errors(done.stderr)}')
        fitting = []
        for line in done.stdout.splitlines():
            origin, codename, release, component, uri = line.split('|', 4)
            # A DVD lacks the other suites.
            if suite in (codename, release) and component == 'main' \
                    and not uri.startswith('cdrom:'):
                fitting.append((origin != 'Debian', uri))
        if fitting:
            # Others than Debian call their suites by its names.
            return min(fitting, key=lambda found: found[0])[1]
    raise UserError(
        f"apt knows no source for {suite} main, so the archive's place is "
        'not known.  Run apt-get update; if that does not help, add a source '
        'to /etc/apt/sources.list.d.')


class Apt:
    """apt with the configuration in `build_dir`/apt.

    With `only` it knows that suite and nothing else: to download from what
    the system must not be mixed with, and a mirror may not have.
    """

    def __init__(self, build_dir: Path, only: str | None = None) -> None:
        self._dir = build_dir / (f'apt-{only}' if only else 'apt')
        self._suite = system_suite()
        self._only = only

    def knows(self, suite: str) -> bool:
        """Whether packages of `suite` can be had."""
        return suite in ([self._only] if self._only else
                         [self._suite, self.extra_suite()])

    def kernel_suite(self) -> str:
        """The suite that has a cloud kernel with KVM's Xen support."""
        return SUITES[self._suite]['kernel']

    def extra_suite(self) -> str | None:
        """Where to find a package that the system's suite has too old."""
        return SUITES[self._suite]['extra']

    def has(self, package: str) -> bool:
        """Whether the system's own suite has `package`."""
        output = self._query(['apt-cache', 'madison', package])
        return f' {self._suite}/' in output

    def install(self, packages: Sequence[str],
                suite: str | None = None) -> None:
        """Install `packages` on the system; nothing else is upgraded."""
        step(f'installing {" ".join(packages)}')
        command = ['apt-get', 'install', '--yes', '--no-install-recommends']
        if suite:
            command += ['--target-release', suite]
        if os.geteuid() != 0:
            if not shutil.which('sudo'):
                raise UserError(
                    'these packages must be installed, and there is no sudo: '
                    f'{" ".join(packages)}{" from " if suite else ""}'
                    f'{suite or ""}.  Install them as root, or install sudo.')
            # The configuration must survive sudo's clean environment.
            command = ['sudo', 'env', f'APT_CONFIG={self._config()}',
                       'DEBIAN_FRONTEND=noninteractive', *command]
        self._run(lambda: [*command, *packages],
                  f'could not install {" ".join(packages)}')

    def depends(self, package: str, suite: str | None = None) -> list[str]:
        """Names of the packages that `package` depends on."""
        output = self._query(['apt-cache', *NOTHING_INSTALLED, 'show',
                              '--no-all-versions',
                              self._named(package, suite)])
        names: list[str] = []
        for value in re.findall(r'^(?:Pre-)?Depends: (.*)$', output, re.M):
            names += [re.split(r'[ :(|]', part.strip())[0]
                      for part in value.split(',')]
        return names

    def download(self, package: str, suite: str | None = None) -> Path:
        """The .deb of `package`, downloaded unless it is there already."""
        cache = self._dir / 'debs'
        cache.mkdir(parents=True, exist_ok=True)
        command = ['apt-get', *NOTHING_INSTALLED, 'download',
                   self._named(package, suite)]

        def newest() -> Path:
            uris = self._query([*command, '--print-uris'])
            name = re.search(r"^'[^']*' (\S+) \d+", uris, re.M)
            if not name:
                raise UserError(f'apt knows no package {package}')
            return cache / name.group(1)

        with self._locked():
            deb = newest()
            if not deb.exists():
                note(f'downloading {package}')
                self._run(lambda: command, f'could not download {package}',
                          cwd=cache)
                # Another one, if the lists were out of date.
                deb = newest()
        return deb

    def source(self, package: str, series: str, into: Path) -> Path:
        """Download the newest source of `package` in version `series`.

        Returns the .dsc.  The version is looked up, not pinned: point
        releases replace each other in the archive.
        """
        def newest() -> str:
            found = re.findall(r'^Version: (\S+)$', self._query(
                ['apt-cache', 'showsrc', '--only-source', package]), re.M)
            return _newest(package, series, found)

        into.mkdir(parents=True, exist_ok=True)
        note(f'downloading the source of {package} {newest()}')
        self._run(lambda: ['apt-get', 'source', '--download-only',
                           '--only-source', f'{package}={newest()}'],
                  f'could not download the source of {package}', cwd=into)
        upstream = newest().split(':', 1)[-1]
        return into / f'{package}_{upstream}.dsc'

    # -- how apt is called ------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One apt of ours at a time: tests run side by side."""
        self._dir.mkdir(parents=True, exist_ok=True)
        with open(self._dir / 'lock', 'w', encoding='ascii') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _named(self, package: str, suite: str | None) -> str:
        return f'{package}/{suite}' if suite else package

    def _config(self) -> Path:
        """Write the configuration, once per change of its content."""
        uri = archive_uri(self._suite)
        suites = SUITES[self._suite]
        wanted = [('deb', self._only)] if self._only else [
            ('deb', self._suite), ('deb', suites['extra']),
            ('deb-src', suites['source'])]
        lines = [f'{kind} [signed-by={KEYRING}] {uri} {suite} main'
                 for kind, suite in wanted if suite]
        for folder in ('lists/partial', 'archives/partial', 'debs'):
            (self._dir / folder).mkdir(parents=True, exist_ok=True)
        sources = self._dir / 'sources.list'
        _write_if_changed(sources, '\n'.join(lines) + '\n')
        config = self._dir / 'apt.conf'
        _write_if_changed(config, '\n'.join([
            f'Dir::Etc::SourceList "{sources}";',
            'Dir::Etc::SourceParts "/dev/null";',
            f'Dir::State::Lists "{self._dir}/lists";',
            f'Dir::Cache::Archives "{self._dir}/archives";',
            f'Dir::Cache::pkgcache "{self._dir}/pkgcache.bin";',
            f'Dir::Cache::srcpkgcache "{self._dir}/srcpkgcache.bin";',
            # The cache lies in a clone, which apt's own user cannot enter.
            'APT::Sandbox::User "root";',
            'Acquire::Retries "3";',
            'Dpkg::Options:: "--force-confold";',
        ]) + '\n')
        return config

    def _environment(self) -> dict[str, str]:
        return {**os.environ, 'APT_CONFIG': str(self._config()),
                'DEBIAN_FRONTEND': 'noninteractive', 'LC_ALL': 'C.UTF-8'}

    def _ensure_lists(self) -> None:
        self._config()
        newest = max((path.stat().st_mtime for path in
                      (self._dir / 'lists').glob('*Packages*')), default=0.0)
        if newest < (self._dir / 'sources.list').stat().st_mtime:
            self._update()

    def _update(self) -> None:
        step("reading the archive's package lists")
        command = ['apt-get', 'update']
        done = subprocess.run(
            [*command, '-o', 'APT::Update::Error-Mode=any'],
            env=self._environment(), capture_output=True, text=True,
            check=False)
        if done.returncode:
            raise UserError(
                "could not read the archive's package lists:\n"
                f'{_errors(done.stderr)}\n'
                'Check the network and the sources in /etc/apt.  A missing '
                'suite means that your mirror does not carry it; a missing '
                'key, that debian-archive-keyring is out of date.')
        # apt keeps the server's time stamp on a list; ours tells when we
        # asked.
        for path in (self._dir / 'lists').glob('*Packages*'):
            path.touch()

    def _query(self, command: Sequence[str]) -> str:
        self._ensure_lists()
        done = subprocess.run(command, env=self._environment(),
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f'{" ".join(command)}:\n{_errors(done.stderr)}')
        return done.stdout

    def _run(self, command: Callable[[], Sequence[str]], failure: str,
             cwd: Path | None = None) -> None:
        """Run apt; where its lists are out of date, update and try again.

        `command` is asked each time: what it names may have been replaced.
        """
        self._ensure_lists()
        for attempt in (1, 2):
            done = subprocess.run(command(), env=self._environment(),
                                  cwd=cwd, capture_output=True, text=True,
                                  check=False)
            if done.returncode == 0:
                return
            if attempt == 1:
                self._update()
        raise UserError(f'{failure}:\n{_errors(done.stderr)}')


def _errors(stderr: str) -> str:
    lines = [line for line in stderr.splitlines()
             if not line.startswith('W: Download is performed unsandboxed')]
    return '\n'.join(f'   {line}' for line in lines[-15:])


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _newest(package: str, series: str, found: Sequence[str]) -> str:
    """The newest of the versions `found` that is of the series."""
    fitting = [version for version in found
               if re.match(rf'(\d+:)?{re.escape(series)}[.+~-]', version)]
    if not fitting:
        raise UserError(
            f'the archive has no {package} {series} source (it has '
            f'{", ".join(sorted(set(found))) or "none"}).  Give a tree '
            'of that series with --with-qemu-source DIR.')
    return max(fitting, key=functools.cmp_to_key(_compare))


def _compare(one: str, other: str) -> int:
    """Debian's order of versions, in which ~rc1 comes before nothing."""
    return 1 if subprocess.run(
        ['dpkg', '--compare-versions', one, 'gt', other],
        check=False).returncode == 0 else -1
