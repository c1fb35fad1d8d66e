# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run has ended."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _end


def look(side="client", done=False, skipped=False, state="plain"):
    """What tfo_host returned in the preflight."""
    return {
        "side": side,
        "done": done,
        "step": {"outcome": "skipped" if skipped else "planned"},
        "reasons": ["no_cookie"],
        "stage": {"state": state},
    }


def wave(outcome, side="client", verdict="promote", as_server=None, remember=(), since_step=False):
    """The last wave of c1."""
    one = {"outcome": outcome, "reasons": ["because"], "said": "", "since_step": since_step}
    also = {"c1": {**one, "outcome": as_server}} if as_server else {}
    return {
        "side": side,
        "name": "wave 2",
        "verdict": verdict,
        "why": ["late"],
        "hosts": {"c1": one},
        "as_server": also,
        "remember": list(remember),
    }


@pytest.mark.parametrize(
    ("looks", "last", "ended"),
    [
        ([look()], wave("promoted"), [("client", "promoted")]),
        ([look(done=True)], None, [("client", "promoted")]),
        ([look(skipped=True)], None, [("client", "skipped")]),
        ([look(skipped=True, state="undone")], None, [("client", "skipped")]),
        ([look(skipped=True, state="confirmed")], None, [("client", "failed")]),
        ([look(state="confirmed")], wave("skipped"), [("client", "failed")]),
        ([look(state="confirmed")], wave("reverted"), [("client", "reverted")]),
        ([look()], None, [("client", "refused")]),
        (
            [look("server"), look()],
            wave("promoted", as_server="reverted"),
            [("server", "reverted"), ("client", "promoted")],
        ),
        ([look("server"), look()], wave("promoted", side="server"), [("server", "promoted"), ("client", "refused")]),
        ([look("server", done=True), look()], wave("skipped"), [("server", "promoted"), ("client", "skipped")]),
    ],
)
def test_sides(looks, last, ended):
    """By the wave that a side was in, else by its look."""
    assert [(one.side, one.outcome) for one in _end.sides(looks, last, "c1")] == ended


@pytest.mark.parametrize(
    ("last", "lost", "remembered"),
    [
        (wave("unreachable"), [False, False], [False, False]),
        (wave("unreachable", as_server="unreachable", since_step=True), [True, True], [False, False]),
        (wave("promoted", as_server="unreachable", since_step=True), [True, False], [False, False]),
        (wave("reverted", as_server="reverted", remember=["c1"]), [False, False], [False, True]),
    ],
)
def test_what_is_known_of_a_side(last, lost, remembered):
    """Whether it was lost since its step, and whether later runs leave it alone; a server is not remembered."""
    found = _end.sides([look("server"), look()], last, "c1")
    assert ([one.lost for one in found], [one.remembered for one in found]) == (lost, remembered)


def side(outcome, host="c1", why="because", **more):
    """A client at the end."""
    return _end.Side(host, more.pop("side", "client"), outcome, why, **more)


@pytest.mark.parametrize("outcome", ["inconclusive", "reverted", "failed", "refused", "unreachable"])
def test_amiss(outcome):
    """Whoever is neither promoted nor skipped is named."""
    found = [side("promoted"), side("skipped", "c2"), side(outcome, "c3")]
    assert _end.amiss(found, None) == {"c3": f"{outcome}: because"}


def test_nothing_amiss():
    """A run that came to its end, and everybody is as meant."""
    assert _end.amiss([side("promoted"), side("skipped", "c2")], None) == {}


def test_canary_that_stopped_the_run_with_nobody_to_blame():
    """Each of it is named, with why where it was skipped; who has TCP Fast Open from before is not said to be."""
    stopped = {**wave("skipped", verdict="inconclusive"), "hosts": ["c1", "c2"]}
    found = [side("skipped", why="no_cookie"), side("promoted", "c2", "before this run")]
    assert _end.amiss(found, stopped) == {
        "c1": "the run stopped at wave 2: late (skipped: no_cookie)",
        "c2": "the run stopped at wave 2: late",
    }


def test_who_was_not_reached_is_not_to_blame():
    """But for a run in which nobody else is."""
    found = [side("skipped"), side("refused", "c2", _end.NOT_REACHED)]
    said = {"c1": "the run stopped at wave 2: late (skipped: because)"}
    assert _end.amiss(found, wave("skipped", verdict="inconclusive")) == said
    assert _end.amiss(found, None) == {"c2": f"refused: {_end.NOT_REACHED}"}


@pytest.mark.parametrize(
    ("waves", "everybody", "back"),
    [
        ([wave("reverted", verdict="roll_back")], True, ["c1", "c2"]),
        ([wave("reverted", verdict="roll_back")], False, []),
        ([wave("inconclusive", verdict="inconclusive")], True, []),
        ([wave("reverted", "server", "roll_back")], True, []),
        ([], True, []),
    ],
)
def test_to_revert(waves, everybody, back):
    """All clients of the run, whatever their wave was; servers go on."""
    found = [side("promoted", "ss1", side="server"), side("reverted"), side("promoted", "c2")]
    why = "a later wave was rolled back, and rollout_revert is all"
    wanted = {host: [{"side": "client", "why": why, "memory": "keep"}] for host in back}
    assert _end.to_revert(found, waves, everybody) == wanted


def test_lost_sides_are_tried_once_more():
    """Whoever was lost since its step, the client of a host before its server; one that was bad is remembered so."""
    lost = {"why": "lost", "lost": True}
    found = [side("unreachable", side="server", **lost), side("unreachable", remembered=True, **lost)]
    found += [side("unreachable", "c2"), side("promoted", "c3")]
    client = {"side": "client", "why": "lost", "memory": "add"}
    assert _end.to_revert(found, [], False) == {"c1": [client, {"side": "server", "why": "lost", "memory": "keep"}]}


def test_taken_back():
    """Where that was proven."""
    found = [side("promoted", name) for name in ("c1", "c2", "c3")] + [side("reverted", "c4")]
    results = {"c1": {"outcome": "plain"}, "c2": {"failed": True, "msg": "x"}, "c3": {"unreachable": True}, "c4": {}}
    ended = _end.taken_back(found, {(host, "client"): result for host, result in results.items()})
    assert [one.outcome for one in ended] == ["reverted", "failed", "unreachable", "reverted"]
    assert _end.taken_back(found, {("c1", "client"): {"skipped": True}}) == found
    assert _end.taken_back(found, {("c1", "server"): {"outcome": "plain"}}) == found


@pytest.mark.parametrize("outcome", ["skipped", "inconclusive", "reverted"])
def test_side_that_was_plain_before_that(outcome):
    """With rollout_revert: all it is proven once more, and nothing else has become of it."""
    before = [side(outcome)]
    assert _end.taken_back(before, {("c1", "client"): {"outcome": "plain"}}) == before


@pytest.mark.parametrize(
    ("result", "outcome", "why"),
    [
        ({"outcome": "plain"}, "reverted", f"{_end.WITH_ALL}; before: no_cookie; {_end.STAYS_ON}"),
        ({"failed": True, "msg": "silent"}, "failed", "not proven plain: silent"),
    ],
)
def test_failed_side_after_that(result, outcome, why):
    """What did not stay is not said to stay: with rollout_revert: all a client goes back that an earlier run left on."""
    before = [side("failed", why=f"no_cookie; {_end.STAYS_ON}")]
    (ended,) = _end.taken_back(before, {("c1", "client"): result})
    assert (ended.outcome, ended.why) == (outcome, why)


@pytest.mark.parametrize(
    ("result", "outcome", "why"),
    [
        (
            {"outcome": "plain"},
            "reverted",
            "answered again at the end of the run and is plain (lost: it undoes itself)",
        ),
        ({"unreachable": True}, "unreachable", "lost: it undoes itself"),
        ({"outcome": "failed", "reasons": ["silent"]}, "failed", "not proven plain: silent"),
    ],
)
def test_lost_side_after_that(result, outcome, why):
    """Plain where that was proven, else what it was; named in any case."""
    (ended,) = _end.taken_back(
        [side("unreachable", why="lost: it undoes itself", lost=True)], {("c1", "client"): result}
    )
    assert (ended.outcome, ended.why) == (outcome, why)
    assert _end.amiss([ended], None) == {"c1": f"{outcome}: {why}"}


def test_counts():
    """Of hosts, for metrics and notifications: one that is server and client is one of each, and of two alike one."""
    found = [
        side("promoted"),
        side("reverted", side="server"),
        side("promoted", "c2"),
        side("promoted", "c2", side="server"),
    ]
    assert _end.counts(found) == {"promoted": 2, "reverted": 1}


def test_look_that_failed_without_a_word_on_stderr():
    """Why is the module's own message, and that nothing was changed."""
    seen = {"results": [{"failed": True, "msg": "sudo: a password is required"}]}
    assert _end.gone("c1", seen, "").why == f"sudo: a password is required{_end.UNCHANGED}"


def test_lines():
    """Who has it, who has not and why."""
    found = [side("promoted", f"c{n}") for n in range(12)] + [side("skipped", "d1", "no_cookie: ss1")]
    lines = _end.lines(found, ["Next: audit"])
    assert lines[1] == "  promoted     12: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more"
    assert lines[2:] == ["  skipped      1: d1", "    d1: no_cookie: ss1", "  Next: audit"]


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([side("promoted"), side("skipped", "c2")], 0),
        ([side("promoted"), side("inconclusive", "c2")], 2),
        ([side("reverted"), side("unreachable", "c2", "lost in its step")], 2),
        ([side("reverted"), side("unreachable", "c2", _end.NOT_REACHED_FIRST)], 4),
        ([side("unreachable", "c2", _end.LOST_DEPLOYING)], 4),
    ],
)
def test_exit_status(found, status):
    """0 is for good ends alone."""
    assert _end.exit_status(found, {}) == status


def test_exit_status_of_a_canary_in_which_everybody_was_skipped():
    """Alone in the limit: all are as they are meant to be, and the run stopped."""
    assert _end.exit_status([side("skipped")], {"c1": "the run stopped at canary"}) == 2
