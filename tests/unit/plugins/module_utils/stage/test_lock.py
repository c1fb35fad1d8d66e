# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change at a time."""

from __future__ import annotations

import fcntl
import os
import pathlib
import stat
import threading
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lock, _record


@pytest.fixture(autouse=True, name="folder")
def fixture_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The host's folder for what a reboot ends, below tmp_path."""
    monkeypatch.setattr(_record, "RUN_FOLDER", str(tmp_path / "run"))
    return tmp_path


def test_one_change_at_a_time(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> None:
    monkeypatch.setattr(_lock, "SECONDS", 0.1)
    with _lock.hold():
        assert (stat.S_IMODE((folder / "run").stat().st_mode), stat.S_IMODE((folder / "run/lock").stat().st_mode)) == (
            0o700,
            0o600,
        )
        with pytest.raises(_record.RecordError, match=r"run/lock is held"):
            with _lock.hold():
                pass
    with pytest.raises(KeyError), _lock.hold():
        raise KeyError
    with _lock.hold():
        pass


def test_the_lock_leaves_nothing_where_nothing_is_kept(folder: pathlib.Path) -> None:
    with _lock.hold():
        _record.end_run("r1", "why")
    assert sorted(path.name for path in (folder / "run").iterdir()) == ["ended.json", "lock"]
    (folder / "run/ended.json").unlink()
    with _lock.hold():
        pass
    assert not (folder / "run").exists()


def test_many_at_once(folder: pathlib.Path) -> None:
    """Each takes the lock anew while others remove its file: none is ever inside together with another."""
    inside, most, done = [0], [0], []

    def work() -> None:
        for _turn in range(10):
            with _lock.hold():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1
        done.append(1)

    threads = [threading.Thread(target=work) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, len(done)) == ([1], 8)


@pytest.mark.parametrize("anew", [True, False])
def test_a_file_that_was_removed_is_no_lock(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path, anew: bool) -> None:
    """Whoever held it removes it at the end, and the next may have made it anew."""
    real, taken = fcntl.flock, []

    def flock(handle: int, how: int) -> None:
        if not taken:
            (folder / "run/lock").unlink()
            if anew:
                (folder / "run/lock").touch()
        taken.append(how)
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with _lock.hold():
        assert len(taken) == 2


@pytest.mark.parametrize("step", ["makedirs", "open"])
def test_the_folder_goes_in_between(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    real, failed = getattr(os, step), []

    def once(*arguments: object, **options: object) -> object:
        if not failed:
            failed.append(1)
            raise FileExistsError if step == "makedirs" else FileNotFoundError
        return real(*arguments, **options)

    monkeypatch.setattr(os, step, once)
    with _lock.hold():
        assert failed == [1]
