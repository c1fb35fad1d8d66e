# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binaries out of an archive: scripts that tell a version stand for them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
from http.client import IncompleteRead

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _archive, _binary
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lock, _record
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_archive

NAMES = ("sslocal", "ssserver")


def script(version, help_="--tcp-fast-open", end=""):
    """What stands for a binary."""
    return f'#!/bin/sh\n[ "$1" = -h ] && echo "{help_}"\n[ "$1" = --version ] && echo "shadowsocks {version}"\n{end}'.encode()


def good(version):
    """Both binaries of a version."""
    return {name: script(version) + name.encode().join([b"exit 0 # ", b"\n"]) for name in NAMES}


class Host:
    """The folders of a host, and archives beside them."""

    def __init__(self, root):
        self.root, self.target, self.folder = root, root / "usr/local/bin", root / "usr/local/lib/fastopen.shadowsocks"
        self.target.mkdir(parents=True)

    def archive(self, name, files, mode="w:xz", prefix=""):
        """Make one, and give the options that ask for it."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode=mode) as archive:
            for file, content in files.items():
                info = tarfile.TarInfo(prefix + file)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        path = self.root / name
        path.write_bytes(stream.getvalue())
        return {"url": f"file://{path}", "checksum": f"sha256:{hashlib.sha256(stream.getvalue()).hexdigest()}"}

    def tree(self):
        """Everything below usr."""
        files = [path for path in (self.root / "usr").rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch):
    """A host without anything."""
    host = Host(tmp_path)
    monkeypatch.setattr(_archive, "TARGET", str(host.target))
    monkeypatch.setattr(_archive, "FOLDER", str(host.folder))
    monkeypatch.setattr(_record, "RUN_FOLDER", str(tmp_path / "run/fastopen"))
    monkeypatch.setattr(_binary, "PATH", f"{tmp_path}/usr/local/sbin:{host.target}:/usr/bin")
    return host


@pytest.fixture(name="install")
def fixture_install(run_module):
    """Run the module."""

    def install(options, check=False, **more):
        return run_module(tfo_archive.main, check=check, **options, **more)

    return install


def test_two_at_a_time(host, install, monkeypatch):
    """One waits for the other: they would write the same files."""
    asked = host.archive("one.tar.xz", good("1.25.0"))
    monkeypatch.setattr(_lock, "SECONDS", 0.1)
    with _lock.hold():
        assert "is held" in install(asked)["msg"]
    assert host.tree() == {}
    assert install(asked)["changed"]


def test_first(host, install):
    """In check mode it is told, then done, then nothing."""
    asked = host.archive("one.tar.xz", {**good("1.25.0"), "ssurl": b"", "ssservice": b""})
    planned = install(asked, check=True)
    assert (planned["changed"], planned["version"], host.tree()) == (True, None, {})
    done = install(asked, version="1.25.0")
    assert (done["changed"], done["version"], done["previous"]) == (True, "1.25.0", None)
    assert {path.name: path.read_bytes() for path in host.target.iterdir()} == good("1.25.0")
    assert {path.stat().st_mode & 0o777 for path in host.target.iterdir()} == {0o755}
    assert json.loads((host.folder / "archive.json").read_text())["current"]["checksum"] == asked["checksum"]
    assert sorted(os.listdir(host.folder)) == ["archive.json"]
    os.unlink(asked["url"][len("file://") :])
    assert not install(asked)["changed"]


def test_way_back(host, install):
    """What was replaced is kept, and comes back without a download."""
    one, two = (host.archive(f"{v}.tar.gz", good(v), "w:gz") for v in ("1.24.0", "1.25.0"))
    install(one)
    done = install(two)
    assert (done["version"], done["previous"]) == ("1.25.0", "1.24.0")
    assert "1.24.0" in done["diff"]["before"]
    assert "1.25.0" in done["diff"]["after"]
    for asked in (one, two):
        os.unlink(asked["url"][len("file://") :])
    back = install(one)
    assert (back["changed"], back["version"], back["previous"]) == (True, "1.24.0", "1.25.0")
    assert {path.name: path.read_bytes() for path in host.target.iterdir()} == good("1.24.0")
    assert install(two)["version"] == "1.25.0"


@pytest.mark.parametrize(
    ("files", "more", "message"),
    [
        (good("1.25.0"), {"checksum": f"sha256:{'0' * 64}"}, "has checksum sha256:"),
        (good("1.25.0"), {"version": "1.24.0"}, "the archive holds version 1.25.0, not 1.24.0"),
        ({"ssserver": script("1.25.0")}, {}, "the archive holds no sslocal"),
        ({**good("1.25.0"), "sslocal": script("1.24.0")}, {}, "holds version 1.24.0 and 1.25.0, not one"),
        ({**good("1.25.0"), "sslocal": script("1.25.0", "none")}, {}, "sslocal of the archive has no --tcp-fast-open"),
        (
            {**good("1.25.0"), "sslocal": b"#!/bin/sh\necho 'GLIBC_2.39 not found' >&2\nexit 1\n"},
            {},
            "sslocal of the archive does not run here (GLIBC_2.39 not found): take a build for this host",
        ),
        ({**good("1.25.0"), "sslocal": b"\x7fELF"}, {}, "sslocal of the archive does not run here"),
    ],
)
def test_archive_that_is_not_installed(host, install, files, more, message):
    """Before anything takes its place."""
    install(host.archive("old.tar.xz", good("1.20.0")))
    before = host.tree()
    answer = install({**host.archive("one.tar.xz", files), **more})
    assert answer["failed"]
    assert answer["msg"].startswith("Nothing was installed: ")
    assert message in answer["msg"]
    assert host.tree() == before


def test_no_archive(host, install):
    """The digest is right, and it is something else; or it is not there."""
    path = host.root / "text"
    path.write_bytes(b"not a tar file")
    checksum = f"sha256:{hashlib.sha256(b'not a tar file').hexdigest()}"
    assert "the archive cannot be read" in install({"url": f"file://{path}", "checksum": checksum})["msg"]
    assert "cannot be fetched" in install({"url": f"file://{path}.gone", "checksum": checksum})["msg"]


def test_download_that_ends_in_the_middle(host, install, monkeypatch):
    """Of a server that sends it in chunks: no traceback."""

    class Cut:
        @staticmethod
        def read(_size):
            raise IncompleteRead(b"x")

    monkeypatch.setattr(tfo_archive, "fetch_url", lambda *_asked, **_more: (Cut, {"status": 200}))
    asked = {**host.archive("new.tar.xz", good("1.21.0")), "url": "https://origin/new.tar.xz"}
    assert "https://origin/new.tar.xz ends in the middle" in install(asked)["msg"]


def test_members_by_name_only(host, install):
    """A folder before the names does not matter, and nothing is written where a member would go."""
    asked = host.archive("one.tar.xz", good("1.25.0"), prefix="../../evil/")
    assert install(asked)["changed"]
    assert not (host.root.parent.parent / "evil").exists()


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("link", [False, True])
def test_binary_of_somebody_else(host, install, link, check):
    """It stays, and so does everything."""
    path = host.target / "ssserver"
    path.symlink_to("/opt/ssserver") if link else path.write_bytes(b"theirs")
    before = host.tree()
    answer = install(host.archive("one.tar.xz", good("1.25.0")), check=check)
    assert f"{path} was not installed by this role, or was changed since" in answer["msg"]
    assert host.tree() == before


def test_binary_that_was_changed(host, install):
    """Somebody's own build in place of ours is theirs."""
    asked = host.archive("one.tar.xz", good("1.25.0"))
    install(asked)
    (host.target / "sslocal").write_bytes(b"theirs")
    assert "sslocal was not installed by this role, or was changed since" in install(asked)["msg"]


def test_binary_before_ours(host, install):
    """Units would start that one."""
    folder = host.root / "usr/local/sbin"
    folder.mkdir()
    (folder / "ssserver").touch()
    assert f"{folder}/ssserver is what units would start" in install(host.archive("one.tar.xz", good("1.25.0")))["msg"]


def test_mode_and_loss(host, install):
    """One that is gone, or cannot be run, comes back."""
    asked = host.archive("one.tar.xz", good("1.25.0"))
    install(asked)
    (host.target / "ssserver").chmod(0o600)
    assert install(asked)["changed"]
    (host.target / "ssserver").unlink()
    assert install(asked)["changed"]
    assert not install(asked)["changed"]


def test_killed_between_two_binaries(host, install, monkeypatch):
    """The next run goes on, and the way back is still there."""
    one, two = (host.archive(f"{v}.tar.xz", good(v)) for v in ("1.24.0", "1.25.0"))
    install(one)
    write = _archive._write

    def killed(path, content):
        if path == f"{host.target}/ssserver":
            raise OSError("killed")
        write(path, content)

    monkeypatch.setattr(_archive, "_write", killed)
    assert install(two)["failed"]
    monkeypatch.setattr(_archive, "_write", write)
    done = install(two)
    assert (done["changed"], done["version"], done["previous"]) == (True, "1.25.0", "1.24.0")
    assert {path.name: path.read_bytes() for path in host.target.iterdir()} == good("1.25.0")
    assert install(one)["version"] == "1.24.0"


def test_damaged_record(host, install):
    """Nothing says any more what is ours."""
    host.folder.mkdir(parents=True)
    (host.folder / "archive.json").write_text("{")
    assert "archive.json is damaged: remove it together with" in install(host.archive("x", good("1.25.0")))["msg"]


def test_checksum_of_another_version(host, install):
    """Whoever raises the version and forgets the checksum learns it: nothing is fetched for what is there already."""
    archive = host.archive("a.tar.xz", good("1.25.0"))
    install(archive)
    failed = install(archive, version="1.26.0")
    assert failed["msg"] == "Nothing was installed: that checksum is of 1.25.0, not of 1.26.0"


def test_disk_that_fills_up_between_two_binaries(host, install, monkeypatch):
    """It says so, and the next run finishes it."""
    write, left = _archive._write, ["one"]

    def full(path, content):
        if str(host.target) in path and not left:
            raise OSError(28, "No space left on device")
        left.clear()
        write(path, content)

    archive = host.archive("a.tar.xz", good("1.25.0"))
    monkeypatch.setattr(_archive, "_write", full)
    assert "Half installed: [Errno 28] No space left on device: mend that" in install(archive)["msg"]
    monkeypatch.setattr(_archive, "_write", write)
    assert install(archive)["changed"] is True
    assert install(archive)["changed"] is False


@pytest.mark.parametrize(
    ("machine", "change", "why"),
    [
        ("x86_64", None, ""),
        ("i686", None, ""),
        ("aarch64", None, "has no archive for aarch64"),
        ("x86_64", "edit", "was changed in"),
        ("x86_64", "other", "not of sha256:"),
        ("x86_64", "never", "is of no archive, not of sha256:"),
    ],
)
def test_difference(host, install, monkeypatch, machine, change, why):
    """What is told of a host whose binaries are other ones than an archive's."""
    wanted = host.archive("one.tar.xz", good("1.25.0"))
    if change != "never":
        install(host.archive("two.tar.xz", good("1.24.0")) if change == "other" else wanted)
    if change == "edit":
        (host.target / "ssserver").write_bytes(b"other")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    told = _archive.difference(dict.fromkeys(["x86_64", "i386"], wanted["checksum"]))
    assert (why in told, bool(told)) == (True, bool(why))
    assert _archive.difference({}) == ""
