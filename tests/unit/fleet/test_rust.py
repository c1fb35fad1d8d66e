# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When shadowsocks-rust is built anew, what is asked of cargo, and the archive that comes of it."""

from __future__ import annotations

import hashlib
import os
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import rust
from _machine import FleetError


class Cargo:
    """Stands in for the processes: keeps what was asked, and makes what cargo and rustc would."""

    def __init__(self, library: Path) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.library = library
        self.breaks = self.no_target = False

    def __call__(self, *command: str, env: dict[str, str] | None = None) -> str:
        self.commands.append(command)
        if command[0] == "rustc":
            return f"{self.library}\n"
        if command[0] == "rustup" and self.no_target:
            raise FleetError("no network")
        if command[:2] == ("cargo", "install"):
            assert env == rust.PROFILE
            root = Path(command[command.index("--root") + 1])
            for folder in ("target", "bin"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            if self.breaks:
                raise FleetError("cargo failed")
            for name in rust.PROGRAMS:
                (root / "bin" / name).write_text(f"program {name}")
        return ""

    def words(self, program: str) -> list[tuple[str, ...]]:
        return [command for command in self.commands if command[0] == program]


@pytest.fixture
def cargo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cargo:
    (tmp_path / "library").mkdir()
    stand_in = Cargo(tmp_path / "library")
    monkeypatch.setattr(rust, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("_machine.CACHE", tmp_path / "cache")
    monkeypatch.setattr(rust, "run", stand_in)
    monkeypatch.setattr(rust, "require", lambda packages: None)
    monkeypatch.setattr(rust, "_tool", lambda name: name)
    return stand_in


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    for name in rust.PROGRAMS:
        (tmp_path / name).write_text(f"program {name}")
    return tmp_path


def test_built_once(cargo: Cargo) -> None:
    first = rust.build()
    assert rust.build() == first
    (command,) = cargo.words("cargo")
    assert command[1:5] == ("install", "shadowsocks-rust", "--version", f"={rust.VERSION}")
    assert "--locked" in command
    assert command[command.index("--target") + 1] == rust.TARGETS[0]
    assert [path.name for path in sorted(first.programs.iterdir())] == sorted(rust.PROGRAMS)
    assert not (first.programs.parent / "target").exists()
    assert first.sha256 == hashlib.sha256(first.archive.read_bytes()).hexdigest()


def test_an_interrupted_build_leaves_nothing_that_looks_built(cargo: Cargo) -> None:
    cargo.breaks = True
    with pytest.raises(FleetError):
        rust.build()
    (left,) = (rust.CACHE / "fleet").glob("shadowsocks-rust-*")
    assert left.name == f"shadowsocks-rust-{rust.key(rust.TARGETS[0])}.part"
    cargo.breaks = False
    assert rust.build().archive.exists()
    assert len(cargo.words("cargo")) == 2


def test_the_target_is_fetched_where_it_is_missing(cargo: Cargo) -> None:
    cargo.library.rmdir()
    rust.build()
    assert cargo.words("rustup") == [("rustup", "target", "add", rust.TARGETS[0])]


def test_the_target_that_cannot_be_had_is_another(cargo: Cargo) -> None:
    cargo.library.rmdir()
    cargo.no_target = True
    built = rust.build()
    (command,) = cargo.words("cargo")
    assert command[command.index("--target") + 1] == rust.TARGETS[1]
    assert built.archive.name == rust.archive_name(rust.TARGETS[1])
    assert rust.build() == built


def test_the_target_that_is_there_is_not_fetched(cargo: Cargo) -> None:
    rust.build()
    assert not cargo.words("rustup")


def test_without_rust_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FleetError, match="cargo is missing here: install Rust with rustup"):
        rust._tool("cargo")


def test_rust_is_found_outside_of_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    cargo = tmp_path / ".cargo/bin/cargo"
    cargo.parent.mkdir(parents=True)
    cargo.touch(0o755)
    assert rust._tool("cargo") == str(cargo)


@pytest.mark.parametrize(
    ("name", "value", "same"),
    [
        ("VERSION", "1.24.0", False),
        ("FEATURES", [*rust.FEATURES, "local-dns"], False),
        ("FEATURES", rust.FEATURES[::-1], True),
        ("PROFILE", {**rust.PROFILE, "CARGO_PROFILE_RELEASE_OPT_LEVEL": "3"}, False),
        ("PROGRAMS", rust.PROGRAMS[:2], False),
    ],
)
def test_key(monkeypatch: pytest.MonkeyPatch, name: str, value: object, same: bool) -> None:
    before = rust.key("a")
    assert rust.key("b") != before
    monkeypatch.setattr(rust, name, value)
    assert (rust.key("a") == before) is same


def test_archive_is_laid_out_as_upstreams(programs: Path) -> None:
    archive = programs / rust.archive_name(rust.TARGETS[0])
    rust.pack(programs, archive)
    with tarfile.open(archive, "r:xz") as tar:
        assert tar.getnames() == list(rust.PROGRAMS)
        assert {member.mode for member in tar.getmembers()} == {0o755}
        assert tar.extractfile("ssserver").read() == b"program ssserver"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert Path(f"{archive}.sha256").read_text() == f"{digest}  {archive.name}\n"


def test_the_same_programs_make_the_same_archive(programs: Path) -> None:
    first, second = programs / "first.tar.xz", programs / "second.tar.xz"
    rust.pack(programs, first)
    for name in rust.PROGRAMS:
        (programs / name).write_text(f"program {name}")
        (programs / name).chmod(0o600)
        os.utime(programs / name, (0, 0))
    rust.pack(programs, second)
    assert first.read_bytes() == second.read_bytes()


def test_served(programs: Path) -> None:
    with rust.served(programs, "127.0.0.1") as url:
        with urllib.request.urlopen(f"{url}ssserver", timeout=5) as answer:
            assert answer.read() == b"program ssserver"
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}other", timeout=5)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}ssserver", timeout=5)
