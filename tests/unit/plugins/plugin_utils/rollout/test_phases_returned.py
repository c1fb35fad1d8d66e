# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a single task returned, or that it returned nothing: no data is never a pass."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _phases
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import Host, Wave

STEPPED = {"outcome": "stepped", "reasons": []}
UNPROVEN = {"outcome": "failed", "reasons": ["the tunnel is silent"]}


def wave(outcome="", side="client"):
    """One host."""
    return Wave(side=side, kind="wave", name="wave 1", hosts={"c1": Host(outcome)})


@pytest.mark.parametrize(
    ("result", "check", "outcome"),
    [
        pytest.param({"skipped": True}, True, "planned", id="nothing runs there that could be asked"),
        pytest.param({"skipped": True}, False, "failed", id="a step that did not run"),
        pytest.param(None, True, "failed", id="a plan that nobody made"),
        pytest.param(
            {"outcome": "confirmed", "reasons": []}, True, "planned", id="a plan in which nothing is left to do"
        ),
    ],
)
def test_step_that_did_not_run(result, check, outcome):
    """Only a plan may do without."""
    one = wave()
    _phases.stepped(one, {"c1": result}, check=check, final=False)
    assert one.hosts["c1"].outcome == outcome


@pytest.mark.parametrize(("side", "remembered"), [("client", ["c1"]), ("server", [])])
def test_step_that_was_not_proven(side, remembered):
    """A client is left alone by later runs; a server that was mended is tried again without being told."""
    one = wave(side=side)
    _phases.stepped(one, {"c1": UNPROVEN}, check=False, final=False)
    assert (one.revert, one.remember) == (["c1"], remembered)


@pytest.mark.parametrize(("result", "told"), [(STEPPED, "gains 50 ms"), (UNPROVEN, "the tunnel is silent")])
def test_figure_from_before_the_step(result, told):
    """It stays with who makes the step; of who does not it is not why."""
    one = wave()
    one.hosts["c1"].said = "gains 50 ms"
    _phases.stepped(one, {"c1": result}, check=False, final=False)
    assert one.hosts["c1"].because() == told


def test_confirmation_that_did_not_run():
    """It is not promoted for want of an answer."""
    one = wave("promoted")
    one.confirm = ["c1"]
    _phases.closed(one, {"c1": None}, {})
    assert (one.hosts["c1"].outcome, one.hosts["c1"].reasons) == (
        "failed",
        ["could not be made to last: nothing was returned"],
    )


@pytest.mark.parametrize("result", [None, {"skipped": True}])
def test_way_down_that_nobody_was_asked_for(result):
    """It is as it was left: neither failed nor plain."""
    one = wave("promoted")
    one.verdict = "promote"
    _phases.closed(one, {}, {"c1": result})
    assert (one.hosts["c1"].outcome, one.hosts["c1"].reasons) == ("promoted", [])
