# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever is killed while our line for the boot gets another value leaves a line that is still known as ours."""

from __future__ import annotations

import contextlib
import os
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _record
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._others import FLAG, LISTENER, ask

KEY = _proc.FASTOPEN
SERVER = {"side": "server", "mode": "flag", "program": "ss-server", "port": 8388, "address": "::1", "url": ""}


class Killed(BaseException):
    """SIGKILL, in memory."""


def killed(patch, number, act):
    """Do it, and die before the n-th thing that it writes; gives whether it came so far."""
    count = [0]

    def wrap(function):
        def call(*arguments, **keywords):
            count[0] += 1
            if count[0] >= number:
                raise Killed
            return function(*arguments, **keywords)

        return call

    for module, name in ((_files, "write"), (_files, "remove"), (_proc, "write_sysctl")):
        patch.setattr(module, name, wrap(getattr(module, name)))
    with contextlib.suppress(Killed):
        act()
    return count[0] >= number


@pytest.fixture(autouse=True)
def fixture_edges(monkeypatch):
    """No time passes, and nothing waits for a disk."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


ACTS = {
    "one unit of two": lambda stage: _cli.main(["undo", "--why", "x", LISTENER]),
    "kill switch": lambda stage: stage.ask("killed", "server", services=[], run=""),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_way_down(mixed, act):
    """A rollback takes it away all the same."""
    before = mixed.observe()
    number, died = 0, True
    while died:
        number += 1
        for state in ("stepped", "confirmed"):
            assert ask(mixed, state, FLAG, LISTENER, run=f"run{number}").outcome == state
        assert mixed.boot() == "1027"
        with pytest.MonkeyPatch.context() as patch:
            died = killed(patch, number, lambda: act(mixed))
        mixed.ask("lifted", "server", run="")
        assert mixed.ask("plain", "server", services=[], run="", memory="forget").outcome == "plain"
        assert mixed.observe() == before, number
    assert number > 3


CHANGES = {
    "another value": ({"accept": True}, {"accept": True, "all_listeners": True}),
    "refused": ({"accept": True}, {"accept": False}),
    "back": ({"accept": True, "all_listeners": True}, None),
}


@pytest.mark.parametrize("needed", [False, True], ids=["role alone", "beside a service"])
@pytest.mark.parametrize(("asked", "then"), CHANGES.values(), ids=CHANGES)
def test_role(kernel_host, asked, then, needed):
    """The role, run again and taken back, leaves what was there before it."""
    if needed:
        kernel_host.set(KEY, "0")
        kernel_host.write(kernel_host.file, f"{KEY} = 0\n")
        _record.store(_record.Record(units={"ss-server@main.service": SERVER}))
        kernel_host.converge(somaxconn=8192)
        kernel_host.converge(accept=True)
        kernel_host.restore()
    before = kernel_host.tree()
    number, died = 0, True
    while died:
        number += 1
        kernel_host.converge(**asked)
        act = kernel_host.restore if then is None else lambda: kernel_host.converge(**then)
        with pytest.MonkeyPatch.context() as patch:
            died = killed(patch, number, act)
        kernel_host.restore()
        assert kernel_host.tree() == before, number
    assert number > 3
