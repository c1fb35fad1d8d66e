# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan on the terminal and for the play."""

from __future__ import annotations

import getpass
import os
import re
import socket
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.template import trust_as_template
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_plan
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _end, _journal, _process
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_INSTANCE, SERVER_INSTANCE
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars


def look(side, *, paths=(), differs=(), done=False, outcome="planned", reasons=(), asked=0):
    """What tfo_host returned."""
    return {
        "side": side,
        "done": done,
        "differs": list(differs),
        "foreign": [],
        "reasons": list(reasons),
        "stage": {"intended": "off", "actual": "off"},
        "machine": "",
        "cookie_keys": [],
        "uptime_seconds": 36_000,
        "listeners": [],
        "paths": list(paths),
        "deployed": "yes",
        "step": {"outcome": outcome, "differs": []},
        "fastopen": {
            "sysctl": {"value": 1},
            "boot": {"file": None},
            "problems": [],
            "counters": {"TCPFastOpenCookieReqd": asked},
            "processes": [],
        },
    }


@pytest.fixture
def told(tmp_path):
    """What the door has let in."""
    return {
        "rollout_server_batches": [1],
        "rollout_client_waves": ["50%"],
        "rollout_textfile_directory": "",
        "rollout_report_dir": str(tmp_path / "reports"),
        "rollout_bake_seconds": 300,
        "rollout_probe_requests": 100,
        "rollout_confidence": 0.95,
        "rollout_max_error_share": 0.05,
        "rollout_max_slowdown_ms": 20,
        "rollout_max_reverted_share": 0.1,
        "rollout_accept_unmanaged": False,
    }


def variables(told, **looks):
    """A play over some hosts."""
    hostvars = {
        host: {"__rollout_seen": {"results": seen}, "__rollout_door": {"variables": told}}
        for host, seen in looks.items()
    }
    return {"hostvars": Hostvars(hostvars), "ansible_play_hosts_all": ["ss1", "c1"], "groups": {}, "ansible_forks": 5}


def test_second_rollout_of_one_call(run, told):
    """Imported twice into a playbook: what the first has registered, and its groups, would count for this one."""
    play = variables(told, ss1=[look("server")])
    play["hostvars"]["ss1"]["__rollout_plan"] = {"run": "before"}
    with pytest.raises(
        AnsibleActionFail, match="Nothing was changed:\nthis ansible-playbook has had a rollout already"
    ):
        run(tfo_plan, play, hosts=["ss1"], run="run")


BAD_PATH = {"host": "192.0.2.2", "port": 8388, "verdict": "no_cookie", "server_hosts": ["ss2"]}


def test_plan(run, told):
    """For people and for the play, with what is to be asked of servers outside of it; the journal is begun."""
    fleet = variables(told, ss1=[look("server")], c1=[look("client", paths=[BAD_PATH])])
    fleet["groups"] = {"shadowsocks_servers": ["ss1"], "shadowsocks_clients": ["c1"]}
    result = run(tfo_plan, fleet, hosts=["ss1", "c1"], run="r1")
    assert result["lines"][:-1] == [
        f"Journal: {result['journal']}",
        "Plan",
        "  batch 1  ss1  server  off -> accept, to be proven",
        "  wave 1   c1   client  off -> send, to be proven",
    ]
    assert re.fullmatch(r"  an extra loss of SYNs with data shows from about: wave 1 \d+%", result["lines"][-1])
    assert [question["server"] for question in result["ask"]["c1"]] == ["ss2"]
    assert (result["changed"], result["hosts"], result["passed"], result["busy"]) == (
        False,
        ["ss1", "c1"],
        [],
        ["ss1", "c1"],
    )
    (event,) = _journal.read(result["journal"]).events
    assert (event["step"], event["run"], event["hosts"]) == ("preflight", "r1", ["ss1", "c1"])
    assert (event["waves"], event["refused"]) == ({"batch 1": ["ss1"], "wave 1": ["c1"]}, {})
    assert event["limit"] == ""
    assert event["who"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert (event["sides"], event["also"]) == ({"ss1": ["server"], "c1": ["client"]}, {})
    assert event["lease_seconds"] == result["lease_seconds"]
    assert list(event["smallest_harm"]) == ["wave 1"] and 0 < event["smallest_harm"]["wave 1"] < 0.2
    assert event["limits"] == {name: told[name] for name in tfo_plan.LIMITS}
    assert event["process"] == _process.process(os.getppid())


def test_side_that_was_not_looked_at_is_in_no_wave(run, told):
    """With --limit shadowsocks_servers, on a host that is a client as well."""
    fleet = variables(told, ss1=[look("server")], c1=[look("server")])
    fleet["groups"] = {"shadowsocks_servers": ["ss1", "c1"], "shadowsocks_clients": ["c1"]}
    result = run(tfo_plan, fleet, hosts=["ss1", "c1"], run="r1")
    assert result["passed"] == [{"host": "c1", "side": "client"}]
    assert (result["busy"], result["batches"]) == (["ss1", "c1"], [1, 1])


def test_clients_come_in_the_order_of_their_group(run, told):
    """As their play has them, also one that is a server as well, which the first play has before all of them."""
    fleet = variables(told, b1=[look("server"), look("client")], c1=[look("client")], c2=[look("client")])
    fleet["groups"] = {"shadowsocks_servers": ["b1"], "shadowsocks_clients": ["c1", "b1", "c2"]}
    result = run(tfo_plan, {**fleet, "ansible_play_hosts_all": ["b1", "c1", "c2"]}, hosts=["b1", "c1", "c2"], run="r1")
    (event,) = _journal.read(result["journal"]).events
    assert event["waves"] == {"batch 1": ["b1"], "wave 1": ["c1"], "wave 2": ["b1"], "wave 3": ["c2"]}


def test_busy(run, told):
    """Hosts with a side in a wave, and one that has to ask a server; the others are in the plan all the same."""
    seen = {
        "c1": [look("client", done=True)],
        "c2": [look("client", done=True), look("server")],
        "c3": [look("client", outcome="skipped", paths=[BAD_PATH], reasons=["no benefit"])],
        "c4": [look("client", outcome="skipped", reasons=["no benefit"])],
    }
    fleet = variables(told, **seen)
    fleet["ansible_play_hosts_all"] = list(seen)
    fleet["groups"] = {"canary": ["c4"], "shadowsocks_servers": ["c2"], "shadowsocks_clients": list(seen)}
    result = run(tfo_plan, fleet, hosts=list(seen), run="r1")
    assert (result["busy"], result["hosts"]) == (["c2", "c3", "c4"], list(seen))
    assert result["passed"] == [{"host": host, "side": "client"} for host in ("c1", "c2", "c3")]


def test_nothing_is_written_in_check_mode(run, told):
    """A plan only."""
    result = run(tfo_plan, variables(told, ss1=[look("server")]), check_mode=True, hosts=["ss1"], run="r1")
    assert (result["journal"], result["lines"][0]) == ("", "Plan")
    assert not Path(told["rollout_report_dir"]).exists()


def test_journal_that_cannot_be_begun(run, told, tmp_path):
    """Refused, for nothing has changed yet."""
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(AnsibleActionFail, match="rollout_report_dir: the journal cannot be written"):
        run(tfo_plan, variables(told, ss1=[look("server")]), hosts=["ss1"], run="r1")


def test_lease_waits_for_forks_and_the_longest_measurement(run, told):
    """The bake, and the turns of the largest wave."""
    waves = {f"c{number}": [look("client")] for number in range(40)}
    result = run(tfo_plan, variables(told, **waves), hosts=list(waves), run="r1")
    assert result["lease_seconds"] == 300 + 60 + (20 / 5 + 1) * (20 + 300)


BUILD = {"what": "package", "name": "x", "why": "/usr/bin/ss-local has no --fast-open"}
HELD = {"outcome": "refused", "reasons": ["run r0 holds it: -e rollout_take_over=r0"]}


def test_refused_alone(run, told):
    """A host that cannot be stepped is out of the plan, and the others are in it; where none is left there is no plan, and
    who was lost before is told of as well."""
    fleet = variables(told, c1=[look("client", differs=[BUILD])], c2=[look("client")])
    fleet["ansible_play_hosts_all"] = ["c1", "c2", "c3"]
    fleet["hostvars"]["c3"] = {"__rollout_seen": {"unreachable": True}}
    result = run(tfo_plan, fleet, hosts=["c1", "c2"], run="r1")
    assert result["refused"] == {"c1": "c1: /usr/bin/ss-local has no --fast-open. Nothing was changed on it."}
    assert result["hosts"] == ["c2"]
    with pytest.raises(
        AnsibleActionFail,
        match=r"^c1: /usr/bin/ss-local has no --fast-open. Nothing was changed on it.\n"
        r"Mend .* --limit c1,c3\nReport: /\S+.html$",
    ):
        limited = {"ansible_play_hosts_all": ["c1", "c3"], "ansible_limit": "c1,c3"}
        run(tfo_plan, {**fleet, **limited}, hosts=["c1"], run="r1")
    for journal, waves in zip(sorted(Path(told["rollout_report_dir"]).glob("*.jsonl")), ({"wave 1": ["c2"]}, {})):
        event, *end = _journal.read(str(journal)).events
        amiss = {"c3": f"unreachable: {_end.NOT_REACHED_FIRST}", "c1": "/usr/bin/ss-local has no --fast-open"}
        assert [one["amiss"] for one in end] == ([] if waves else [amiss])
        ended = [(side["host"], side["outcome"]) for one in end for side in one["hosts"]]
        assert ended == ([] if waves else [("c1", "refused"), ("c3", "unreachable")])
        assert (event["step"], event["refused"]) == ("preflight", result["refused"])
        assert event["waves"] == waves
        assert event["limit"] == ("" if waves else "c1,c3")
        assert not waves or [(one["host"], one["outcome"]) for one in event["gone"]] == [("c3", "unreachable")]


def test_kernel_without_fast_open(run, told):
    """It is its own host's trouble, also where that is not deployed yet; whose step is skipped anyhow is not even refused."""
    looks = {"c1": look("client"), "c2": look("client"), "c3": look("client", outcome="skipped", reasons=["plugin"])}
    looks["c1"].update(deployed="no")
    for host in ("c1", "c3"):
        looks[host]["fastopen"]["sysctl"] = None
    result = run(tfo_plan, variables(told, **{host: [one] for host, one in looks.items()}), hosts=list(looks), run="r1")
    assert result["refused"] == {"c1": "c1: this kernel has no TCP Fast Open. Nothing was changed on it."}
    assert result["hosts"] == ["c2", "c3"]


def test_serial_counts_who_is_left(run, told):
    """A host that is refused, or left the run before its plan, is in no wave: `serial` would count it."""
    fleet = variables(told, c1=[look("client", differs=[BUILD])], c2=[look("client")], ss1=[look("server")])
    fleet["groups"] = {"shadowsocks_clients": ["c1", "c2", "c9"], "shadowsocks_servers": ["ss1", "c9"]}
    fleet["ansible_play_hosts_all"] = ["ss1", "c1", "c2", "c9"]
    result = run(tfo_plan, fleet, hosts=["c1", "c2", "ss1"], run="r1")
    out = [{"host": host, "side": side} for host, side in (("c1", "client"), ("c9", "server"), ("c9", "client"))]
    assert result["passed"] == out


@pytest.mark.parametrize(
    ("canary", "done", "expected"),
    [(["c1"], False, True), (["c9"], False, True), ([], False, False), (["c2"], True, False), (["ss1"], False, False)]
    + [(["elsewhere"], False, False)],
)
def test_canaries_of_the_run(run, told, canary, done, expected):
    """Also one that is refused, or that left the run before; none that was promoted before, is no client, or is not in it."""
    fleet = variables(told, c1=[look("client", differs=[BUILD])], c2=[look("client", done=done)], ss1=[look("server")])
    fleet["groups"] = {"shadowsocks_clients": ["c1", "c2", "c9", "elsewhere"], "canary": canary}
    fleet["ansible_play_hosts_all"] = ["ss1", "c1", "c2", "c9"]
    assert run(tfo_plan, fleet, hosts=["c1", "c2", "ss1"], run="r1")["canary_expected"] is expected


def test_canary_that_was_promoted_and_is_refused(run, told):
    """For its server side, say: what was learnt by it stays so."""
    fleet = variables(told, c1=[look("client", done=True), look("server", differs=[BUILD])], c2=[look("client")])
    fleet["groups"] = {"shadowsocks_clients": ["c1", "c2"], "canary": ["c1"]}
    fleet["ansible_play_hosts_all"] = ["c1", "c2"]
    result = run(tfo_plan, fleet, hosts=["c1", "c2"], run="r1")
    assert (list(result["refused"]), result["canary_done"], result["canary_expected"]) == (["c1"], True, False)


def test_held(run, told):
    """By another run: nothing is changed anywhere, whatever else there is to say."""
    fleet = variables(told, c1=[look("client", done=True, **HELD)], c2=[look("client", differs=[BUILD])])
    with pytest.raises(AnsibleActionFail, match=r"^Nothing was changed:\nc1: run r0 holds it: .*$"):
        run(tfo_plan, fleet, hosts=["c1", "c2"], run="r1")


def test_kept_out(run, told):
    """The inventory says no."""
    fleet = variables({**told, "ss_client_fast_open": False, "ss_server_fast_open": False}, c1=[look("client")])
    with pytest.raises(AnsibleActionFail, match="c1: ss_client_fast_open is false, and a rollout .*'all:!c1'"):
        run(tfo_plan, fleet, hosts=["c1"], run="r1")


def test_broken_client_outside_of_the_limit_is_no_witness(run, told, monkeypatch):
    """It is told of, and the run goes on (field: B1); one that nobody needs is not even evaluated."""
    warned = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda _self, text, *_more: warned.append(text))
    fleet = variables(told, ss1=[look("server")])
    fleet["hostvars"]["ss1"]["ss_server_instances"] = [SERVER_INSTANCE]
    for name in ("c2", "c3"):
        fleet["hostvars"][name] = {"ss_client_instances": [CLIENT_INSTANCE]}
    for name in ("c1", "c4"):
        fleet["hostvars"][name] = {"ss_client_instances": [{"name": trust_as_template("{{ nobody_set_this }}")}]}
    fleet["groups"] = {"shadowsocks_clients": ["c1", "c2", "c3", "c4"], "shadowsocks_servers": ["ss1"]}
    assert run(tfo_plan, fleet, hosts=["ss1"], run="r1")["witnesses"] == {"ss1": ["c2", "c3"]}
    assert [text.partition(":")[0] for text in warned] == ["c1 does not count as a client of its servers"]
    assert "nobody_set_this" in warned[0]


def test_who_else_will_accept_is_kept(run, told):
    """In the plan, and in the journal by host."""
    listener = {"address": "0.0.0.0", "port": 22, "program": "sshd", "unit": ""}
    fleet = variables(told, ss1=[{**look("server"), "listeners": [listener]}])
    result = run(tfo_plan, fleet, hosts=["ss1"], run="r1")
    (event,) = _journal.read(result["journal"]).events
    assert event["also"]["ss1"].endswith("SYN data is accepted by sshd on 0.0.0.0 port 22")
    assert f"  ss1: {event['also']['ss1']}" in result["lines"]


@pytest.mark.parametrize("accepted", [False, True])
def test_server_that_strangers_ask(run, told, accepted):
    """It is refused alone unless that is meant to be, and in the plan with its figures."""
    told["rollout_accept_unmanaged"] = accepted
    fleet = variables(told, ss1=[look("server", asked=5000)], ss2=[look("server", asked=5)])
    result = run(tfo_plan, fleet, hosts=["ss1", "ss2"], run="r1")
    assert (list(result["refused"]), result["hosts"]) == (([], ["ss1", "ss2"]) if accepted else (["ss1"], ["ss2"]))
    shown = [line for line in result["lines"] if "asked for cookies" in line]
    assert shown[-1].startswith("  ss2 was asked for cookies: 5 since boot, 0.5 an hour; no more than")
    assert len(shown) == 1 + accepted
    if not accepted:
        assert "5000 since boot, 500.0 an hour, 120 at most" in result["refused"]["ss1"]
        assert "-e rollout_accept_unmanaged=true" in result["refused"]["ss1"]
        assert result["refused"]["ss1"].endswith("Nothing was changed on it.")


@pytest.mark.parametrize(("asked", "refused"), [(200, []), (201, ["ss1"])])
def test_probes_of_every_client_count(run, told, asked, refused):
    """Also of those outside of the limit: ten runs of two looks, and of four attempts of each of two clients."""
    fleet = variables(told, ss1=[look("server", asked=asked)], ss2=[look("server")])
    fleet["hostvars"]["ss1"]["ss_server_instances"] = [SERVER_INSTANCE]
    for name in ("c1", "c2"):
        fleet["hostvars"][name] = {"ss_client_instances": [CLIENT_INSTANCE]}
    fleet["groups"] = {"shadowsocks_clients": ["c1", "c2"], "shadowsocks_servers": ["ss1", "ss2"]}
    assert list(run(tfo_plan, fleet, hosts=["ss1", "ss2"], run="r1")["refused"]) == refused


ADOPTED = {"name": "tun", "unit": "shadowsocks-libev-local@tun.service"}


def test_adopted_client_whose_config_alone_names_its_server(run, told):
    """By the look at it, it is a witness like any other, and its probes count: three rounds of them make no stranger."""
    fleet = variables(
        told, ss1=[look("server", asked=121)], c1=[look("client", paths=[{**BAD_PATH, "server_hosts": ["ss1"]}])]
    )
    fleet["hostvars"]["c1"]["ss_client_instances"] = [ADOPTED]
    fleet["groups"] = {"shadowsocks_clients": ["c1"], "shadowsocks_servers": ["ss1"]}
    result = run(tfo_plan, fleet, hosts=["ss1", "c1"], run="r1")
    assert (result["witnesses"], result["provers"], result["refused"]) == ({"ss1": ["c1"]}, {}, {})


def test_server_that_no_client_can_tell_of(run, told):
    """Another host of the run is to send SYNs with data to it, where it finds it."""
    fleet = variables(told, ss1=[look("server")], ss2=[look("server", done=True)])
    for host, address in (("ss1", "203.0.113.1"), ("ss2", "203.0.113.2")):
        fleet["hostvars"][host].update(ss_server_instances=[SERVER_INSTANCE], ansible_host=address)
    result = run(tfo_plan, fleet, hosts=["ss1", "ss2"], run="r1")
    assert result["provers"] == {"ss1": {"host": "ss2", "targets": [{"host": "203.0.113.1", "port": 8388}]}}


@pytest.mark.parametrize("one_key", [True, False])
def test_servers_behind_one_address(run, told, one_key):
    """One batch where they have one cookie key, though others stand between; else they are refused, and the others go on."""
    fleet = variables(told, **{f"ss{number}": [look("server")] for number in (1, 2, 3)})
    for number in (1, 2, 3):
        address = "203.0.113.2" if number == 2 else "vpn.example.org"
        instance = {
            **SERVER_INSTANCE,
            "public_address": address,
            "password": trust_as_template("{{ nobody_set_this }}"),
        }
        fleet["hostvars"][f"ss{number}"]["ss_server_instances"] = [instance]
        fleet["hostvars"][f"ss{number}"]["__rollout_seen"]["results"][0]["cookie_keys"] = [f"{number * (not one_key)}"]
    fleet["groups"] = {"shadowsocks_servers": ["ss1", "ss2", "ss3"]}
    result = run(tfo_plan, fleet, hosts=["ss1", "ss2", "ss3"], run="r1")
    if one_key:
        assert (result["batches"], result["in_order"]) == ([2, 1], ["ss1", "ss3", "ss2"])
        assert _journal.read(result["journal"]).events[0]["waves"] == {"batch 1": ["ss1", "ss3"], "batch 2": ["ss2"]}
    else:
        assert (list(result["refused"]), result["batches"]) == (["ss1", "ss3"], [1])
        assert "ss1: clients reach it at vpn.example.org as they reach ss3: " in result["refused"]["ss1"]
