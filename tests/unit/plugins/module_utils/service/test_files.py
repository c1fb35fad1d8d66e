# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files read, written and put back."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files

ME = (os.getuid(), os.getgid())


def test_nothing_there(tmp_path):
    """Neither in a folder nor below a file."""
    (tmp_path / "file").write_text("x")
    assert _files.read(str(tmp_path / "none")) is None
    assert _files.read(str(tmp_path / "file" / "none")) is None


def test_folder_in_its_place(tmp_path):
    """Container managers make one where a file to be mounted is missing; the message names it."""
    with pytest.raises(IsADirectoryError, match=f"Is a directory: '{tmp_path}'"):
        _files.read(str(tmp_path))


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_write_then_read(tmp_path, umask):
    """The mode is the one asked for, whatever the umask; nothing else is left in the folder."""
    path = tmp_path / "config"
    old = os.umask(umask)
    try:
        _files.write(str(path), b"text\n", 0o640, *ME)
    finally:
        os.umask(old)
    state = _files.read(str(path))
    assert state[:5] == (b"text\n", 0o640, *ME, False)
    assert state.mtime == os.stat(path).st_mtime
    assert os.listdir(tmp_path) == ["config"]


def test_write_replaces_by_a_rename(tmp_path):
    """Whoever has the old file open goes on reading it whole."""
    path = tmp_path / "config"
    path.write_text("old")
    with path.open() as reader:
        _files.write(str(path), b"new", 0o600, *ME)
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    """Whole or not at all, and no temporary file stays behind."""
    path = tmp_path / "config"
    path.write_text("old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        _files.write(str(path), b"new", 0o600, *ME)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["config"]


def test_attributes_keep_the_time_of_the_last_change(tmp_path):
    """So a process that read the file is not taken for older than it."""
    path = tmp_path / "config"
    path.write_text("text")
    os.utime(path, (1000, 1000))
    _files.set_attributes(str(path), 0o600, *ME)
    state = _files.read(str(path))
    assert (state.mode, state.mtime) == (0o600, 1000)


def test_link_that_came_in_between(tmp_path, monkeypatch):
    """What it leads to is nobody's to read."""
    (tmp_path / "config").touch()
    before = os.lstat(tmp_path / "config")
    (tmp_path / "config").unlink()
    (tmp_path / "config").symlink_to("/etc/hostname")
    monkeypatch.setattr(os, "lstat", lambda path: before)
    with pytest.raises(OSError, match="symbolic"):
        _files.read(str(tmp_path / "config"))


def test_attributes_are_not_those_of_another_file(tmp_path):
    """A link that came in between leads nowhere."""
    (tmp_path / "theirs").touch(0o600)
    (tmp_path / "config").symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic"):
        _files.set_attributes(str(tmp_path / "config"), 0o640, *ME)
    assert (tmp_path / "theirs").stat().st_mode & 0o777 == 0o600


STATES = [
    pytest.param(None, id="nothing"),
    pytest.param(_files.State(b"bytes \xff\x00\n", 0o640, *ME), id="file"),
    pytest.param(_files.State(b"/dev/null", 0o777, *ME, link=True), id="link"),
]


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("now", STATES)
def test_restore(tmp_path, before, now):
    """From anything to anything, through the JSON of a snapshot."""
    path = str(tmp_path / "folder" / "file")
    os.mkdir(tmp_path / "folder")
    _files.restore(path, now)
    _files.restore(path, _files.load(json.loads(json.dumps(_files.dump(before)))))
    assert _files.same(_files.read(path), before)
    assert len(os.listdir(tmp_path / "folder")) == (before is not None)


def test_restore_makes_the_folder(tmp_path):
    """A folder that went away in between is no obstacle."""
    path = str(tmp_path / "gone" / "file")
    _files.restore(path, _files.State(b"x", 0o600, *ME))
    assert _files.same(_files.read(path), _files.State(b"x", 0o600, *ME))


@pytest.mark.parametrize(
    ("change", "equal"),
    [
        ({"mtime": 5.0}, True),
        ({"content": b"y"}, False),
        ({"mode": 0o644}, False),
        ({"uid": 1}, False),
        ({"gid": 1}, False),
        ({"link": True}, False),
    ],
)
def test_same(change, equal):
    """Everything but the time counts."""
    state = _files.State(b"x", 0o600, 0, 0)
    assert _files.same(state, state._replace(**change)) is equal
    assert _files.same(state, None) is False


def test_link_replaces_a_stale_temporary(tmp_path):
    """A run that was killed in between does not block the next."""
    path = tmp_path / "unit"
    (tmp_path / ".unit.fastopen-new").write_text("left over")
    path.write_text("file")
    _files.link(str(path), "/dev/null")
    assert os.readlink(path) == "/dev/null"
    assert os.listdir(tmp_path) == ["unit"]


def test_remove_twice(tmp_path):
    """What is gone is gone."""
    (tmp_path / "file").write_text("x")
    _files.remove(str(tmp_path / "file"))
    _files.remove(str(tmp_path / "file"))
    assert not os.listdir(tmp_path)
