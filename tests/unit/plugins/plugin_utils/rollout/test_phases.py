# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks returned for the hosts of a wave, and what that makes of them."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _phases, _lines
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import Host, Wave

STEPPED = {"outcome": "stepped", "reasons": []}
SKIPPED = {"outcome": "skipped", "reasons": ["no_cookie: ss1 port 8388"]}
UNPROVEN = {"outcome": "failed", "reasons": ["the tunnel is silent"]}
FAILED = {"failed": True, "msg": "ss-local@main.service does not come up"}
UNREACHABLE = {"unreachable": True, "msg": "ssh"}
PLAIN = {"outcome": "plain", "reasons": []}
CONFIRMED = {"outcome": "confirmed", "reasons": []}
GOOD = {"verdict": "promote", "reasons": ["fine"], "summary": "gains 50 ms", "measured": True}
WORSE = {"verdict": "revert", "reasons": ["worse: late"], "summary": "14 of 15 late", "measured": True}
OPEN = {"verdict": "inconclusive", "reasons": ["no data"], "summary": "", "measured": True}
UNHEARD = {**OPEN, "measured": False}
QUIET = {"restarts": 0, "counters": {}}


def wave(outcomes=("", "", ""), side="client"):
    """Hosts c1, c2, … of a wave."""
    return Wave(
        side=side, kind="wave", name="wave 1", hosts={f"c{n}": Host(outcome) for n, outcome in enumerate(outcomes, 1)}
    )


def ends(one):
    """The outcomes by host."""
    return {name: host.outcome for name, host in one.hosts.items()}


def test_measured_before():
    """Who is worse with it, or cannot be compared, does not make the step; who has it on leaves it then."""
    one = wave([""] * 8)
    findings = {
        "c1": GOOD,
        "c2": WORSE,
        "c3": UNHEARD,
        "c4": WORSE,
        "c5": UNHEARD,
        "c6": OPEN,
        "c7": UNHEARD,
        "c8": GOOD,
    }
    _phases.unreachable_before(one, {"c5": UNREACHABLE})
    _phases.measured_before(one, findings, ["c4", "c7", "c8"])
    assert ends(one) == {
        "c1": "",
        "c2": "skipped",
        "c3": "skipped",
        "c4": "reverted",
        "c5": "unreachable",
        "c6": "",
        "c7": "inconclusive",
        "c8": "",
    }
    assert (one.revert, one.remember) == (["c4", "c7"], ["c4"])
    assert one.hosts["c2"].because() == "14 of 15 late"
    assert one.hosts["c1"].said == "gains 50 ms"
    assert not one.hosts["c5"].since_step


def test_unreachable_before_the_step():
    """Whatever its step returned, it is not lost by it, and no budget counts it."""
    one = wave(["", "", "skipped"], side="server")
    _phases.unreachable_before(one, dict.fromkeys(one.hosts, UNREACHABLE))
    _phases.stepped(one, {"c1": UNREACHABLE}, check=False, final=False)
    assert ends(one) == {"c1": "unreachable", "c2": "unreachable", "c3": "skipped"}
    assert (one.verdict, one.stop, one.total.lost) == ("promote", False, 0)
    assert _lines.closed(one)[0] == "  passed over: nobody in it was promoted"


@pytest.mark.parametrize(
    ("result", "outcome", "reason"),
    [
        (STEPPED, "stepped", ""),
        ({**STEPPED, "outcome": "confirmed"}, "stepped", ""),
        (SKIPPED, "skipped", "no_cookie: ss1 port 8388"),
        (UNPROVEN, "failed", "the tunnel is silent"),
        (FAILED, "failed", "ss-local@main.service does not come up"),
        ({"failed": True}, "failed", "the task failed"),
        (None, "failed", "nothing was returned"),
        (UNREACHABLE, "unreachable", "lost in its step"),
    ],
)
def test_stepped(result, outcome, reason):
    """Each host is named with why; what failed is taken back."""
    one = wave(["", ""])
    _phases.stepped(one, {"c1": result, "c2": STEPPED}, check=False, final=False)
    assert ends(one) == {"c1": outcome, "c2": "stepped"}
    assert reason in "; ".join(one.hosts["c1"].reasons)
    assert one.revert == (["c1"] if outcome == "failed" else [])
    assert one.remember == (["c1"] if result is UNPROVEN else [])
    assert one.hosts["c1"].since_step == (outcome == "unreachable")
    assert one.verdict == ""


def test_step_that_decides():
    """Too many bad or lost, nobody left, or nothing to be measured after it."""
    for results, final, verdict in (
        ([FAILED, FAILED, STEPPED], False, "roll_back"),
        ([UNREACHABLE, UNREACHABLE, STEPPED], False, "inconclusive"),
        ([SKIPPED] * 3, False, "promote"),
        ([STEPPED] * 3, True, "promote"),
    ):
        one = wave()
        _phases.stepped(one, dict(zip(one.hosts, results)), check=False, final=final)
        assert one.verdict == verdict


def test_hosts_that_were_settled_before_their_step():
    """They made none, whatever is registered for them."""
    one = wave(["skipped", ""])
    _phases.stepped(one, {"c1": {"skipped": True}, "c2": STEPPED}, check=False, final=False)
    assert ends(one) == {"c1": "skipped", "c2": "stepped"}


@pytest.mark.parametrize(
    ("canary", "result", "verdict"),
    [
        (True, SKIPPED, "inconclusive"),
        (True, {"outcome": "planned", "reasons": []}, "promote"),
        (False, SKIPPED, "promote"),
    ],
)
def test_check_mode_of_a_canary(canary, result, verdict):
    """A plan that would stop there says so: nobody is left of it."""
    one = wave([""])
    one.canary = canary
    _phases.stepped(one, {"c1": result}, check=True, final=True)
    assert (one.verdict, one.stop) == (verdict, verdict != "promote")


def test_check_mode_only_plans():
    """A plan is no failure, and takes nothing back."""
    one = wave()
    results = {"c1": {"outcome": "planned", "reasons": []}, "c2": {"skipped": True}, "c3": SKIPPED}
    _phases.stepped(one, results, check=True, final=True)
    assert (one.verdict, ends(one)) == ("promote", {"c1": "planned", "c2": "planned", "c3": "skipped"})


def judged(one, hosts, answers=None, servers=None, shared=("promote", []), measure=None):
    """The wave after its measurement."""
    judgement = {"hosts": hosts, "shared": shared, "measure": measure or {}}
    _phases.measured_after(one, judgement, answers or {}, servers or {})
    return one.verdict


def test_bad_client_leaves_and_the_others_go_on():
    """Named with its figure, and remembered."""
    one = wave(["stepped"] * 3)
    assert judged(one, {"c1": GOOD, "c2": WORSE, "c3": GOOD}) == "promote"
    assert ends(one) == {"c1": "promoted", "c2": "reverted", "c3": "promoted"}
    assert (one.confirm, one.revert, one.remember) == (["c1", "c3"], ["c2"], ["c2"])
    assert (one.hosts["c1"].because(), one.hosts["c2"].because()) == ("gains 50 ms", "14 of 15 late")


def test_silent_service_is_reverted_alone():
    """Requests through the running client prove that it works; one that does not is data, not a verdict (A18)."""
    one = wave(["stepped"] * 20)
    assert judged(one, dict.fromkeys(one.hosts, GOOD), {"c3": {"reasons": ["timed out"]}}) == "promote"
    assert one.hosts["c3"].because().startswith("timed out")  # however well it was measured
    assert (one.revert, len(one.confirm)) == (["c3"], 19)


@pytest.mark.parametrize("side", ["client", "server"])
def test_worse_together(side):
    """Each of the clients is remembered, or a nightly run would try them for ever; one that only goes along is not."""
    one = wave(["stepped"] * 3, side)
    assert judged(one, dict.fromkeys(one.hosts, GOOD), shared=("roll_back", ["worse together"])) == "roll_back"
    assert (one.revert, one.remember) == (list(one.hosts), list(one.hosts) if side == "client" else [])
    along = wave(["stepped"] * 3)
    assert judged(along, {"c1": GOOD, "c2": WORSE, "c3": WORSE}) == "roll_back"
    assert (along.revert, along.remember) == (["c2", "c3", "c1"], ["c2", "c3"])


def test_undecided_client_goes_alone():
    """Plain again, and left to the next run; it is not remembered as bad."""
    one = wave(["stepped"] * 3)
    assert judged(one, {"c1": GOOD, "c2": OPEN, "c3": GOOD}) == "promote"
    assert (one.hosts["c2"].outcome, one.revert, one.remember) == ("inconclusive", ["c2"], [])


def test_client_of_which_the_judge_says_nothing():
    """No data is never a pass."""
    one = wave(["stepped"] * 2)
    assert judged(one, {"c1": GOOD}) == "promote"
    assert (one.hosts["c2"].outcome, one.confirm, one.revert) == ("inconclusive", ["c1"], ["c2"])


def test_judge_that_is_not_done():
    """Nobody can be asked again: nobody is promoted."""
    one = wave(["stepped"] * 2)
    assert judged(one, dict.fromkeys(one.hosts, GOOD), measure={"c2": 20}) == "inconclusive"
    assert (one.confirm, one.revert) == ([], ["c1", "c2"])


def test_lost_since_the_step():
    """It is not passed, and not taken back from here."""
    one = wave(["stepped"] * 3)
    assert judged(one, {"c1": OPEN, "c2": GOOD, "c3": GOOD}, {"c1": UNREACHABLE}) == "promote"
    assert (one.hosts["c1"].outcome, one.hosts["c1"].since_step, one.revert) == ("unreachable", True, [])
    one = wave(["stepped"] * 3)
    assert judged(one, {"c3": GOOD}, {"c1": UNREACHABLE, "c2": UNREACHABLE}) == "inconclusive"
    assert (one.hosts["c3"].outcome, one.revert) == ("inconclusive", ["c3"])


@pytest.mark.parametrize(
    ("servers", "shared", "verdict", "why"),
    [
        ({"ss1": QUIET}, ("promote", ["fine together"]), "promote", None),
        (
            {"ss1": {**QUIET, "restarts": 1}},
            ("promote", []),
            "roll_back",
            "ss1: its service was restarted or is gone since the step",
        ),
        (
            {"ss1": {**QUIET, "against": ["ss1: nothing answers on port 8388 any more"]}},
            ("promote", []),
            "roll_back",
            "ss1: nothing answers on port 8388 any more",
        ),
        ({"ss1": None}, ("promote", []), "inconclusive", "ss1: it cannot be reached any more"),
        ({"ss1": QUIET}, ("roll_back", ["worse together"]), "roll_back", "worse together"),
        ({"ss1": QUIET}, ("inconclusive", ["no data"]), "inconclusive", "no data"),
    ],
)
def test_what_concerns_all(servers, shared, verdict, why):
    """What happened to a server, and the clients together."""
    one = wave(["stepped"])
    assert judged(one, {"c1": GOOD}, servers=servers, shared=shared) == verdict
    assert why is None or why in one.why[0]


def test_batch_of_servers_is_judged_by_others():
    """What is said of a witness says nothing of a server, even where one host is both."""
    one = wave(["stepped"] * 2, side="server")
    assert judged(one, {"w1": OPEN, "c1": WORSE, "c2": OPEN}, servers={"c1": QUIET, "c2": QUIET}) == "promote"
    assert (one.confirm, one.revert) == (["c1", "c2"], [])


def test_figures_of_servers_are_told():
    """Those of a batch are its own, one line each."""
    one = wave(["stepped"] * 2, side="server")
    judged(one, {}, servers={"c1": {**QUIET, "said": "took 12"}, "c2": QUIET})
    assert [host.because() for host in one.hosts.values()] == ["took 12", ""]


def test_servers_that_are_lost_since_their_step():
    """The budget decides: one may be, and nothing is promoted of it; of a wave of clients, it is what nobody knows."""
    for hosts, verdict in ((1, "promote"), (2, "inconclusive")):
        one = wave(["stepped"] * hosts, side="server")
        gone = list(one.hosts)
        assert judged(one, {}, dict.fromkeys(gone, UNREACHABLE), dict.fromkeys(gone)) == verdict
        assert set(ends(one).values()) == {"unreachable"}
        assert (one.confirm, one.revert, one.total.lost) == ([], [], hosts)
    one = wave(["stepped", "unreachable"])  # c2 is a server as well
    assert judged(one, {"c1": GOOD}, servers={"c2": None}) == "inconclusive"


def test_closed():
    """Promoted is who was confirmed; plain is who was proven so."""
    one = wave(["promoted", "promoted", "reverted", "reverted", "inconclusive", "promoted"])
    one.verdict, one.confirm, one.revert = "promote", ["c1", "c2", "c6"], ["c3", "c4", "c5"]
    confirmed = {
        "c1": CONFIRMED,
        "c2": UNREACHABLE,
        "c6": {"outcome": "failed", "reasons": ["disk full"]},
    }
    reverted = {"c1": {"skipped": True}, "c3": PLAIN, "c4": UNPROVEN, "c5": UNREACHABLE, "c6": PLAIN}
    _phases.closed(one, confirmed, reverted)
    assert ends(one) == {
        "c1": "promoted",
        "c2": "unreachable",
        "c3": "reverted",
        "c4": "failed",
        "c5": "unreachable",
        "c6": "reverted",
    }
    assert one.hosts["c4"].reasons[0] == "not proven plain: the tunnel is silent"
    assert one.hosts["c5"].since_step
    assert one.hosts["c6"].reasons == ["could not be made to last: disk full"]
    assert (one.verdict, one.stop) == ("roll_back", True)  # three bad of six


def test_one_that_could_not_be_confirmed_does_not_stop_the_run():
    """It is taken back and named."""
    one = wave(["promoted"] * 2)
    one.verdict, one.confirm = "promote", ["c1", "c2"]
    _phases.closed(one, {"c1": CONFIRMED, "c2": FAILED}, {"c2": PLAIN})
    assert (one.verdict, one.stop, one.hosts["c2"].outcome) == ("promote", False, "reverted")


@pytest.mark.parametrize("canary", [True, False])
def test_guard_acts_before_the_confirmation(canary):
    """The host took it off by itself and proved it plain: reverted, with its reason, and counted like any other."""
    one = wave(["promoted"] * 2)
    one.canary, one.verdict, one.confirm = canary, "promote", ["c1", "c2"]
    taken = {"outcome": "reverted", "reasons": ["ss-local@main.service: taken off by the guard at noon: SYNs get lost"]}
    _phases.closed(one, {"c1": CONFIRMED, "c2": taken}, {"c2": PLAIN})
    assert ends(one) == {"c1": "promoted", "c2": "reverted"}
    assert one.hosts["c2"].reasons == taken["reasons"]
    assert not one.stop
    two = wave(["promoted"] * 2)
    two.canary, two.verdict, two.confirm = canary, "promote", ["c1", "c2"]
    _phases.closed(two, {"c1": taken, "c2": taken}, {"c1": PLAIN, "c2": PLAIN})
    assert (two.verdict, two.stop) == ("roll_back", True)


def test_lost_on_the_way_to_last():
    """Hosts that get lost while they are confirmed or taken back count for the budget of the run, too."""
    one = wave(["promoted"] * 2 + ["reverted"])
    one.verdict, one.confirm, one.revert = "promote", ["c1", "c2"], ["c3"]
    _phases.closed(one, {"c1": CONFIRMED, "c2": UNREACHABLE}, {"c3": UNREACHABLE})
    assert (one.verdict, one.stop, one.hosts["c1"].outcome) == ("inconclusive", True, "promoted")
    assert one.why == ["2 hosts were lost since their step (c2, c3): too many"]
    assert "  inconclusive: what was promoted stays, and the run stops here" in _lines.closed(one)


@pytest.mark.parametrize(("result", "verdict"), [(FAILED, "roll_back"), (UNREACHABLE, "inconclusive")])
@pytest.mark.parametrize("canary", [True, False])
def test_canary_that_cannot_be_made_to_last(result, verdict, canary):
    """Nobody of it was promoted, so nothing was learnt: the run stops, where it goes on after another wave."""
    one = wave(["promoted"])
    one.canary, one.verdict, one.confirm = canary, "promote", ["c1"]
    _phases.closed(one, {"c1": result}, {"c1": PLAIN})
    assert (one.verdict, one.stop) == ((verdict, True) if canary else ("promote", False))
    assert not canary or "no canary is left" in one.why[0]


@pytest.mark.parametrize(
    ("c2", "now"),
    [
        (PLAIN, "plain TCP again, and"),
        (FAILED, "not all of it is proven plain (c2), and"),
        (UNREACHABLE, "not all of it is proven plain (c2), and"),
    ],
)
def test_what_was_not_proven_is_not_called_plain(c2, now):
    """A wave went back; what runs on a host of it is not known."""
    one = wave(["stepped", "stepped"])
    one.decide(against=["late"])
    _phases.closed(one, {}, {"c1": PLAIN, "c2": c2})
    assert _lines.closed(one)[0] == f"  roll_back: {now} the run stops here"


@pytest.mark.parametrize("outcome", ["skipped", "refused", "unreachable", ""])
def test_nobody_made_the_step(outcome):
    """So nothing is plain `again`: a canary whose hosts are all kept from their step, or do not answer before it."""
    one = wave([outcome, outcome])
    one.canary = True
    one.conclude()
    assert _lines.closed(one)[0] == "  inconclusive: nobody made the step, and the run stops here"
    assert _lines.told(one) == "is undecided, nobody made the step, and the run stops"


@pytest.mark.parametrize("outcome", ["reverted", "inconclusive"])
def test_who_had_made_the_step_is_plain_again(outcome):
    """Also where others made none."""
    one = wave(["skipped", outcome])
    one.conclude(unknown=["late"])
    assert _lines.closed(one)[0] == "  inconclusive: plain TCP again, and the run stops here"
    assert _lines.told(one) == "is undecided, and the run stops"


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        (["reverted", "reverted"], "was rolled back, and the run stops"),
        (["promoted", "failed"], "is bad, what was promoted stays, and the run stops"),
        (["reverted", "failed"], "was rolled back, not all of it is proven plain (c2), and the run stops"),
    ],
)
def test_what_is_told_of_a_wave_that_went_back(outcomes, told):
    """It is not called rolled back where it was not."""
    one = wave(outcomes)
    one.conclude(against=["late"])
    assert _lines.told(one) == told


@pytest.mark.parametrize(("outcome", "told"), [("promoted", "is done"), ("skipped", "is passed over")])
def test_what_is_told_of_a_wave_that_goes_on(outcome, told):
    """Whether anybody in it was promoted."""
    one = wave([outcome])
    one.conclude()
    assert _lines.told(one) == told
