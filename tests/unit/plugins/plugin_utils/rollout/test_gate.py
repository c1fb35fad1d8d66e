# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision about a wave."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _gate

STEPPED = {"outcome": "stepped", "reasons": []}
SKIPPED = {"outcome": "skipped", "reasons": ["no_cookie: ss1 port 8388"]}
REVERTED = {"outcome": "reverted", "reasons": ["syn_dropped: ss1 port 8388"]}
UNPROVEN = {"outcome": "failed", "reasons": ["the tunnel is silent"]}
FAILED = {"failed": True, "msg": "ss-local@main.service does not come up"}
UNREACHABLE = {"unreachable": True, "msg": "ssh"}
UNASKED = {"skipped": True}
REVERT = {"hosts": {"c1": {"verdict": "revert", "reasons": ["40 ms slower"]}}}


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        pytest.param([STEPPED, STEPPED], "promote", id="all stepped"),
        pytest.param([STEPPED, SKIPPED], "promote", id="one skipped, one stepped"),
        pytest.param([STEPPED, REVERTED], "promote", id="one reverted, one stepped"),
        pytest.param([STEPPED, UNREACHABLE], "promote", id="one unreachable, one stepped"),
        pytest.param([STEPPED, *[UNREACHABLE] * 4], "inconclusive", id="four of five lost in the step"),
        pytest.param([*[STEPPED] * 28, *[UNREACHABLE] * 2], "promote", id="two of thirty lost"),
        pytest.param([STEPPED, UNPROVEN], "promote", id="one unproven"),
        pytest.param([STEPPED, FAILED], "promote", id="one failed"),
        pytest.param([FAILED], "promote", id="one, and it failed"),
        pytest.param([STEPPED, FAILED, UNPROVEN], "roll_back", id="two of three failed"),
        pytest.param([*[STEPPED] * 18, FAILED, REVERTED], "promote", id="two of twenty"),
        pytest.param([*[STEPPED] * 17, *[FAILED] * 3], "roll_back", id="three of twenty"),
        pytest.param([SKIPPED, SKIPPED], "promote", id="all skipped: passed over"),
        pytest.param([UNREACHABLE], "promote", id="one, and it is unreachable: passed over"),
        pytest.param([UNREACHABLE, UNREACHABLE], "inconclusive", id="all unreachable"),
        pytest.param([UNASKED], "promote", id="none eligible: passed over"),
    ],
)
def test_judge(results, verdict):
    """A failure takes the wave back, a host that was skipped does not, and nobody is no success."""
    judgement = _gate.judge("wave", {f"c{n}": result for n, result in enumerate(results, 1)})
    assert judgement.verdict == verdict
    assert judgement.msg.startswith("wave: ")
    assert ("passed over, nobody" in judgement.msg) == (verdict == "promote" and not judgement.stepped)
    assert len(judgement.hosts) == len(results)
    assert judgement.stepped == [f"c{n}" for n, result in enumerate(results, 1) if result is STEPPED]


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([SKIPPED], "inconclusive"),
        ([UNASKED], "inconclusive"),
        ([UNREACHABLE], "inconclusive"),
        ([SKIPPED, REVERTED], "roll_back"),
        ([FAILED], "roll_back"),
    ],
)
def test_canary_in_which_nobody_is_left(results, verdict):
    """Nothing was learnt: the run stops, where a later wave is passed over (field: A15)."""
    judgement = _gate.judge("canary", {f"c{n}": result for n, result in enumerate(results, 1)}, canary=True)
    assert judgement.verdict == verdict
    assert "no canary is left, so nothing can be learnt" in judgement.msg
    stepped = _gate.judge("canary", {"c1": STEPPED, "c2": SKIPPED}, canary=True)
    assert stepped.verdict == "promote"


@pytest.mark.parametrize(
    ("result", "outcome", "reason"),
    [
        (STEPPED, "stepped", None),
        (SKIPPED, "skipped", "no_cookie: ss1 port 8388"),
        (UNPROVEN, "failed", "the tunnel is silent"),
        (FAILED, "failed", "ss-local@main.service does not come up"),
        ({"failed": True}, "failed", "the task failed"),
        (UNREACHABLE, "unreachable", "unreachable: it counts as not done"),
        (UNASKED, "skipped", "not measured"),
    ],
)
def test_outcome(result, outcome, reason):
    """Each host is named with why."""
    one = _gate.outcome(result)
    assert one["outcome"] == outcome
    assert (reason is None and one["reasons"] == []) or reason in one["reasons"]
    message = _gate.judge("wave 1", {"c9": result}).msg
    assert f"c9: {outcome}" in message
    assert reason is None or reason in message


def test_skipped_host_tells_what_was_measured():
    """It was not eligible, and the numbers say why."""
    judgement = _gate.judge("canary", {"c1": UNASKED, "c2": STEPPED}, before=REVERT)
    assert judgement.hosts["c1"] == {
        "outcome": "skipped",
        "reasons": ["measured before the step: revert", "40 ms slower"],
    }
    assert judgement.revert == []


def test_host_that_has_it_on_and_turns_out_bad_leaves():
    """From an earlier run; the others go on."""
    judgement = _gate.judge("canary", {"c1": UNASKED, "c2": STEPPED}, before=REVERT, on_now=["c1"])
    assert (judgement.verdict, judgement.revert) == ("promote", ["c1"])


@pytest.mark.parametrize("verdict", ["promote", "inconclusive"])
def test_host_that_was_harmful_before_its_step_goes_back_after_the_measurement_too(verdict):
    """It had TFO on before this run and was not measured again: the others of its wave do not make it good."""
    first = _gate.judge("canary", {"c1": UNASKED, "c2": STEPPED}, before=REVERT, on_now=["c1"])
    after = {"verdict": verdict, "reasons": [], "revert": [], "hosts": {"c2": {"reasons": []}}}
    measured = _gate.judge_measured("canary", first, after, {"c2": {}}, {})
    assert (measured.verdict, measured.revert, measured.stepped) == (verdict, ["c1"], ["c2"])
    assert measured.hosts["c1"]["outcome"] == "reverted"
    assert "40 ms slower" in measured.hosts["c1"]["reasons"]


def test_hosts_that_made_the_wave_fail_leave():
    """Whatever else is taken back."""
    assert _gate.judge("canary", {"c1": UNPROVEN, "c2": STEPPED}).revert == ["c1"]


@pytest.mark.parametrize("verdict", ["inconclusive", "roll_back"])
def test_host_that_went_away_is_not_passed(verdict):
    """It was proven for a moment, and nobody knows what it does now."""
    judgement = _gate.judge_measured("canary", FIRST, {**GOOD, "verdict": verdict}, {"c1": UNREACHABLE}, {})
    assert judgement.hosts["c1"]["outcome"] == "unreachable"
    assert "c1" not in judgement.stepped


def test_nobody_stays_in_a_wave_that_goes_back():
    """The journal names each host by where it ends, not by what it was for a moment."""
    with_wave = {"outcome": "reverted", "reasons": ["goes back with its wave"]}
    strict = _gate.Budget(strict=True)
    failed = _gate.judge("servers", {"c1": UNPROVEN, "c2": STEPPED, "c3": SKIPPED}, budget=strict)
    assert failed.hosts == {"c1": UNPROVEN, "c2": with_wave, "c3": SKIPPED}
    worse = {"verdict": "roll_back", "reasons": ["c1"], "revert": ["c1"], "hosts": {"c1": {"reasons": ["late"]}}}
    measured = _gate.judge_measured("canary", FIRST, worse, {}, {})
    assert measured.hosts == {"c1": {"outcome": "reverted", "reasons": ["late"]}, "c2": with_wave, "c3": SKIPPED}
    assert "c2: reverted (goes back with its wave)" in measured.msg


def test_check_mode_only_plans():
    """Nothing was changed, so there is nothing to judge."""
    judgement = _gate.judge("canary", {"c1": {"outcome": "planned", "reasons": []}}, check=True)
    assert (judgement.verdict, judgement.msg) == ("promote", "canary: planned\n  c1: planned")


FIRST = _gate.judge("canary", {"c1": STEPPED, "c2": STEPPED, "c3": SKIPPED})
GOOD = {"verdict": "promote", "reasons": ["20 of 20"], "revert": [], "hosts": {}}
QUIET = {"restarts": 0, "counters": {}}


@pytest.mark.parametrize(
    ("after", "asked", "servers", "verdict"),
    [
        pytest.param(GOOD, {"c1": {"reasons": []}}, {"ss1": QUIET}, "promote", id="good"),
        pytest.param({**GOOD, "verdict": "roll_back"}, {}, {}, "roll_back", id="measured bad"),
        pytest.param({**GOOD, "verdict": "inconclusive"}, {}, {}, "inconclusive", id="too few samples"),
        pytest.param(GOOD, {"c1": {"reasons": ["timed out"]}}, {}, "promote", id="one running client is silent"),
        pytest.param(GOOD, dict.fromkeys(("c1", "c2"), {"reasons": ["x"]}), {}, "roll_back", id="both are silent"),
        pytest.param(GOOD, {}, {"ss1": {**QUIET, "restarts": 1}}, "roll_back", id="the server was restarted"),
        pytest.param(GOOD, {}, {"ss1": {}}, "inconclusive", id="the server is gone"),
        pytest.param({**GOOD, "verdict": "roll_back"}, {}, {"ss1": {}}, "roll_back", id="bad, and the server is gone"),
        pytest.param({}, {}, {"ss1": QUIET}, "promote", id="nobody could measure"),
    ],
)
def test_measured(after, asked, servers, verdict):
    """What happened to the services overrules good numbers, never bad ones."""
    judgement = _gate.judge_measured("canary", FIRST, after, asked, servers)
    assert judgement.verdict == verdict
    assert judgement.msg.startswith(f"canary: {verdict}: ")
    assert all(name in judgement.msg for name in ("c1", "c2", "c3"))


@pytest.mark.parametrize(
    ("asked", "servers", "told"),
    [
        ({"c1": {"reasons": ["timed out"]}}, {}, "c1: timed out"),
        ({}, {"ss1": {**QUIET, "restarts": 3}}, "ss1: its ss-server was restarted or is gone since the step (3)"),
        ({}, {"ss1": {}}, "ss1: it cannot be reached any more"),
        ({}, {}, "20 of 20"),
    ],
)
def test_measured_tells_why(asked, servers, told):
    """The cause stands in the message."""
    assert told in _gate.judge_measured("canary", FIRST, GOOD, asked, servers).msg


def test_single_bad_client_leaves_and_the_wave_goes_on():
    """Named, with its numbers; a host that is not in its stage need not leave it."""
    after = {**GOOD, "revert": ["c2", "c3"], "hosts": {"c2": {"reasons": ["lost 9 of 20"]}, "c3": {"reasons": []}}}
    judgement = _gate.judge_measured("canary", FIRST, after, {}, {})
    assert (judgement.verdict, judgement.stepped, judgement.revert) == ("promote", ["c1"], ["c2"])
    assert judgement.hosts["c2"] == {"outcome": "reverted", "reasons": ["lost 9 of 20"]}
    assert judgement.hosts["c3"]["outcome"] == "skipped"
    assert FIRST.hosts["c2"]["outcome"] == "stepped"


def test_wave_that_loses_its_hosts_stops_and_comes_down():
    """Those that were reached come down; the others undo themselves."""
    results = {"c1": STEPPED, **{f"c{n}": UNREACHABLE for n in range(2, 6)}}
    judgement = _gate.judge("wave", results)
    assert (judgement.verdict, judgement.stepped, judgement.hosts["c1"]["outcome"]) == (
        "inconclusive",
        ["c1"],
        "inconclusive",
    )
    assert "4 of 5 hosts were lost in the step" in judgement.msg


def test_hosts_lost_since_their_step_stop_the_run_as_well():
    """One may always get lost; two of three are more than a tenth."""
    first = _gate.judge("wave", {"c1": STEPPED, "c2": STEPPED, "c3": STEPPED})
    gone = {"c1": UNREACHABLE, "c2": UNREACHABLE}
    assert _gate.judge_measured("wave", first, GOOD, {"c1": UNREACHABLE}, {}).verdict == "promote"
    judgement = _gate.judge_measured("wave", first, GOOD, gone, {})
    assert (judgement.verdict, judgement.hosts["c3"]["outcome"]) == ("inconclusive", "inconclusive")
    assert "2 of 3 hosts were lost" in judgement.msg


def test_promoted_hosts_are_called_so():
    """After the measurement, or at once where nothing is measured."""
    assert _gate.judge_measured("canary", FIRST, GOOD, {}, {}).hosts["c1"] == {"outcome": "promoted", "reasons": []}
    assert _gate.judge("canary", {"c1": STEPPED}, final=True).hosts["c1"]["outcome"] == "promoted"


@pytest.mark.parametrize(
    ("budget", "bad", "judged", "exceeded"),
    [
        (_gate.Budget(), 1, 1, False),
        (_gate.Budget(), 2, 2, True),
        (_gate.Budget(), 2, 20, False),
        (_gate.Budget(bad=1), 1, 5, True),
        (_gate.Budget(bad=1, judged=19), 1, 1, False),
        (_gate.Budget(bad=1, judged=18), 1, 1, True),
        (_gate.Budget(0.3), 3, 10, False),
        (_gate.Budget(0.0), 1, 100, False),
        (_gate.Budget(strict=True), 1, 100, True),
        (_gate.Budget(strict=True), 0, 100, False),
    ],
)
def test_budget(budget, bad, judged, exceeded):
    """More than one and more than the share, counted over the run; a server that fails is one too many."""
    assert budget.exceeded(bad, judged) is exceeded


def test_earlier_waves_count():
    """By the last judgement of each host; who was skipped or lost was not judged."""
    ends = {"c1": "promoted", "c2": "reverted", "c3": "failed", "c4": "skipped", "c5": "unreachable"}
    gate = {"hosts": {host: {"outcome": end} for host, end in ends.items()}}
    assert _gate.earlier({**dict.fromkeys(ends, gate), "c6": {"hosts": {}}}) == (3, 2)


def test_one_silent_client_of_many_is_reverted_alone():
    """Data, not a verdict on five hundred (field: A18)."""
    first = _gate.judge("wave", {f"c{n}": STEPPED for n in range(20)})
    judgement = _gate.judge_measured("wave", first, GOOD, {"c3": {"reasons": ["timed out"]}}, {})
    assert (judgement.verdict, judgement.revert, len(judgement.stepped)) == ("promote", ["c3"], 19)
    assert judgement.hosts["c3"] == {"outcome": "reverted", "reasons": ["timed out"]}
    assert "c3: timed out" in judgement.msg


@pytest.mark.parametrize(("canary", "verdict"), [(False, "promote"), (True, "roll_back")])
def test_all_of_a_small_wave_were_bad(canary, verdict):
    """A wave of one bad client is reverted and the run goes on; a canary like that stops it (field: A15)."""
    first = _gate.judge("wave", {"c1": STEPPED})
    bad = {"verdict": "roll_back", "reasons": ["1 of 1"], "revert": ["c1"], "hosts": {"c1": {"reasons": ["late"]}}}
    judgement = _gate.judge_measured("wave", first, bad, {}, {}, canary=canary)
    assert (judgement.verdict, judgement.revert, judgement.stepped) == (verdict, ["c1"], [])
    assert judgement.hosts["c1"] == {"outcome": "reverted", "reasons": ["late"]}


def test_bad_clients_add_up_over_the_run():
    """One here and one there are two, and more than a tenth of few."""
    first = _gate.judge("wave", {"c1": STEPPED, "c2": STEPPED, "c3": FAILED})
    after = {**GOOD, "revert": ["c2"], "hosts": {"c2": {"reasons": ["late"]}}}
    assert first.verdict == "promote"
    assert _gate.judge_measured("wave", first, after, {}, {}).verdict == "roll_back"
    alone = _gate.judge("wave", {"c1": STEPPED, "c2": STEPPED})
    assert _gate.judge_measured("wave", alone, after, {}, {}).verdict == "promote"
    assert _gate.judge_measured("wave", alone, after, {}, {}, budget=_gate.Budget(bad=1)).verdict == "roll_back"
