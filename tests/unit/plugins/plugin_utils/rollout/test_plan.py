# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a rollout, from looks."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _plan

FILE = {"what": "file", "name": "/x", "why": "is missing"}
BITS = {"what": "kernel", "name": "net.ipv4.tcp_fastopen", "why": "is 1, not 3"}
LOCAL = "/etc/sysctl.d/local.conf"


def look(
    side="client",
    *,
    done=False,
    differs=(),
    actual="off",
    paths=(),
    kernel=True,
    deployed="yes",
    step=(),
    skipped=(),
    boot=None,
    listeners=(),
    problems=(),
):
    """What tfo_host returned."""
    return {
        "side": side,
        "done": done,
        "differs": list(differs),
        "stage": {"actual": actual},
        "paths": list(paths),
        "deployed": deployed,
        "step": {"outcome": "skipped" if skipped else "planned", "differs": list(step)},
        "reasons": list(skipped),
        "listeners": list(listeners),
        "fastopen": {
            "sysctl": {"value": 1} if kernel else None,
            "boot": {"file": boot},
            "counters": {},
            "problems": list(problems),
        },
    }


def path(verdict, *servers, port=8388):
    """A probed path to these servers."""
    return {"host": "192.0.2.1", "port": port, "verdict": verdict, "server_hosts": list(servers)}


@pytest.mark.parametrize(
    ("seen", "line"),
    [
        (look("server", done=True, actual="accept"), "h  server  accept already, confirmed"),
        (look("client", done=True, actual="send"), "h  client  send already, confirmed"),
        (look("server"), "h  server  off -> accept, to be proven"),
        (look("client", step=[FILE]), "h  client  off -> send, /x is missing"),
        (
            look("server", step=[BITS, FILE], actual="broken"),
            "h  server  broken -> accept, net.ipv4.tcp_fastopen is 1, not 3; /x is missing",
        ),
        (look("client", deployed="no", differs=[FILE]), "h  client  off -> send, deployed plain first"),
        (look("client", skipped=["no_cookie: ss1"]), "h  client  off -> send, skipped: no_cookie: ss1"),
        (
            look("server", step=[FILE], boot=LOCAL),
            f"h  server  off -> accept, /x is missing; {LOCAL} stays as it is and decides at boot",
        ),
        (
            look("server", step=[BITS, {**FILE, "name": LOCAL, "why": "has no line"}], boot=LOCAL),
            "h  server  off -> accept, net.ipv4.tcp_fastopen is 1, not 3; /etc/sysctl.d/local.conf has no line",
        ),
    ],
)
def test_line(seen, line):
    """What is done to a side of a host."""
    assert _plan.lines({"h": [seen]}, {}) == ["Plan", f"  -  {line}"]


def test_lines_are_aligned():
    """One a side; a host may have both."""
    lines = _plan.lines({"longname": [look("server"), look("client")], "c1": [look("client", done=True)]}, {})
    assert [line.index(word) for line, word in zip(lines[1:], ["server", "client", "client"])] == [15, 15, 15]
    assert _plan.lines({}, {}) == ["Plan"]


def test_waves_are_named_with_their_hosts():
    """Who comes when."""
    seen = {"ss1": [look("server")], "ss2": [look("server")]}
    assert _plan.lines(seen, {"batch 1": ["ss2"], "batch 2": ["ss1"]}) == [
        "Plan",
        "  batch 1  ss2  server  off -> accept, to be proven",
        "  batch 2  ss1  server  off -> accept, to be proven",
    ]


SSH = {"address": "0.0.0.0", "port": 22, "program": "sshd", "unit": "ssh.service"}
HIDDEN = {"address": "::1", "port": 25, "program": "", "unit": ""}


def test_who_else_will_accept():
    """By host with a step to make."""
    looks = {
        "ss1": [look("server", listeners=[SSH, HIDDEN])],
        "ss2": [look("server", listeners=[SSH], done=True)],
        "ss3": [look("server", listeners=[SSH], skipped=["plugin"])],
        "ss4": [look("server")],
    }
    assert _plan.listeners(looks) == {
        "ss1": "bit 0x400 is for all: from its next start on SYN data is accepted by sshd on 0.0.0.0 port 22"
        " (ssh.service), a process on ::1 port 25"
    }


SPOOFED, UNKNOWN = (
    {"code": code, "severity": "warning", "message": f"{code} is set.", "remedy": "Clear it."}
    for code in ("accept_without_cookie_without_accept", "unknown_bits")
)


def test_bits_set_by_hand_that_do_away_with_cookies():
    """A server's step makes its 0x200 take effect; of a host that makes none, or of a client, it is audit's."""
    looks = {
        "ss1": [look("server", problems=[UNKNOWN, SPOOFED])],
        "ss2": [look("server", done=True, problems=[SPOOFED])],
        "ss3": [look("server", skipped=["plugin"], problems=[SPOOFED])],
        "c1": [look("client", problems=[SPOOFED])],
    }
    assert _plan.by_hand(looks) == ["  ss1: accept_without_cookie_without_accept is set. Clear it."]


def test_waves():
    """Cut from those that are left: done and skipped ones are passed, canaries that are skipped are not (field: B6)."""
    looks = {
        "ss1": [look("server", skipped=["plugin"])],
        "ss2": [look("server")],
        "ss3": [look("server"), look(done=True)],
        "c1": [look(skipped=["no_cookie"])],
        **{f"c{number}": [look()] for number in range(2, 6)},
        "c6": [look(skipped=["no_cookie"])],
    }
    passed = _plan.passed(looks, ["c1", "ss1"])
    assert passed == {"ss1": ["server"], "ss3": ["client"], "c6": ["client"]}
    assert _plan.waves(looks, passed, ["c1"], [1], ["50%", "100%"]) == {
        "batch 1": ["ss2"],
        "batch 2": ["ss3"],
        "canary": ["c1"],
        "wave 1": ["c2", "c3"],
        "wave 2": ["c4", "c5"],
    }
    assert _plan.waves({"c1": [look(done=True)]}, {"c1": ["client"]}, ["c1"], [1], [1]) == {}


@pytest.mark.parametrize(
    ("seen", "done"),
    [
        ([look(done=True)], True),
        ([look("server", done=True), look()], False),
        ([look()], False),
        ([{**look(deployed="differs"), "stage": {"state": "confirmed"}}], True),
        ([{**look(deployed="differs"), "stage": {"state": "plain"}}], False),
    ],
)
def test_canary_done(seen, done):
    """By an earlier run, and as a client; one that waits for a deployment runs on as it was promoted."""
    assert _plan.canary_done({"c1": seen, "c2": [look(done=True)]}, ["c1"]) is done


@pytest.mark.parametrize(
    ("paths", "in_play", "asked"),
    [
        pytest.param([path("fast_open", "ss1")], [], [], id="a good path answers by itself"),
        pytest.param([path("no_cookie", "ss1")], ["ss1"], [], id="the server is in the play"),
        pytest.param([path("no_cookie")], [], [], id="an outside server cannot be asked"),
        pytest.param([path("no_cookie", "ss1")], ["ss2"], ["ss1"], id="a server outside of the play"),
        pytest.param([path("syn_dropped", "ss2", "ss1")], [], ["ss1", "ss2"], id="two on one address"),
    ],
)
def test_questions(paths, in_play, asked):
    """Only a server outside of the play whose client got no fast open."""
    found = _plan.questions({"c1": [look(paths=paths)]}, in_play).get("c1", [])
    assert [one["server"] for one in found] == asked
    assert all(one["clients"] == ["c1"] and one["targets"] == [{"host": "192.0.2.1", "port": 8388}] for one in found)


def test_one_question_for_several_clients():
    """Each target once."""
    looks = {
        "c1": [look(paths=[path("no_cookie", "ss1"), path("no_cookie", "ss1", port=443)])],
        "c2": [look(paths=[path("paused", "ss1")])],
    }
    (question,) = _plan.questions(looks, [])["c1"]
    assert question["clients"] == ["c1", "c2"]
    assert [target["port"] for target in question["targets"]] == [8388, 443]


def test_a_server_probes_itself():
    """Its own paths raise no question."""
    assert _plan.questions({"ss1": [look("server", paths=[path("no_cookie", "ss2")])]}, []) == {}


@pytest.mark.parametrize(
    ("actual", "state", "skipped", "on"),
    [
        ("off", "plain", (), False),
        ("send", "confirmed", (), True),
        ("broken", "confirmed", (), True),
        ("send", "confirmed", ["no_cookie"], True),
        ("send", "plain", (), True),  # its drop-in is gone, and it runs with the flag still
        ("send", "plain", ["its own unit has --fast-open"], False),
    ],
)
def test_client_that_is_on_by_us(actual, state, skipped, on):
    """An earlier run has left it so."""
    seen = look(actual=actual, skipped=skipped)
    seen["stage"]["state"] = state
    assert _plan.is_on_by_us(seen) is on


def uses(*servers):
    """Client instances of these servers."""
    return [{"name": server, "server": server} for server in servers]


def test_witnesses():
    """At most two a server, those of the play first."""
    instances = {"c1": uses("ss1"), "c2": uses("ss1", "ss2"), "c3": uses("ss1"), "c4": []}
    found = _plan.witnesses(["c3", "c1", "c2", "c4"], instances.__getitem__, ["ss1", "ss2", "ss3"])
    assert found == {"ss1": ["c3", "c1"], "ss2": ["c2"], "ss3": []}


def test_no_client_is_looked_at_without_need():
    """Two witnesses are enough; no server, no witness."""
    asked = []

    def instances(name):
        asked.append(name)
        return uses("ss1")

    assert _plan.witnesses(["c1", "c2", "c3"], instances, ["ss1"]) == {"ss1": ["c1", "c2"]}
    assert _plan.witnesses(["c1", "c2"], instances, []) == {}
    assert asked == ["c1", "c2"]


def test_provers():
    """Another host of the run, for servers with a step to make that no client can tell of."""
    looks = {"ss1": [look("server")], "ss2": [look("server")], "ss3": [look("server")], "c1": [look()]}
    found = _plan.provers(
        looks,
        {"ss3": ["server"]},
        {"ss1": ["c1"], "ss2": [], "ss3": [], "ss9": []},
        lambda server, by: [{"host": server, "port": 1}],
    )
    assert found == {"ss2": {"host": "ss1", "targets": [{"host": "ss2", "port": 1}]}}
    alone = {"ss1": [look("server")]}
    assert _plan.provers(alone, {}, {"ss1": []}, lambda *_names: [{}]) == {}
    two = {**alone, "ss2": [look("server")]}
    assert _plan.provers(two, {}, {"ss1": [], "ss2": []}, lambda server, _by: [{}] if server == "ss1" else []) == {
        "ss1": {"host": "ss2", "targets": [{}]}
    }


def test_servers_beside_clients():
    """One server is enough for the clients of its group to be its witnesses."""
    assert _plan.has_server({"c1": [look()], "ss1": [look("server")]})
    assert not _plan.has_server({"c1": [look()]})


def test_senders():
    """Clients whose kernel has 0x1; servers are not asked."""
    able = look() | {"fastopen": {"sysctl": {"value": 3, "send": True}}}
    unable = look() | {"fastopen": {"sysctl": {"value": 2, "send": False}}}
    server = look("server") | {"fastopen": {"sysctl": {"value": 3, "send": True}}}
    assert [_plan.is_sender(one) for one in (able, unable, look(kernel=False), server)] == [True, False, False, False]


def test_client_before_its_server_is_measured():
    """Its path has no cookies yet, for which its look skips it; nobody has taken it off."""
    assert _plan.is_sender(look(skipped=["no_cookie"]) | {"fastopen": {"sysctl": {"value": 3, "send": True}}})


@pytest.mark.parametrize(("skipped", "measured"), [((), True), (["taken off by rollout"], False)])
def test_client_that_was_taken_off_is_not_measured(skipped, measured):
    """Unless it is to be tried again."""
    seen = look(skipped=skipped) | {"fastopen": {"sysctl": {"value": 3, "send": True}}}
    seen["stage"]["undone"] = {"ss-local@main.service": {"by": "rollout"}}
    assert _plan.is_sender(seen) is measured
