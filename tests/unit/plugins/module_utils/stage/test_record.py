# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._switch import Line, Wants
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record

SERVER = {"side": "server", "mode": "flag", "program": "ss-server", "port": 8388, "address": "::1", "url": ""}
LISTENER = {**SERVER, "mode": "listener"}
CLIENT = {**SERVER, "side": "client", "program": "ss-local", "port": 1080}
FULL = _record.Record(
    units={"ss-server@main.service": SERVER},
    raised=2,
    lowered=1,
    line=Line("/etc/sysctl.d/99-tfo.conf", ("net/ipv4/tcp_fastopen = 1 # \udcff",), "3"),
    asked=2,
    refused=0x400,
    undone={"ss-local@main.service": {"side": "client", "by": "guard", "when": "2026-01-01T00:00:00Z", "why": "loss"}},
    killed={"by": "root@ss1", "when": "2026-01-01T00:00:00Z"},
)


@pytest.fixture(autouse=True, name="folder")
def fixture_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The host's folders, below tmp_path."""
    monkeypatch.setattr(_record, "FOLDER", str(tmp_path / "lib"))
    monkeypatch.setattr(_record, "RUN_FOLDER", str(tmp_path / "run"))
    return tmp_path


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_record_comes_back(folder: pathlib.Path) -> None:
    assert _record.load() == _record.Record()
    _record.store(FULL)
    assert _record.load() == FULL
    assert (mode(folder / "lib"), mode(folder / "lib/record.json")) == (0o700, 0o600)
    _record.store(_record.Record())
    assert list((folder / "lib").iterdir()) == [] and _record.load() == _record.Record()


def test_the_lease_comes_back(folder: pathlib.Path) -> None:
    assert _record.load_lease() is None
    lease = _record.Lease("r1", "me", "now", 12.5, "fastopen-lease-1", {"ss-local@a.service": CLIENT}, 1)
    _record.store_lease(lease)
    assert _record.load_lease() == lease
    assert mode(folder / "run/lease.json") == 0o600
    _record.store_lease(None)
    assert _record.load_lease() is None


@pytest.mark.parametrize(("ahead", "live"), [(5, True), (-5, False)])
def test_a_lease_ends_by_the_monotonic_clock(monkeypatch: pytest.MonkeyPatch, ahead: float, live: bool) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert _record.Lease("r1", deadline=time.monotonic() + ahead).live is live


def test_who_ended_a_run() -> None:
    assert _record.ended() == {}
    _record.end_run("r1", "its lease ended")
    assert _record.ended() == {"run": "r1", "why": "its lease ended"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[1]", '"x"', '{"unknown": 1}', '{"line": "x"}', '{"line": {"file": "x"}}', "\xff"),
        *('{"undone": {"a.service": {"side": "client"}}}', '{"undone": {"a.service": true}}'),
        *('{"killed": true}', '{"killed": {"by": "me"}}'),
    ],
)
def test_damaged_record(folder: pathlib.Path, text: str) -> None:
    (folder / "lib").mkdir()
    (folder / "lib/record.json").write_text(text, encoding="latin-1")
    with pytest.raises(_record.RecordError, match=r"record\.json is damaged .*move it away"):
        _record.load()


@pytest.mark.parametrize("text", ["{", '{"unknown": 1}', '{"who": "me"}', "[1]"])
def test_damaged_lease(folder: pathlib.Path, text: str) -> None:
    (folder / "run").mkdir()
    (folder / "run/lease.json").write_text(text)
    with pytest.raises(_record.RecordError, match=r"lease\.json is damaged .*move it away"):
        _record.load_lease()


def test_record_that_cannot_be_read(folder: pathlib.Path) -> None:
    """A folder, or a disk that is failing."""
    (folder / "lib/record.json").mkdir(parents=True)
    with pytest.raises(_record.RecordError, match=r"record\.json cannot be read \(Is a directory\)"):
        _record.load()


def test_somebody_who_may_not_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look without root knows no stage, and does not fail."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert (_record.load(), _record.load_lease(), _record.ended()) == (_record.Record(), None, {})


def test_a_write_that_fails_leaves_the_old_record(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> None:
    _record.store(FULL)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _record.store(_record.Record(raised=1))
    assert _record.load() == FULL
    assert [path.name for path in (folder / "lib").iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    ("units", "stepped", "needed", "for_the_boot"),
    [
        ([], None, 0, 0),
        ([SERVER], None, 3, 3),
        ([LISTENER], None, 0x403, 0x403),
        ([CLIENT], [], 1, 1),
        ([], [SERVER], 3, 0),
        ([CLIENT], [LISTENER], 0x403, 1),
    ],
)
def test_who_wants_what(units: list, stepped: list | None, needed: int, for_the_boot: int) -> None:
    record = _record.Record({str(number): unit for number, unit in enumerate(units)}, asked=2, refused=0x400)
    lease = None if stepped is None else _record.Lease("r1", units={str(n): unit for n, unit in enumerate(stepped)})
    assert _record.wants(record, lease) == Wants(needed, 2, 0x400, False)
    assert _record.wants(record, None) == Wants(for_the_boot, 2, 0x400, False)
    record.killed = {"by": "me", "when": "now"}
    assert _record.wants(record, None).killed


def test_no_half_written_file_is_ever_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written whole, next to its place, and renamed."""
    _record.store(FULL)
    seen: list[object] = []
    rename = os.rename
    monkeypatch.setattr(
        os, "rename", lambda old, new: (seen.append(json.loads(_files.read(new).content)), rename(old, new))
    )
    _record.store(_record.Record(raised=1))
    assert seen[0]["raised"] == 2 and _record.load().raised == 1
