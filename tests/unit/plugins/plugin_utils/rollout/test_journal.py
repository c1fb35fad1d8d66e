# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals: written a line an event, and read back whatever has become of them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal

STEPS = ("preflight", "batch", "end")


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    """A journal with an event for each of STEPS, two of them appended."""
    first, *others = ({"step": step} for step in STEPS)
    path = _journal.start(str(tmp_path / "reports"), "rollout", {"kept": 1}, first)
    for event in others:
        _journal.append(path, event)
    return Path(path)


def steps(path):
    """What can be read."""
    return [event["step"] for event in _journal.read(str(path)).events]


def test_line_an_event(path):
    """Nobody else may read it; what is there is not written again."""
    lines = path.read_bytes().splitlines(keepends=True)
    assert [json.loads(line).get("step", "") for line in lines] == ["", *STEPS]
    assert all(line.endswith(b"\n") for line in lines)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    before = path.stat()
    _journal.append(str(path), {"step": "end"})
    assert path.stat().st_ino == before.st_ino
    assert path.read_bytes().startswith(b"".join(lines))
    journal = _journal.read(str(path))
    assert (journal.kind, journal.path, journal.lacks) == ("rollout", str(path), "")
    assert all(_journal.datetime.datetime.fromisoformat(one["time"]) for one in journal.events)


def test_one_write_an_event(path, monkeypatch):
    """On the disk before the run goes on."""
    calls = []
    for name in ("write", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    _journal.append(str(path), {"step": "end", "hosts": ["h" * 100] * 10_000})
    assert calls == ["write", "fsync"]


@pytest.mark.parametrize("kept", [1, 20, -2])
def test_last_line_that_was_cut_short(path, kept):
    """The others are read, and it is told; the next event begins a line of its own."""
    whole = path.read_bytes()
    *others, last = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(others) + last[:kept])
    assert steps(path) == list(STEPS[:2])
    assert _journal.read(str(path)).lacks.startswith("The journal is not whole: 1 line of it cannot be read")
    _journal.append(str(path), {"step": "end"})
    assert steps(path) == list(STEPS)
    assert _journal.read(str(path)).unread == 1


def test_last_line_without_its_end(path):
    """All of it is there but the line feed."""
    path.write_bytes(path.read_bytes()[:-1])
    assert _journal.read(str(path)).unread == 0
    _journal.append(str(path), {"step": "end"})
    assert steps(path) == [*STEPS, "end"]


@pytest.mark.parametrize("space", [10, 0])
def test_disk_that_is_full(path, monkeypatch, space):
    """Said by who writes; it costs that event alone."""
    real = os.write

    def write(handle, line):
        if not space:
            raise OSError(28, "No space left on device")
        return real(handle, line[:space])

    with monkeypatch.context() as context:
        context.setattr(os, "write", write)
        with pytest.raises(OSError, match="10 of .* bytes|No space left"):
            _journal.append(str(path), {"step": "canary"})
    _journal.append(str(path), {"step": "end"})
    assert steps(path) == [*STEPS, "end"]


def test_journal_that_is_gone(path):
    """It does not begin anew without its beginning."""
    path.unlink()
    with pytest.raises(OSError):
        _journal.append(str(path), {"step": "end"})
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the journal is damaged, or none: its first line is no JSON mapping"),
        (b'{"kind": "rollout", "events": [', "the journal is damaged, or none"),
        (b"[" * 100_000, "the journal is damaged, or none"),
        (b"\xff\xfe{}", "the journal is damaged, or none"),
        (b"[1]", "the journal is damaged, or none"),
        (b'{"kind": "other"}', "this is no journal of a rollout or an audit"),
        (b'{"kind": ["rollout"]}', "this is no journal of a rollout or an audit"),
        (b'{"kind": "audit", "rows": [1]}', "the journal is damaged: `rows` is no list of mappings"),
        (None, "the journal cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_journal(tmp_path, content, said):
    """Which file, and why."""
    path = tmp_path / "rollout-1.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(_journal.JournalError, match=f"^{path}: {said}"):
        _journal.read(str(path))


@pytest.mark.parametrize("started", [5, "", "x", "2026-11-26T03:13:44", None])
def test_first_line_without_a_time(path, started):
    """One that is none, or has no zone, is not told."""
    head, others = path.read_bytes().split(b"\n", 1)
    path.write_bytes(json.dumps({**json.loads(head), "started": started}).encode() + b"\n" + others)
    journal = _journal.read(str(path))
    assert (journal.started, journal.unread, len(journal.events)) == ("", 0, len(STEPS))


def test_what_is_no_file(tmp_path):
    """A folder, a pipe that nobody writes into, a path that none can have."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(_journal.JournalError, match=f"^{path}: the journal cannot be read: it is no file"):
            _journal.read(str(path))
    with pytest.raises(_journal.JournalError, match="the journal cannot be read: .*null"):
        _journal.read("a\0b")


@pytest.mark.parametrize("line", [b"5", b"[" * 100_000, b"\xff", b"{}{}"])
def test_line_that_is_no_event(path, line):
    """It is left out, and told."""
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n" + line + b"\n", 2))
    journal = _journal.read(str(path))
    assert (steps(path), journal.unread) == (list(STEPS), 2)
    assert "2 lines of it cannot be read" in journal.lacks


def test_audit_is_json(tmp_path):
    """For programs that do not know of lines."""
    path = _journal.start(str(tmp_path), "audit", {"rows": [{"host": "c1"}]})
    assert json.loads(Path(path).read_text("utf-8"))["rows"] == _journal.read(path).rows == [{"host": "c1"}]


def test_newest(tmp_path):
    """Of its kind, by its name; of a folder whose name is a pattern, too. Pages, files to be, and journals that somebody has
    given a name of their own are left out."""
    folder = tmp_path / "[a]*"
    assert _journal.newest(str(folder), "rollout") == ""
    paths = [_journal.start(str(folder), kind, {}) for kind in ("rollout", "audit")]
    later = folder / "rollout-20991231T000000.000Z.jsonl"
    others = (
        "rollout-20991231T000000.000Z.html",
        "rollout-prod.jsonl",
        "rollout-20991231T000000.000Z.old.jsonl",
        ".z.new",
    )
    for path in (later, *(folder / name for name in others)):
        path.write_text("{}", encoding="utf-8")
    assert _journal.newest(str(folder), "rollout") == str(later)
    assert _journal.newest(str(folder), "audit") == paths[1]
    assert _journal.chosen("", str(folder), "x_journal") == str(later)
    assert _journal.chosen("other", str(folder), "x_journal") == "other"


def test_no_journal_yet(tmp_path):
    """The folder is named, and what to give."""
    with pytest.raises(_journal.JournalError, match=f"no journal of a rollout in {tmp_path}: .*-e x_journal=FILE"):
        _journal.chosen("", str(tmp_path), "x_journal")
