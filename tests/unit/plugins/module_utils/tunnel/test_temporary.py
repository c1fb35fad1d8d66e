# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file a temporary client is, and whose process."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _temporary
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE


@pytest.mark.parametrize(
    ("running", "program", "found"),
    [
        (None, "ss-local", "/usr/bin/ss-local"),
        ("{here}/ss-local", "ss-local", "{here}/ss-local"),
        ("{here}/ss-redir", "ss-local", "{here}/ss-local"),
        ("{here}/ss-redir", "ss-tunnel", "/usr/bin/ss-tunnel"),
    ],
)
def test_what_runs_is_what_is_measured(tmp_path, monkeypatch, running, program, found):
    """Or else the program beside it, before any other."""
    monkeypatch.setattr(_binary, "find", lambda name: f"/usr/bin/{name}")
    for name in ("ss-local", "ss-redir"):
        (tmp_path / name).touch()
    running, found = (text and text.format(here=tmp_path) for text in (running, found))
    assert _temporary._executable(running, program) == found


@pytest.fixture(name="users")
def fixture_users(monkeypatch):
    """Root, on a host whose users, groups and processes the test names."""

    def give(users=(), groups=(), running=()):
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(pwd, "getpwall", lambda: [SimpleNamespace(pw_uid=number) for number in users])
        monkeypatch.setattr(grp, "getgrall", lambda: [SimpleNamespace(gr_gid=number) for number in groups])
        monkeypatch.setattr(_temporary, "_running_users", lambda: iter(running))

    return give


def test_user_that_nobody_shares(users):
    """Neither an account's, nor a group's, nor a process's: whoever shares it could read the password."""
    first, *others, last = _temporary.UNUSED
    users(users=[first], groups=others[1:], running=[last])
    assert _temporary._own_user() == (others[0], others[0])


def test_no_user_is_left(users):
    """Said, and not measured as somebody else."""
    users(running=_temporary.UNUSED)
    with pytest.raises(_temporary.ClientError, match="is taken"):
        _temporary._own_user()


@pytest.mark.parametrize(
    ("service", "fast_open", "argv"),
    [
        ({}, True, ["ss-local", "-c", "{config}", "--fast-open"]),
        ({"implementation": "rust"}, True, ["sslocal", "-c", "{config}", "--fast-open"]),
        (
            {"implementation": "rust", "program": "ss-redir", "mode": "tcp_and_udp"},
            False,
            ["sslocal", "-c", "{config}"],
        ),
        ({"implementation": "rust", "program": "ss-tunnel"}, False, ["sslocal", "-c", "{config}"]),
    ],
)
def test_what_is_started(tmp_path, monkeypatch, service, fast_open, argv):
    """The implementation's own client with a config in memory: as SOCKS, or as tunnel to the URL's host."""
    binary, told = tmp_path / argv[0], {}
    binary.touch()

    def started(command, **options):
        told.update(command=command, config=json.loads(Path(command[2]).read_text(encoding="utf-8")), **options)
        raise OSError("enough")

    monkeypatch.setattr(_binary, "find", lambda name: str(tmp_path / name))
    monkeypatch.setattr(subprocess, "Popen", started)
    client = _temporary.TemporaryClient({**CLIENT_SERVICE, **service}, "http://origin:81/x", fast_open)
    with pytest.raises(OSError, match="enough"):
        client.fetch("http://origin:81/x", 1)
    config = told["config"]
    assert told["command"] == [part.format(config=told["command"][2]) for part in argv]
    local = config.get("locals", [config])[0]
    assert (local["local_address"], local["local_port"], local["mode"]) == ("127.0.0.1", client.port, "tcp_only")
    if service.get("implementation") == "rust":
        assert local["protocol"] == ("tunnel" if service.get("program") == "ss-tunnel" else "socks")
        ends = ("origin", 81) if service.get("program") == "ss-tunnel" else (None, None)
        assert (local.get("forward_address"), local.get("forward_port")) == ends
