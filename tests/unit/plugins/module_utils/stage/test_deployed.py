# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment over a service under TFO that fails: what repeats its command goes back with it."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _observe, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _deployed

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


def in_rust(stage, side):
    """The same service, run by another program."""
    return _observe.Wanted(side, [{**one, "implementation": "rust"} for one in stage.request(side).services])


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
def test_service_that_does_not_come_up(stage, side, state):
    """Everything is as it was."""
    stage.ask("stepped", side)
    stage.ask(state, side)
    before = stage.observe()
    stage.host.broken.add(UNITS[side])
    with pytest.raises(_apply.ApplyError, match="does not come up"):
        _deployed.deploy(in_rust(stage, side), check=False)
    stage.host.broken.clear()
    stage.host._systemctl("restart", UNITS[side])
    assert stage.observe() == before


def test_systemd_that_goes_down(stage, side, monkeypatch):
    """By then it does not even show which files a unit has."""
    for state in ("stepped", "confirmed"):
        assert stage.ask(state, side).outcome == state
    before = stage.host.tree()
    run, down = _systemd._run, []

    def refuses(command):
        down.extend(word for word in command if word == "daemon-reload")
        if down:
            raise _systemd.SystemdError("Transport endpoint is not connected")
        return run(command)

    with monkeypatch.context() as patch, pytest.raises(_apply.ApplyError, match="Transport endpoint"):
        patch.setattr(_systemd, "_run", refuses)
        _deployed.deploy(in_rust(stage, side), check=False)
    assert stage.host.tree() == before
