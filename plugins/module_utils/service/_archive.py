# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binaries out of an archive, with a record of what was installed, and those that they replaced kept for a way back.

Only what the record knows by its digest is ever overwritten. It is written first, so that a killed run can be run again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import tarfile
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._rust import RUST
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary, _files, _folders

TARGET = RUST.folder
BINARIES = tuple(sorted(set(RUST.binaries.values())))
FOLDER = "/usr/local/lib/fastopen.shadowsocks"
"""Has the record, and in ``previous`` the binaries that were there before."""
MOST_BYTES = 1 << 28


class ArchiveError(Exception):
    """It cannot be installed; the message says why. What was installed before is as it was."""


@dataclasses.dataclass(frozen=True)
class Release:
    """What came out of one archive: its checksum (sha256:HEX), its version, and the SHA-256 of each binary in hex."""

    checksum: str = ""
    version: str = ""
    binaries: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Record:
    """What is installed, and what was before; Release() where there is none."""

    current: Release = Release()
    previous: Release = Release()


def load() -> Record:
    """The record. Raises ArchiveError where it is damaged."""
    state = _files.read(_record())
    if state is None:
        return Record()
    try:
        kept = json.loads(state.content)
        return Record(*(Release(**kept[name]) for name in ("current", "previous")))
    except (ValueError, KeyError, TypeError):
        raise ArchiveError(f"{_record()} is damaged: remove it together with {', '.join(_paths(TARGET))}") from None


def is_installed(checksum: str) -> bool:
    """Whether the binaries of this archive are there, whole and with their mode."""
    current = load().current
    states = [_files.read(path) for path in _paths(TARGET)]
    whole = all(state is not None and (state.link, state.mode) == (False, 0o755) for state in states)
    return whole and current.checksum == checksum and _digests(TARGET) == dict(current.binaries)


def difference(checksums: t.Mapping[str, str]) -> str:
    """Why the binaries here are not those of the archive for this host's architecture, '' where they are. Raises ArchiveError.

    ``checksums`` are by architecture, as ansible_facts['architecture'] has it; without any there is no archive wanted.
    """
    if not checksums:
        return ""
    machine = re.sub(r"i[3456]86", "i386", platform.machine())
    if machine not in checksums:
        return f"has no archive for {machine}"
    if is_installed(checksums[machine]):
        return ""
    installed = load().current.checksum
    if installed == checksums[machine]:
        return f"was changed in {TARGET} since it was installed"
    return f"is of {f'the archive {installed}' if installed else 'no archive'}, not of {checksums[machine]}"


def hindrances() -> list[str]:
    """What somebody else put where the binaries go, or where units would find it before them."""
    record, there = load(), _digests(TARGET)
    found = [
        f"{TARGET}/{name} was not installed by this role, or was changed since: move it away, or set shadowsocks_install: none"
        for name in BINARIES
        if os.path.lexists(f"{TARGET}/{name}")
        and there.get(name, "") not in [one.binaries[name] for one in (record.current, record.previous) if one.binaries]
    ]
    before = _binary.PATH.split(":")
    before = before[: before.index(TARGET)]
    paths = [f"{folder}/{name}" for folder in before for name in BINARIES]
    return [*found, *(f"{path} is what units would start: move it away" for path in paths if os.path.lexists(path))]


def kept(checksum: str) -> t.Optional[dict[str, bytes]]:
    """The binaries of this archive where they are those before the present ones: a way back needs no download."""
    previous = load().previous
    folder = f"{FOLDER}/previous"
    if previous.checksum != checksum or _digests(folder) != dict(previous.binaries):
        return None
    return _contents(folder)


def unpack(archive: bytes, checksum: str) -> dict[str, bytes]:
    """The binaries in an archive (tar, compressed by xz, gzip or bzip2), once its digest is the right one. Raises ArchiveError."""
    digest = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    if digest != checksum:
        raise ArchiveError(f"the archive has checksum {digest}, not {checksum}: it was not unpacked")
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member in members:
                name = os.path.basename(member.name)
                stream = members.extractfile(member) if name in BINARIES and member.isreg() else None
                if stream is not None and member.size <= MOST_BYTES:
                    found[name] = stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveError(f"the archive cannot be read: {error}") from None
    missing = [name for name in BINARIES if name not in found]
    if missing:
        raise ArchiveError(f"the archive holds no {', '.join(missing)}")
    return found


def try_out(binaries: t.Mapping[str, bytes], version: t.Optional[str]) -> str:
    """The version that they tell of themselves, run from a folder of their own. Raises ArchiveError."""
    folder = f"{FOLDER}/new"
    _folders.check(FOLDER)
    _folders.make(folder, 0o755)
    told = set()
    try:
        for name, content in binaries.items():
            path = f"{folder}/{name}"
            _files.write(path, content, 0o755, os.geteuid(), os.getegid())
            told.add(_version(path, name))
            if not _binary.knows_fast_open(path):
                raise ArchiveError(f"{name} of the archive has no {RUST.fast_open_in_help.decode()} in its help")
    finally:
        for path in _paths(folder):
            _files.remove(path)
        os.rmdir(folder)
    if len(told) != 1 or version not in (None, *told):
        wanted = "one" if version is None else version
        raise ArchiveError(f"the archive holds version {' and '.join(sorted(told))}, not {wanted}")
    return told.pop()


def install(binaries: t.Mapping[str, bytes], checksum: str, version: str) -> None:
    """Put them in place, each one whole or not at all, and keep what they replace. Raises OSError."""
    record = load()
    new = Release(checksum, version, {name: _sha256(content) for name, content in binaries.items()})
    if record.current.checksum not in ("", checksum) and _digests(TARGET) == dict(record.current.binaries):
        _folders.make(f"{FOLDER}/previous", 0o755)
        for name, content in _contents(TARGET).items():
            _write(f"{FOLDER}/previous/{name}", content)
        record = Record(record.current, record.current)
    _folders.make(FOLDER, 0o755)
    kept = {"current": dataclasses.asdict(new), "previous": dataclasses.asdict(record.previous)}
    _files.write(_record(), f"{json.dumps(kept, indent=1)}\n".encode(), 0o644, os.geteuid(), os.getegid())
    for name, content in binaries.items():
        _write(f"{TARGET}/{name}", content)


def _version(path: str, name: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArchiveError(f"{name} of the archive does not run here: {error}") from None
    found = re.search(rb"\d+\.\d+\.\d+[\w.+-]*", done.stdout)
    if done.returncode != 0 or found is None:
        words = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        why = words[-1] if words else f"status {done.returncode}"
        raise ArchiveError(
            f"{name} of the archive does not run here ({why}): take a build for this host, such as a musl one"
        )
    return found[0].decode()


def _record() -> str:
    return f"{FOLDER}/archive.json"


def _paths(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in BINARIES]


def _contents(folder: str) -> dict[str, bytes]:
    """The binaries in a folder; a link is none."""
    states = {name: _files.read(f"{folder}/{name}") for name in BINARIES}
    return {name: state.content for name, state in states.items() if state is not None and not state.link}


def _digests(folder: str) -> dict[str, str]:
    return {name: _sha256(content) for name, content in _contents(folder).items()}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: str, content: bytes) -> None:
    _files.write(path, content, 0o755, os.geteuid(), os.getegid())
