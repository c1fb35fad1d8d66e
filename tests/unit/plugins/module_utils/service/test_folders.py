# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of ours that somebody else has made, or made something else of: nothing is read or written there."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _snapshot
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _archive,
    _deploy,
    _files,
    _folders,
    _observe,
    _owned,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _cli,
    _drop_in,
    _lock,
    _program,
    _record,
    _stage,
    _tidy,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Request
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import SERVER_SERVICE

UNIT = "ss-server@main.service"
WANTED = _observe.Wanted("server", [SERVER_SERVICE])
LSTAT = os.lstat


def of_user(folder, monkeypatch):
    """The folder belongs to user 1000 from now on."""
    folder.mkdir(parents=True, exist_ok=True)

    def lstat(path, **options):
        found = LSTAT(path, **options)
        if os.fspath(path) != str(folder):
            return found
        return os.stat_result([*found[:4], 1000, *found[5:10]])

    monkeypatch.setattr(os, "lstat", lstat)


def writable(folder, _monkeypatch):
    """Its group may change what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o775)


def link(folder, _monkeypatch):
    """It leads to a folder with something of the same names in it."""
    target = folder.parent / "elsewhere"
    target.mkdir(parents=True)
    for name in ("record.json", "lease.json", "lock", "deployed.json", "kernel.json", "fastopen", ".x.fastopen-new"):
        (target / name).write_text("{}", encoding="ascii")
    folder.symlink_to(target)


def file(folder, _monkeypatch):
    """It is no folder at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("theirs", encoding="ascii")


KINDS = {
    link: "is a link to .*/elsewhere, which is not followed",
    of_user: "belongs to user 1000, so that others than root can change .* chown root .* && chmod go-w ",
    writable: "has mode 0775, so that others",
    file: "is no folder: move it away",
}
both = pytest.mark.parametrize(("spoil", "told"), KINDS.items(), ids=lambda one: getattr(one, "__name__", ""))


def elsewhere(folder):
    """What is where the link leads to."""
    target = folder.parent / "elsewhere"
    return {path.name: path.read_text(encoding="ascii") for path in target.iterdir()} if target.is_dir() else {}


def test_plain_folders_are_trusted(tmp_path):
    (tmp_path / "ours").mkdir(mode=0o755)
    assert [_folders.refusal(f"{tmp_path}/{name}") for name in ("ours", "none", "none/below")] == ["", "", ""]
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    assert "is a link" in _folders.refusal(f"{tmp_path}/dangling")


@both
def test_record(fake_host, monkeypatch, spoil, told):
    """Nothing that others may have written tells root what to restore, and where."""
    spoil(fake_host.state_dir, monkeypatch)
    before = elsewhere(fake_host.state_dir)
    with pytest.raises(_record.RecordError, match=told):
        _record.load()
    for call in (
        _record.ensure_room,
        lambda: _record.store(_record.Record(asked=1)),
        lambda: _record.store(_record.Record()),
    ):
        with pytest.raises(_folders.FolderError, match=told):
            call()
    with pytest.raises(KernelError, match=told):
        _snapshot.load(f"{fake_host.state_dir}/kernel.json")
    _tidy.tidy()
    assert elsewhere(fake_host.state_dir) == before


@both
def test_lock_and_lease(fake_host, monkeypatch, spoil, told):
    """A step is refused with the reason; the way down does without the lock."""
    spoil(fake_host.run_dir, monkeypatch)
    before = elsewhere(fake_host.run_dir)
    with pytest.raises(_record.RecordError, match=told):
        _record.load_lease()
    with pytest.raises(OSError, match=told):
        _stage.run("claimed", Request("server", run="one", lease_seconds=9.0), check=False)
    outcome = _stage.run("plain", Request("server", [SERVER_SERVICE]), check=False)
    assert outcome.outcome == "failed" and told.split(" ")[0] in " ".join(outcome.reasons)
    assert elsewhere(fake_host.run_dir) == before


def test_lock_that_is_a_link(fake_host, tmp_path):
    """Nothing is made where it leads to."""
    fake_host.run_dir.mkdir(parents=True)
    (fake_host.run_dir / "lock").symlink_to(tmp_path / "made")
    with pytest.raises(OSError, match="symbolic links"):
        _lock.hold().__enter__()
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["record.json", "kernel.json"])
def test_kept_file_that_is_a_link(fake_host, tmp_path, name):
    """What stands elsewhere is no record of ours."""
    fake_host.put(tmp_path / "theirs", '{"asked": 1}')
    fake_host.state_dir.mkdir(parents=True)
    (fake_host.state_dir / name).symlink_to(tmp_path / "theirs")
    with pytest.raises((_record.RecordError, KernelError), match="is damaged"):
        _record.load() if name == "record.json" else _snapshot.load(f"{fake_host.state_dir}/{name}")


@both
def test_program(fake_host, monkeypatch, spoil, told):
    """Root's timer starts it."""
    spoil(fake_host.program.parent, monkeypatch)
    before = elsewhere(fake_host.program.parent)
    with pytest.raises(_folders.FolderError, match=told):
        _program.install(_cli.__name__)
    _stage.sweep()
    assert elsewhere(fake_host.program.parent) == before


@both
def test_folder_of_the_deployed(fake_host, monkeypatch, spoil, told):
    spoil(fake_host.root / "var/lib/fastopen.shadowsocks", monkeypatch)
    with pytest.raises(_owned.OwnedError, match=told):
        _owned.load()
    with pytest.raises(_folders.FolderError, match=told):
        _owned.store({UNIT: "main"})


@both
def test_folder_of_the_configs(fake_host, monkeypatch, spoil, told):
    """Whether it was so before, or somebody made it so since: named, and nothing is changed."""
    spoil(fake_host.config_dir, monkeypatch)
    fake_host.group = 990
    before = fake_host.tree()
    for _turn in ("before", "since"):
        (line,) = _deploy.deploy(WANTED, check=True).refused
        assert line == _folders.refusal(str(fake_host.config_dir))
        with pytest.raises(_deploy.Refused, match=told):
            _deploy.deploy(WANTED, check=False)
        assert fake_host.tree() == before
        _owned.store({UNIT: "main"})


@both
def test_folder_of_the_archive(tmp_path, monkeypatch, spoil, told):
    """What is tried out there runs as root."""
    monkeypatch.setattr(_archive, "FOLDER", str(tmp_path / "fastopen.shadowsocks"))
    spoil(tmp_path / "fastopen.shadowsocks", monkeypatch)
    with pytest.raises(_folders.FolderError, match=told):
        _archive.try_out({"ssserver": b""}, None)


@pytest.mark.parametrize("top", ["unit_dir", "run_unit_dir"])
def test_drop_ins_in_a_linked_folder(fake_host, tmp_path, top):
    """It may be another unit's too, which would get the flag."""
    (tmp_path / "shared").mkdir()
    folder = getattr(fake_host, top) / f"{UNIT}.d"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(tmp_path / "shared")
    assert _drop_in.foreign(UNIT) == str(folder)


def test_config_that_is_a_link(fake_host):
    """Before it was ours it is in the way; one that was put in its place is replaced, and what it leads to is not touched."""
    fake_host.put(fake_host.root / "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
    path = fake_host.config_dir / "ss-server-main.json"
    path.parent.mkdir(parents=True)
    path.symlink_to(fake_host.root / "etc/passwd")
    with pytest.raises(_deploy.Refused, match="ss-server-main.json is there and would be overwritten"):
        _deploy.deploy(WANTED, check=False)
    path.unlink()
    _deploy.deploy(WANTED, check=False)
    path.unlink()
    path.symlink_to(fake_host.root / "etc/passwd")
    _deploy.deploy(WANTED, check=False)
    assert not path.is_symlink() and _files.read(str(path)).mode == 0o640
    assert (fake_host.root / "etc/passwd").read_text(encoding="ascii").startswith("root:x:")


def test_half_that_is_a_link(tmp_path):
    """Where a file is written before it has its name nobody's link is followed."""
    (tmp_path / "theirs").write_text("theirs", encoding="ascii")
    os.symlink(tmp_path / "theirs", _files.temporary(f"{tmp_path}/ours"))
    _files.write(f"{tmp_path}/ours", b"ours", 0o600, os.geteuid(), os.getegid())
    assert (tmp_path / "theirs").read_text(encoding="ascii") == "theirs"
    assert _files.read(f"{tmp_path}/ours").content == b"ours"
