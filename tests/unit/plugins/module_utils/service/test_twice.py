# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag that variables bring: whose, and where from."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _systemd, _twice


def below(command):
    """The command line of a unit."""
    return _exec_start.resolve([_exec_start.Source("a.service", f"[Service]\nExecStart={command}\n", 0o644)])


@pytest.mark.parametrize(
    ("command", "inline", "files", "found"),
    [
        ("ssserver -c a $ARGS", "ARGS=--fast-open", [], "ARGS in its unit"),
        ("ssserver -c a ${ARGS}", "ARGS=--tcp-fast-open", [], "ARGS in its unit"),
        ("sslocal -c a $ARGS", '"ARGS=-v --fast-open" B=1', [], "ARGS in its unit"),
        ("ssservice server -c a $ARGS", "", ["# ARGS=\nARGS='--fast-open -v'\n"], "ARGS in {0}"),
        ("ssserver -c a $ARGS", "", ["ARGS=-v \\\n--fast-open\n"], "ARGS in {0}"),
        ("ssserver -c a $ARGS", "ARGS=--fast-open", ["ARGS=-v"], ""),
        ("ssserver -c a $ARGS", "", ["ARGS=-v", "ARGS=--fast-open"], "ARGS in {1}"),
        ("ssserver -c a $ARGS", "", ["#ARGS=--fast-open", "OTHER=--fast-open"], ""),
        ("ssserver -c a $ARGS", "ARGS=--no-fast-open", ["ARGS=--fast-open.json"], ""),
        ("ssserver -c a $$ARGS", "ARGS=--fast-open", [], ""),
        ("ssserver -c a", "ARGS=--fast-open", [], ""),
        ("ssserver -c a $ARGS", "it's broken", [], ""),
        ("ss-server -c a $ARGS", "ARGS=--fast-open", [], ""),
    ],
)
def test_setter(tmp_path, monkeypatch, command, inline, files, found):
    """The value that counts at the next start, of a variable that is in the command line of a program of rust."""
    paths = [tmp_path / f"{number}.env" for number in range(len(files))]
    for path, text in zip(paths, files):
        path.write_text(text)
    told = [f"Environment={inline}", *(f"EnvironmentFiles={path} (ignore_errors=yes)" for path in paths)]
    told.append("EnvironmentFiles=/nonexistent (ignore_errors=yes)")
    monkeypatch.setattr(_systemd, "systemctl", lambda *_arguments: "\n".join(told))
    assert _twice.setter("a.service", below(f"/usr/bin/{command}")) == found.format(*paths)


def test_file_that_cannot_be_read(tmp_path, monkeypatch):
    """The unit does not start because of that, whatever is in it."""
    monkeypatch.setattr(_systemd, "systemctl", lambda *_arguments: f"EnvironmentFiles={tmp_path} (ignore_errors=no)")
    assert _twice.setter("a.service", below("/usr/bin/ssserver $ARGS")) == ""
