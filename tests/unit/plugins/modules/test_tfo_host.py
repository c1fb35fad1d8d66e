# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around the look at a host."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deploy, _observe
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_host, tfo_stage
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER, SERVER_SERVICE

FACTS = {"sysctl": {"value": 1, "send": True, "accept": False}}


@pytest.fixture(autouse=True)
def facts(fake_host, monkeypatch):
    """No packet over loopback."""
    monkeypatch.setattr(_probe, "observe", lambda: FACTS)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("deployed", [True, False])
def test_answer(fake_host, run_module, check, deployed):
    """Everything that RETURN says, nothing that it does not, and no password; the host stays as it was."""
    if deployed:
        _deploy.deploy(_observe.Wanted("server", [SERVER_SERVICE]), check=False)
    fake_host.done.clear()
    before = fake_host.tree()
    answer = run_module(tfo_host.main, check=check, side="server", services=[SERVER_SERVICE])
    documented = {name for name, about in yaml.safe_load(tfo_host.RETURN).items() if about["returned"] == "success"}
    assert set(answer) - {"changed", "invocation"} == documented
    assert (answer["changed"], answer["fastopen"], answer["done"]) == (False, FACTS, False)
    assert answer["deployed"] == ("yes" if deployed else "no")
    assert MARKER not in str(answer)
    assert (fake_host.tree(), fake_host.done, fake_host.run_dir.exists()) == (before, [], False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": "both"}, "value of side must be one of: server, client"),
        ({"side": "server", "services": [{"name": "main"}]}, "missing required arguments"),
        ({"side": "server", "fast_open_mode": "queue"}, "value of fast_open_mode must be one of: flag, listener"),
    ],
)
def test_bad_arguments(run_module, arguments, message):
    """Refused by the argument spec."""
    answer = run_module(tfo_host.main, **arguments)
    assert answer["failed"] is True
    assert message in answer["msg"]


def test_damaged_record(fake_host, run_module):
    """A failure that is foreseen is a message, not a traceback."""
    fake_host.put(fake_host.state_dir / "record.json", "{")
    answer = run_module(tfo_host.main, side="server", services=[SERVER_SERVICE])
    assert answer["failed"] is True
    assert "record.json is damaged" in answer["msg"]


def test_what_the_stage_says(fake_host, run_module):
    """What the step of a run would do, whose the host is, and by whom services were taken off."""
    _deploy.deploy(_observe.Wanted("server", [SERVER_SERVICE]), check=False)
    side = {"side": "server", "services": [SERVER_SERVICE]}
    run = {"run": "run1", "who": "me@here"}
    run_module(tfo_stage.main, state="stepped", **side, **run)
    held = run_module(tfo_host.main, **side)
    assert (held["step"]["outcome"], held["stage"]["claim"]["run"], held["stage"]["state"]) == (
        "refused",
        "run1",
        "stepped",
    )
    assert held["reasons"][0].startswith("claimed by run run1 of me@here")
    for asker in ({"run": "run1"}, {"run": "run2", "take_over": "run1"}):
        assert run_module(tfo_host.main, **side, **asker)["reasons"] == []
    run_module(tfo_stage.main, state="plain", memory="add", why="slower", **side, **run)
    undone = run_module(tfo_host.main, **side, run="run1")
    assert (undone["step"]["outcome"], "slower" in undone["reasons"][0]) == ("skipped", True)
    assert run_module(tfo_host.main, **side, run="run1", retry=True)["step"]["outcome"] == "planned"


def test_without_probes(fake_host, run_module):
    """No packet is sent where none is asked for."""
    _deploy.deploy(_observe.Wanted("server", [SERVER_SERVICE]), check=False)
    answer = run_module(tfo_host.main, side="server", services=[SERVER_SERVICE], probe_paths=False)
    assert (answer["paths"], fake_host.probed) == ([], [])
