# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wave has measured, and what the judge is asked about it."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._measured import Measured
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import Host, Wave

SERVICES = [{"unit": "u", "restarts": 5, "state": "active"}]


def look(verdict="no_cookie", taken=0, counted=0):
    """What tfo_host returned: what its loopback and its port said, how many SYNs with data it sent, and a counter."""
    return {
        "fastopen": {"counters": {"TCPFastOpenPassive": counted}, "loopback": {"ipv4": verdict, "ipv6": "unavailable"}},
        "services": SERVICES,
        "paths": [path(verdict, taken)],
    }


def path(verdict, taken):
    """A probed path."""
    attempts = [{"syn_data": number < taken} for number in range(4)]
    return {"host": "127.0.0.1", "port": 8388, "verdict": verdict, "attempts": attempts}


def arm(requests, ms):
    """Requests that were all answered."""
    return {"ok": requests, "failed": 0, "ttfb_ms": [ms + n % 3 for n in range(requests)], "counters": {}}


def result(plain=200.0, fast=100.0, requests=20):
    """What tfo_tunnel returned; with SYN data taken."""
    taken = {**arm(requests, fast), "counters": {"TCPFastOpenActive": requests}}
    return {"plain": arm(requests, plain), "fast_open": taken, "network": "", "saved_ms": 1}


GONE = {"unreachable": True, "msg": "ssh"}
NOTHING = {"plain": arm(0, 0), "fast_open": arm(0, 0)}


class Run:
    """The run: its policy, and what is registered for each host."""

    policy = Policy(requests=20)
    plan = {"witnesses": {"ss1": ["w"]}}

    def __init__(self, registered=(), proven=()):
        self.registered, self.proven = registered, proven

    def measurements(self, wave):
        """One by one."""
        yield from self.registered

    def proofs(self, _wave):
        """What other hosts have proven."""
        return {"results": list(self.proven)}


def wave(side="client", ask=None, watch=None, outcome="stepped"):
    """A wave of one."""
    host = "c1" if side == "client" else "ss1"
    return Wave(side, "wave", "wave 1", {host: Host(outcome)}, ask=ask or {}, watch=watch or {})


def ask(host, *servers):
    """A question."""
    return {"host": host, "servers": list(servers), "requests": 20}


def test_rounds_and_looks_are_kept():
    """Of a measurement what the judge reads; of a server its counters and services, or whether it was not reached."""
    asked = wave(ask={"c1": [ask("c1")]}, watch={"c1": ["ss1", "ss2"]})
    requests = {"results": [{**result(), "__rollout_ask": ask("c1")}]}
    looks = {"results": [{**look(), "__rollout_server": "ss1"}, {**GONE, "__rollout_server": "ss2"}]}
    measured = Measured()
    measured.hear_before(Run([("c1", requests, looks)]), asked)
    assert set(measured.before["c1"][0]) == {"plain", "fast_open", "network"}
    seen = {
        "counters": {"TCPFastOpenPassive": 0},
        "services": SERVICES,
        "own": 0,
        "paths": [{"port": 8388, "verdict": "no_cookie"}],
        "proven": [],
    }
    assert measured.servers_before == {"ss1": seen, "ss2": {"unreachable": True}}
    measured.hear_after(Run([("c1", requests, looks)]), asked)
    measured.hear_after(Run([("c1", requests, None)]), asked)
    assert len(measured.after["c1"]) == 2
    assert measured.since(asked) == {"ss1": None}  # not seen in the second round
    assert (measured.answers_before(asked), measured.answers(asked)) == (
        {"c1": measured.before["c1"][0]},
        {"c1": measured.after["c1"][-1]},
    )


@pytest.mark.parametrize(
    ("side", "outcome", "known"),
    [
        pytest.param("client", "stepped", {}, id="its clients are judged by their paths"),
        pytest.param("server", "unreachable", {}, id="a server that made no step"),
        pytest.param("server", "stepped", {"ss1": None}, id="a server that made one"),
    ],
)
def test_server_that_was_not_seen_before(side, outcome, known):
    """Whatever it is now, nothing has become of it since, unless it has made the step."""
    measured = Measured(servers_before={"ss1": {"unreachable": True}})
    for now in ({"unreachable": True}, {"counters": {}, "services": []}):
        measured.servers_now = {"ss1": now}
        assert measured.since(wave(side, outcome=outcome)) == known


def test_answers_of_servers():
    """The looks at them; a client of the same name has no part in it."""
    measured = Measured(
        before={"ss1": [result()]}, after={"ss1": [result()]}, servers_before={"ss1": GONE}, servers_now={"ss1": GONE}
    )
    assert measured.answers_before(wave("server")) == measured.answers(wave("server")) == {"ss1": GONE}


def test_question_that_got_no_answer_is_trouble():
    """The task failed as a whole: its message is that of everybody it was to ask."""
    measured = Measured()
    measured.hear_before(Run([("c1", {"failed": True, "msg": "undefined"}, None)]), wave(ask={"c1": [ask("c1")]}))
    assert measured.before == {"c1": [{"failed": True, "msg": "undefined"}]}
    assert measured.findings_before(Run(), wave())["c1"]["measured"] is False


@pytest.mark.parametrize(
    ("name", "restarts"),
    [
        ("/run/systemd/system/u.service.d/zz-fastopen.conf", 1),
        ("u.service", 1),
        ("net.ipv4.tcp_fastopen", 0),
        ("/run/systemd/system/su.service.d/zz-fastopen.conf", 0),
    ],
)
def test_restart_by_the_step_is_no_restart(name, restarts):
    """systemd counts from there, and what is told of it names the restart; of a unit that the step leaves alone it goes on
    counting."""
    was, now = ({"unit": "u.service", "restarts": number, "state": "active"} for number in (5, 1 if restarts else 5))
    measured = Measured(servers_before={"ss1": {"counters": {}, "services": [was]}})
    step = {"changed": True, "differs": [{"what": "x", "name": name, "why": "x"}]}
    measured.stepped({"ss1": step, "ss2": {"changed": False, "differs": []}, "ss9": step, "ss8": None})
    measured.servers_now = {"ss1": {"counters": {}, "services": [now]}}
    assert measured.since(wave())["ss1"]["restarts"] == restarts
    assert measured.servers_before["ss1"].get("restarted", False) == bool(restarts)


def test_clients_before_their_step():
    """Each by itself."""
    measured = Measured(before={"c1": [result()], "c2": [GONE]})
    both = Wave("client", "wave", "wave 1", {"c1": Host(), "c2": Host()})
    findings = measured.findings_before(Run(), both)
    assert [(one["verdict"], one["measured"]) for one in findings.values()] == [
        ("promote", True),
        ("inconclusive", False),
    ]
    assert findings["c1"]["summary"].startswith("gains 100.0 ms")
    assert Measured().findings_before(Run(), both) == {}


def test_clients_after_it():
    """All rounds together, and the pool as what they share."""
    measured = Measured(after={"c1": [result()]})
    judgement = measured.judgement(Run(), wave(), last=True)
    assert (judgement["hosts"]["c1"]["verdict"], judgement["shared"][0]) == ("promote", "promote")


@pytest.mark.parametrize(
    ("before", "after", "verdict", "said"),
    [
        pytest.param({"w": [result()]}, {"w": [result()]}, "promote", "shown, not judged", id="no control"),
        pytest.param(
            {"w": [result()], "k to ss2": [result()]},
            {"w": [result(plain=600.0)], "k to ss2": [result()]},
            "roll_back",
            "plain traffic is worse",
            id="beyond its control",
        ),
        pytest.param(
            {"w": [result()], "k to ss2": [result()]},
            {"w": [result(plain=600.0)], "k to ss2": [result(plain=600.0)]},
            "promote",
            "fine",
            id="so is its control (A16)",
        ),
        pytest.param(
            {"w": [NOTHING]},
            {"w": [result()]},
            "promote",
            "no managed client can tell of these servers: whether",
            id="nobody before",
        ),
        pytest.param({"w": [result()]}, {"w": [GONE]}, "inconclusive", "cannot be asked any more", id="nobody after"),
        pytest.param(
            {"w": [result()], "v": [result()]},
            {"w": [GONE], "v": [result()]},
            "promote",
            "w: it cannot be asked any more, and witnesses no longer",
            id="one is gone",
        ),
    ],
)
def test_batches_by_their_witnesses(before, after, verdict, said):
    """A witness that is gone is no evidence against the servers, as long as another one is left."""
    judgement = Measured(before=before, after=after).judgement(Run(), wave("server"), last=True)
    assert judgement["shared"][0] == verdict
    assert said in "; ".join(judgement["shared"][1])


def test_probes_of_our_own_are_counted_out():
    """Those of the step, of other hosts, and of each look but the last one's to its ports, which come after its counters."""
    one = Wave("server", "batch", "batch 1", {"ss1": Host("stepped")}, watch={"ss1": ["ss1"]})
    measured = Measured()
    seen = {"results": [{**look(counted=10), "__rollout_server": "ss1"}]}
    measured.hear_before(Run([("ss1", None, seen)]), one)
    measured.stepped({"ss1": {"changed": True, "paths": [path("fast_open", 3)]}})
    prover = {"host": "ss2", "servers": {"ss1": [{"host": "127.0.0.1", "port": 8388}]}}
    proven = [{"paths": [path("fast_open", 2)], "__rollout_prover": prover}]
    for counted, taken in ((10 + 3 + 2 + 1 + 7, 7), (10 + 3 + 2 + 1 + 3 + 2 + 1 + 9, 9)):
        seen = {"results": [{**look("fast_open", 3, counted), "__rollout_server": "ss1"}]}
        measured.hear_after(Run([("ss1", None, seen)], proven), one)
        said = measured.since(one)["ss1"]["said"]
        assert said == (
            f"took {taken} SYNs with data, refused 0, queue overflow 0; from ss2 to port 8388: SYN data is taken"
        )


def test_server_without_a_client_in_a_batch():
    """The others are judged by their clients; of this one it is said what nobody knows."""
    batch = Wave("server", "batch", "batch 1", {"ss1": Host("stepped"), "ss2": Host("stepped")})
    judgement = Measured(before={"w": [result()]}, after={"w": [result()]}).judgement(Run(), batch, last=True)
    assert judgement["shared"][0] == "promote"
    assert judgement["shared"][1][-1].startswith("ss2: no managed client: whether their clients lose SYNs with data")
