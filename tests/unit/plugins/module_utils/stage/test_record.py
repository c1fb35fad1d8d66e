# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on a host."""

from __future__ import annotations

import dataclasses
import os
import stat

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _files, _host
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record

SERVICE = {
    "program": "ss-server",
    "name": "main",
    "server": ["::"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": "s3cret-marker",
    "mode": "tcp_only",
}
WANTED = _host.Wanted("server", [SERVICE], fast_open=True)
PACKAGE = {"version": "3.3.5"}


def test_stage_of_each_side(fake_host):
    """One file for both, for root only."""
    assert _record.read_stage("server") == {"stage": "off"}
    _record.write_stage("server", {"stage": "accept"})
    _record.write_stage("client", {"stage": "send"})
    _record.write_stage("server", None)
    assert _record.read_stage("server") == {"stage": "off"}
    assert _record.read_stage("client") == {"stage": "send"}
    assert stat.S_IMODE(os.stat(fake_host.state_dir).st_mode) == 0o700
    assert [stat.S_IMODE(entry.stat().st_mode) for entry in fake_host.state_dir.iterdir()] == [0o600]


def test_virgin_snapshot_holds_what_is_not_there(fake_host):
    """So that a restore removes it again."""
    seen = _host.observe(WANTED)
    _record.take_snapshot(WANTED, seen, PACKAGE)
    kept = _record.snapshot("server")
    assert (kept["deployed"], kept["package"], kept["group"], kept["folder"]) == (False, "3.3.5", False, False)
    assert kept["files"] == dict.fromkeys(seen.files)
    assert kept["packaged"] == {"enabled": True, "active": True, "file": None}
    assert kept["units"]["ss-server@main.service"] == [False, False]
    assert _record.snapshot("client") is None


def test_first_snapshot_stays(fake_host):
    """A later one would hold our own work."""
    _record.take_snapshot(WANTED, _host.observe(WANTED), PACKAGE)
    first = _record.snapshot("server")
    _record.take_snapshot(WANTED, _host.observe(WANTED), {"version": None})
    assert _record.snapshot("server") == first


def test_snapshot_of_a_deployed_host_holds_units_only(fake_host):
    """Configs change while TFO is on, and a rollback must not bring old passwords back."""
    plain = dataclasses.replace(WANTED, fast_open=False)
    seen = _host.observe(plain)
    _apply.apply(_host.compare(plain, seen), plain, seen)
    _record.take_snapshot(WANTED, _host.observe(WANTED), PACKAGE)
    kept = _record.snapshot("server")
    assert kept["deployed"] is True
    assert list(kept["files"]) == [f"{fake_host.unit_dir}/ss-server@.service"]
    assert b"--fast-open" not in _files.load(next(iter(kept["files"].values()))).content
    assert "s3cret-marker" not in (fake_host.state_dir / "server.json").read_text()


def test_forget(fake_host):
    """The other side's record stays; with the last one the folder goes."""
    for side in ("server", "client"):
        _record.write_stage(side, {"stage": "x"})
    _record.take_snapshot(WANTED, _host.observe(WANTED), PACKAGE)
    _record.forget("server")
    assert (_record.snapshot("server"), _record.read_stage("server")) == (None, {"stage": "off"})
    assert _record.read_stage("client") == {"stage": "x"}
    _record.forget("client")
    assert not fake_host.state_dir.exists()
    _record.forget("client")


def test_damaged_record(fake_host):
    """The file is named, with what to do."""
    fake_host.put(fake_host.state_dir / "stage.json", "{")
    with pytest.raises(_record.RecordError, match=r"stage\.json is damaged .* move it away"):
        _record.read_stage("server")


def test_somebody_who_may_not_read_it(fake_host, monkeypatch):
    """A look without root knows no stage, and does not fail."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(_files, "read", refuse)
    assert _record.read_stage("server") == {"stage": "off"}


@pytest.mark.parametrize(
    "change",
    [
        {"services": [{**SERVICE, "password": "other"}]},
        {"services": []},
        {"fast_open": None},
        {"flag": False},
        {"limit_nofile": 1},
        {"side": "client"},
    ],
)
def test_fingerprint_sees_every_change(change):
    """And shows nothing of it."""
    one = _record.fingerprint(WANTED, None)
    assert one == _record.fingerprint(dataclasses.replace(WANTED), None)
    assert one != _record.fingerprint(dataclasses.replace(WANTED, **change), None)
    assert one != _record.fingerprint(WANTED, {"accept": True})
    assert "s3cret-marker" not in one
