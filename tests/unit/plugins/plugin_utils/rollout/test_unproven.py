# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients under TFO whose servers leave the run."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _plan, _unproven


def look(outcome="confirmed", side="client", **verdicts):
    """What tfo_host returned, with the verdict of the path to each server."""
    paths = [{"server_hosts": [host], "port": 8388, "verdict": verdict} for host, verdict in verdicts.items()]
    step = {"outcome": outcome, "differs": []}
    return {"side": side, "step": step, "paths": paths, "reasons": [], "done": False, "deployed": "yes"}


@pytest.mark.parametrize(
    ("one", "unproven"),
    [
        (look(gone="data_refused"), True),
        (look(stays="fast_open", gone="unreachable"), True),
        (look(stays="data_refused"), False),  # it steps after its server
        (look(gone="fast_open"), False),
        (look("planned", gone="data_refused"), False),  # plain: its step tells
        (look(side="server", gone="data_refused"), False),
    ],
)
def test_marked(one, unproven):
    """Only who is on already, and whose path wants a server that makes no step; it is in no wave, the canary's neither."""
    (marked,) = _unproven.marked({"c1": [one]}, ["stays"])["c1"]
    assert marked.get("unproven", False) is unproven
    assert (marked["step"]["outcome"], bool(marked["reasons"])) == (
        ("skipped", True) if unproven else (one["step"]["outcome"], False)
    )
    assert _plan.passed({"c1": [marked]}, ["c1"]) == ({"c1": ["client"]} if unproven else {})


@pytest.mark.parametrize("hosts", [None, [], ["gone", "stays"]])
def test_server_that_this_run_could_bring_or_nobody_can(hosts):
    """One of two inventory hosts at that address takes part; or the server is no host of the inventory at all."""
    one = look()
    one["paths"] = [{"port": 8388, "verdict": "data_refused", **({} if hosts is None else {"server_hosts": hosts})}]
    assert _unproven.marked({"c1": [one]}, ["stays"]) == {"c1": [one]}


def test_reason():
    """Which path, and why nobody brings it there."""
    (marked,) = _unproven.marked({"c1": [look(gone="data_refused")]}, [])["c1"]
    assert marked["reasons"] == ["data_refused: gone port 8388, and that server takes no part in this run"]


@pytest.mark.parametrize(("outcome", "done"), [("confirmed", True), ("planned", False), ("skipped", False)])
def test_canary_that_was_promoted_before(outcome, done):
    """What was learnt stays so, whatever becomes of its server."""
    assert _plan.canary_done({"c1": [look(outcome, ss1="data_refused")]}, ["c1"]) is done
