# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict about a wave, from its hosts, the budgets of the run, and what concerns all of it."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import Host, Limits, Tally, Wave


def wave(*outcomes, side="client", **more):
    """A wave whose hosts c1, c2, … are there now; `lost` is an unreachable one since its step."""
    hosts = {}
    for number, outcome in enumerate(outcomes, 1):
        lost = outcome == "lost"
        hosts[f"c{number}"] = Host("unreachable" if lost else outcome, since_step=lost)
    return Wave(side=side, kind="wave", name="wave 1", hosts=hosts, **more)


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        pytest.param(["stepped"] * 2, "promote", id="all stepped"),
        pytest.param(["stepped", "skipped"], "promote", id="one skipped"),
        pytest.param(["skipped", "skipped"], "promote", id="all skipped: passed over"),
        pytest.param(["stepped", "reverted"], "promote", id="one bad"),
        pytest.param(["reverted"], "promote", id="one, and it is bad: passed over (A15)"),
        pytest.param(["stepped", "failed", "reverted"], "roll_back", id="two bad of three"),
        pytest.param([*["stepped"] * 18, "failed", "reverted"], "promote", id="two bad of twenty"),
        pytest.param([*["stepped"] * 17, *["failed"] * 3], "roll_back", id="three bad of twenty"),
        pytest.param(["stepped", "lost"], "promote", id="one lost"),
        pytest.param(["stepped", *["lost"] * 4], "inconclusive", id="four of five lost (A9)"),
        pytest.param([*["stepped"] * 28, *["lost"] * 2], "promote", id="two of thirty lost"),
        pytest.param(["stepped", *["unreachable"] * 4], "promote", id="unreachable before their step: not lost by it"),
        pytest.param(["stepped", "inconclusive"], "promote", id="one undecided"),
        pytest.param(["inconclusive"], "promote", id="one, and it is undecided"),
        pytest.param(["stepped", "inconclusive", "inconclusive"], "inconclusive", id="two of three undecided"),
    ],
)
def test_budgets(outcomes, verdict):
    """More than one and more than the share of those judged; no single host stops a run."""
    judged = wave(*outcomes)
    judged.decide()
    stepped = [f"c{number}" for number, outcome in enumerate(outcomes, 1) if outcome == "stepped"]
    assert (judged.verdict, judged.stop) == (verdict, verdict != "promote")
    assert (judged.confirm, judged.revert) == ((stepped, []) if verdict == "promote" else ([], stepped))
    ends = {"promote": "promoted", "roll_back": "reverted", "inconclusive": "inconclusive"}
    assert all(judged.hosts[name].outcome == ends[verdict] for name in stepped)
    assert bool(judged.why) == judged.stop


@pytest.mark.parametrize(
    ("tally", "verdict"),
    [
        (Tally(judged=5, bad=1), "roll_back"),
        (Tally(judged=19, bad=1), "promote"),
        (Tally(judged=17, bad=1), "roll_back"),
        (Tally(judged=50, bad=4), "promote"),
        (Tally(judged=50, bad=5), "roll_back"),
    ],
)
def test_bad_hosts_count_over_the_run(tally, verdict):
    """One here and one there are two, and too many of few."""
    judged = wave("stepped", "reverted", tally=tally)
    judged.decide()
    assert judged.verdict == verdict


def test_lost_hosts_count_over_the_run():
    """Two waves that lose one each; who was gone before its step is not one of them."""
    judged = wave("stepped", "lost", "unreachable", tally=Tally(judged=5, lost=1))
    judged.decide()
    assert (judged.verdict, judged.why) == ("inconclusive", ["2 hosts were lost since their step (c2): too many"])


@pytest.mark.parametrize(
    ("tally", "verdict"),
    [
        (Tally(judged=17, undecided=2), "promote"),
        (Tally(judged=16, undecided=2), "inconclusive"),
        (Tally(judged=16, undecided=1, lost=2), "promote"),
        (Tally(judged=15, undecided=1, lost=2), "inconclusive"),
    ],
)
def test_share_is_of_all_that_stepped(tally, verdict):
    """The undecided and the lost are among those of whom they may be a tenth."""
    judged = wave("stepped", tally=tally)
    judged.decide()
    assert judged.verdict == verdict


def test_good_figure_is_not_why():
    """Who goes back with its wave is named with that; who stays, with what it gains."""
    for against, told in ([], "gains 50 ms"), (["ss1: restarted"], "goes back with its wave"):
        judged = wave("stepped")
        judged.hosts["c1"].said = "gains 50 ms"
        judged.decide(against=against)
        assert judged.hosts["c1"].because() == told


@pytest.mark.parametrize("outcome", ["lost", "skipped", "reverted"])
@pytest.mark.parametrize(
    ("speaks", "verdict"), [("against", "roll_back"), ("unknown", "inconclusive")], ids=["against", "unknown"]
)
def test_what_is_known_beside_an_empty_canary(outcome, speaks, verdict):
    """Its server was restarted, say: that is why the run stops, not that nobody is left."""
    judged = wave(outcome, canary=True)
    judged.decide(**{speaks: ["ss1: its service is gone"]})
    assert (judged.verdict, judged.why) == (verdict, ["ss1: its service is gone"])


def test_no_server_may_be_bad():
    """It restarts for everybody."""
    judged = wave("stepped", "failed", side="server", tally=Tally(judged=100))
    judged.decide()
    assert (judged.verdict, judged.hosts["c1"].outcome) == ("roll_back", "reverted")


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (["skipped"], "inconclusive"),
        (["unreachable"], "inconclusive"),
        (["inconclusive"], "inconclusive"),
        (["skipped", "reverted"], "roll_back"),
        (["failed"], "roll_back"),
        (["skipped", "stepped"], "promote"),
    ],
)
def test_canary_in_which_nobody_stays(outcomes, verdict):
    """Nothing was learnt: the run stops, where a later wave is passed over."""
    judged = wave(*outcomes, canary=True)
    judged.decide()
    assert judged.verdict == verdict
    assert judged.stop == (verdict != "promote")
    assert not judged.stop or "no canary is left, so nothing can be learnt" in judged.why[0]


def test_what_speaks_against_all_of_them():
    """Whatever they are by themselves; what is against them overrules what is not known."""
    judged = wave("stepped")
    judged.decide(against=["ss1 was restarted"], unknown=["ss2 is gone"])
    assert (judged.verdict, judged.why, judged.revert) == ("roll_back", ["ss1 was restarted"], ["c1"])
    assert judged.hosts["c1"].reasons == ["goes back with its wave"]
    judged = wave("stepped")
    judged.decide(unknown=["ss2 is gone"])
    assert (judged.verdict, judged.hosts["c1"].outcome) == ("inconclusive", "inconclusive")


@pytest.mark.parametrize(
    ("share", "bad", "too_many"), [(0.0, 1, False), (0.0, 2, True), (0.3, 3, False), (1.0, 9, False)]
)
def test_share_of_the_operator(share, bad, too_many):
    """One may always be bad."""
    assert Limits(reverted_share=share).bad("client", Tally(judged=10, bad=bad)) is too_many


def test_kept_and_loaded():
    """A wave comes back from what was registered, other keys left out."""
    one = wave("stepped", "lost", tally=Tally(3, 1, 1, 1), as_server={"c1": Host("promoted", ["x"], "fine", False)})
    assert Wave.load({**dataclasses.asdict(one), "lines": []}) == one
