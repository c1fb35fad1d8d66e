# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed package, asked of programs on PATH."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary, _package

WITH = "usage:\n  [--fast-open]  Enable TCP fast open.\n"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A PATH with nothing but the given shell scripts."""

    def make(**scripts: str) -> str:
        for name, script in scripts.items():
            program = tmp_path / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(_binary, "PATH", str(tmp_path))
        return str(tmp_path)

    return make


def tell(text: str, stream: int = 1) -> str:
    """A shell script that prints this."""
    return f"cat >&{stream} <<'END'\n{text}\nEND"


CAT = "PATH=/usr/bin:/bin\n"


@pytest.mark.parametrize(
    ("dpkg", "version"),
    [
        ("printf 'installed 3.3.5+ds-10'", "3.3.5+ds-10"),
        ("printf 'config-files 3.3.5+ds-10'", None),
        ("printf 'not-installed '", None),
        ("echo 'no packages found matching shadowsocks-libev' >&2; exit 1", None),
    ],
)
def test_version(programs, dpkg, version):
    """Removed but not purged is not installed."""
    programs(dpkg_query=dpkg)
    assert _package.read("shadowsocks-libev", "ss-server") == {
        "name": "shadowsocks-libev",
        "version": version,
        "binary": None,
        "knows_fast_open": None,
    }


def test_dpkg_is_asked_for_the_package(programs):
    """By its own name, with the status that tells installed from removed."""
    programs(dpkg_query='[ "$3" = other-name ] && printf "installed 1.2"')
    assert _package.read("other-name", "ss-server")["version"] == "1.2"
    assert _package.read("shadowsocks-libev", "ss-server")["version"] is None


@pytest.mark.parametrize(
    ("script", "knows"),
    [
        pytest.param(CAT + tell(WITH), True, id="help on standard output"),
        pytest.param(CAT + tell(WITH, 2) + "\nexit 1", True, id="help on standard error"),
        pytest.param(CAT + tell("usage:\n  [--reuse-port]"), False, id="a build without it"),
        pytest.param(
            CAT + tell("Options:\n      --tcp-fast-open  Enable TCP Fast Open (TFO)"), True, id="shadowsocks-rust"
        ),
    ],
)
def test_binary(programs, script, knows):
    """The binary's own help tells, on a host without dpkg too."""
    folder = programs(ss_server=script)
    found = _package.read("shadowsocks-libev", "ss-server")
    assert (found["binary"], found["knows_fast_open"], found["version"]) == (f"{folder}/ss-server", knows, None)


def test_help_of_a_subcommand(programs):
    """ssservice itself has no such option."""
    folder = programs(ssservice=f"""{CAT}[ "$1" = local ] && {tell("--tcp-fast-open")}""")
    path = f"{folder}/ssservice"
    assert (_binary.knows_fast_open(path), _binary.knows_fast_open(path, "local")) == (False, True)
