# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate reads its hosts' results and tells its decision."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_gate

STEPPED = {"outcome": "stepped", "reasons": []}
FAILED = {"outcome": "failed", "reasons": ["the tunnel is silent"]}


def look(side, done=False, deployed="yes"):
    """What tfo_host returned before the step."""
    return {"side": side, "done": done, "paths": [], "stage": {"actual": "off"}, "deployed": deployed}


def variables(**hosts):
    """Each host's looks and its step's result."""
    return {
        "groups": {"canary": ["c1"]},
        "hostvars": {
            host: {"__rollout_seen": {"results": looks}, **({} if stage is None else {"__rollout_stage": stage})}
            for host, (looks, stage) in hosts.items()
        },
    }


@pytest.mark.parametrize(
    ("stage", "verdict"),
    [(STEPPED, "promote"), (FAILED, "roll_back"), ({"unreachable": True}, "inconclusive")],
)
def test_verdict(run, stage, verdict):
    """It is shown as it is returned."""
    result = run(tfo_gate, variables(c1=([look("client")], stage)), side="client", step="canary", hosts=["c1"])
    assert (result["verdict"], result["changed"], list(result["hosts"])) == (verdict, False, ["c1"])
    assert run.shown == [result["msg"]]


def test_hosts_that_were_done_are_not_judged(run):
    """They had no step, so they have no result; their other side does not count."""
    fleet = variables(
        c1=([look("client", done=True)], None),
        both=([look("server", done=True), look("client")], STEPPED),
    )
    result = run(tfo_gate, fleet, side="client", step="wave 1", hosts=["c1", "both"])
    assert (result["verdict"], list(result["hosts"])) == ("promote", ["both"])


def test_check_mode(run):
    """A plan is no failure."""
    stage = {"outcome": "planned", "reasons": []}
    fleet = variables(c1=([look("client")], stage), c2=([look("client", deployed="no")], {"skipped": True}))
    result = run(tfo_gate, fleet, check_mode=True, side="client", step="canary", hosts=["c1", "c2"])
    assert (result["verdict"], result["stepped"]) == ("promote", ["c1", "c2"])


@pytest.mark.parametrize(
    ("step", "done", "verdict"),
    [("canary", False, "inconclusive"), ("canary", True, "promote"), ("wave", False, "promote")],
)
def test_nobody_is_eligible(run, step, done, verdict):
    """A wave is passed over; canaries are, if one of them was promoted by an earlier run (field: A15, B8)."""
    skipped = {"outcome": "skipped", "reasons": ["no_cookie"]}
    fleet = variables(c1=([look("client", done=done)], skipped), c2=([look("client")], skipped))
    result = run(tfo_gate, fleet, side="client", step=step, hosts=["c2"])
    assert (result["verdict"], result["stepped"]) == (verdict, [])
