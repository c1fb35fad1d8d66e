# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run, from what the hosts' waves have left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_end
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal, _status, _status_lines
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout import _run_journal

BEGUN = {"run": "r1", "started": "2026-11-26T03:13:44.000+00:00", "hosts": ["ss1", "c1"]}
UNREACHABLE = {"unreachable": True, "msg": "ssh"}
LOST = "lost in its step: what is not confirmed there undoes itself when its lease ends"


def look(side):
    """What tfo_host returned in the preflight."""
    return {"side": side, "done": False, "step": {"outcome": "planned"}, "reasons": []}


def wave(name, side, host, outcome, why="", lost=False):
    """A wave of one host that did not stop the run."""
    one = {"outcome": outcome, "reasons": [why], "said": "", "since_step": lost}
    return {"name": name, "side": side, "verdict": "promote", "hosts": {host: one}, "as_server": {}, "remember": []}


@pytest.fixture
def fleet():
    """A run over a server that was lost in its step, and a client that was promoted."""
    door, plan = {"variables": {"rollout_revert": "wave", "rollout_textfile_directory": ""}}, {"journal": "", **BEGUN}
    hostvars = {
        host: {
            "__rollout_door": door,
            "__rollout_plan": plan,
            "__rollout_seen": {"results": [look(last["side"])]},
            "__rollout_wave": last,
        }
        for host, last in {
            "ss1": wave("batch 1", "server", "ss1", "unreachable", LOST, lost=True),
            "c1": wave("wave 1", "client", "c1", "promoted"),
        }.items()
    }
    return {
        "hostvars": Hostvars(hostvars),
        "ansible_play_batch": ["ss1", "c1"],
        "ansible_play_hosts_all": ["ss1", "c1"],
        "groups": {"shadowsocks_clients": ["c1"]},
    }


def test_who_was_lost_is_taken_back(run, fleet):
    """Once more, at the end; the rest stays."""
    back = run(tfo_end, fleet, at="ending")["revert"]
    assert back == {"ss1": [{"side": "server", "why": LOST, "memory": "keep"}]}


def test_client_whose_server_was_refused(run, fleet):
    """It sends as an earlier run left it, and nobody has proven that it still may: no promotion, and no trial either."""
    path = {"server_hosts": ["ss9"], "port": 8388, "verdict": "data_refused"}
    stage = {"state": "confirmed"}
    fleet["hostvars"]["c1"].update(
        __rollout_seen={
            "results": [{**look("client"), "step": {"outcome": "confirmed"}, "paths": [path], "stage": stage}]
        },
        __rollout_wave=None,
    )
    amiss = run(tfo_end, fleet, at="ended")["amiss"]
    assert (
        "data_refused: ss9 port 8388, and that server takes no part in this run; TCP Fast Open stays on" in amiss["c1"]
    )


@pytest.mark.parametrize(
    ("taken_back", "outcome", "why"),
    [
        ({"results": [{"outcome": "plain", "__rollout_back": {"side": "server"}}]}, "reverted", "answered again"),
        ({"results": [{**UNREACHABLE, "__rollout_back": {"side": "server"}}]}, "unreachable", LOST),
        (UNREACHABLE, "unreachable", LOST),
        ({"failed": True, "msg": "undefined"}, "failed", "not proven plain: undefined"),
        (None, "unreachable", LOST),
    ],
)
def test_how_it_ends(run, fleet, taken_back, outcome, why):
    """By name, so that the run fails for that host and no other; nothing of its batch is called promoted."""
    fleet["hostvars"]["ss1"]["__rollout_taken_back"] = taken_back
    fleet["ansible_limit"] = "ss1,c1"
    end = run(tfo_end, fleet, at="ended")
    assert list(end["amiss"]) == ["ss1"]
    assert end["amiss"]["ss1"].startswith(f"{outcome}: {why}")
    assert end["lines"][1:3] == ["  promoted     1: c1", f"  {outcome:<12} 1: ss1"]
    assert end["lines"][-1].endswith("run it again: ansible-playbook fastopen.shadowsocks.rollout --limit ss1,c1")


@pytest.mark.parametrize("verdict", ["promote", "inconclusive"])
def test_end_in_the_journal(run, fleet, tmp_path, verdict):
    """With the wave that stopped the run, and what is next."""
    journal = _journal.start(str(tmp_path), "rollout", {})
    for host in ("ss1", "c1"):
        fleet["hostvars"][host]["__rollout_plan"] = {"journal": journal, **BEGUN}
    fleet["hostvars"]["ss1"]["__rollout_wave"].update(verdict=verdict, why=["lost"])
    end = run(tfo_end, fleet, at="ended")
    (event,) = _journal.read(journal).events
    assert (event["step"], event["stopped"]) == ("end", "batch 1" if verdict == "inconclusive" else "")
    assert [f"  {line}" for line in event["next"]] == end["lines"][-len(event["next"]) :]


def test_batch_that_stopped_the_run_is_named_by_the_wave_of_its_hosts(run, fleet):
    """Where all of them are clients as well; who was not reached is not to blame."""
    server = {"outcome": "reverted", "reasons": ["restarted"], "said": "", "since_step": False}
    stopped = {"name": "batch 1", "verdict": "roll_back", "why": ["restarted"], "hosts": ["ss1"]}
    not_begun = {**wave("wave 1", "client", "ss1", ""), "verdict": "", "stop": True, "stopped": stopped}
    not_begun["hosts"]["c1"] = not_begun["hosts"]["ss1"]
    fleet["hostvars"]["ss1"]["__rollout_seen"]["results"].append(look("client"))
    for host in ("ss1", "c1"):
        fleet["hostvars"][host]["__rollout_wave"] = {**not_begun, "as_server": {"ss1": server}}
    end = run(tfo_end, fleet, at="ended")
    assert end["amiss"] == {"ss1": "reverted: restarted"}
    assert any("The run stopped at batch 1." in line for line in end["lines"])


@pytest.mark.parametrize(
    ("seen", "outcome", "why"),
    [
        ({**UNREACHABLE, "results": [UNREACHABLE]}, "unreachable", "not reached in the preflight"),
        (None, "refused", "left the run before its waves"),
        (
            {
                "failed": True,
                "results": [{"failed": True, "msg": "No start of json", "module_stderr": "sudo: no.\n\n"}],
            },
            "refused",
            "No start of json: sudo: no. Nothing was changed on it.",
        ),
        ({"results": [look("client")]}, "refused", "differs"),
        ({"results": [look("client")], "lost": True}, "unreachable", "lost while plain Shadowsocks was deployed on it"),
    ],
)
def test_who_left_in_the_preflight(run, fleet, tmp_path, seen, outcome, why):
    """Is named by what became of it, and why; its own task has failed already. Nobody is told that all is well."""
    plan = {"journal": _run_journal.begun(tmp_path), **BEGUN}
    for host in ("ss1", "c1"):
        fleet["hostvars"][host]["__rollout_plan"] = plan
    if seen and not {"failed", "unreachable", "lost"} & set(seen):
        fleet["hostvars"]["ss1"]["__rollout_plan"]["refused"] = {"c2": "c2: differs. Nothing was changed on it."}
    fleet["hostvars"]["c2"] = {"__rollout_seen": seen}
    fleet["hostvars"]["ss1"]["__rollout_plan"]["undeployed"] = ["c2"] if seen and "lost" in seen else []
    fleet["ansible_play_hosts_all"] = ["ss1", "c1", "c2"]
    fleet["hostvars"]["ss1"]["__rollout_wave"] = wave("batch 1", "server", "ss1", "promoted")
    end = run(tfo_end, fleet, at="ended")
    assert end["amiss"] == {}
    assert any(line.startswith(f"  {outcome:<12}") and "c2" in line for line in end["lines"])
    assert any(line.startswith(f"    c2: {why}") for line in end["lines"])
    journal = _journal.read(plan["journal"])
    assert journal.first("end")["amiss"]["c2"].startswith(f"{outcome}: {why}")
    assert "not all is well" in "\n".join(
        _status_lines.lines(_status.of(journal, _run_journal.at(0)), _run_journal.at(0))
    )


def test_who_is_out_of_the_waves(run, fleet):
    """After the deployment: who could not be deployed, and who does not answer any more, of which no task tells."""
    for host in ("ss1", "c1"):
        fleet["hostvars"][host]["__rollout_plan"].update(hosts=["ss1", "c1", "c2"], in_order=[])
    fleet["hostvars"]["ss1"]["__rollout_undeployable"] = True
    told = run(tfo_end, fleet, at="deployed")
    assert (list(told["amiss"]), told["out"], "batches" in told) == (["ss1"], ["ss1", "c2"], False)


def test_batches_without_them(run, fleet):
    """Where servers go together, the next batch keeps its own: ss2 and ss3 share an address, and so do c1 and ss1."""
    for host in ("ss1", "c1"):
        together = {"hosts": ["ss1", "c1", "ss2", "ss3", "ss4"], "in_order": ["ss4", "ss1", "c1", "ss2", "ss3"]}
        fleet["hostvars"][host]["__rollout_plan"].update(together, batches=[1, 2, 2])
    fleet["hostvars"]["ss1"]["__rollout_undeployable"] = True
    fleet["ansible_play_batch"] += ["ss2", "ss3"]
    for host in ("ss2", "ss3"):
        fleet["hostvars"][host] = dict(fleet["hostvars"]["c1"])
    assert run(tfo_end, fleet, at="deployed")["batches"] == [1, 2]


def test_journal_and_its_page(run, fleet, tmp_path):
    """The journal has the end and what is next; the page is written beside it, and named first."""
    journal = _journal.start(str(tmp_path), "rollout", {})
    for host in ("ss1", "c1"):
        fleet["hostvars"][host]["__rollout_plan"] = {"journal": journal, **BEGUN}
    end = run(tfo_end, fleet, at="ended")
    (event,) = _journal.read(journal).events
    assert (event["step"], [one["outcome"] for one in event["hosts"]]) == ("end", ["unreachable", "promoted"])
    assert event["next"] == [line.strip() for line in end["lines"][-len(event["next"]) :]]
    assert end["lines"][0] == f"Report: {os.path.splitext(journal)[0]}.html"
    assert "ss1 unreachable" in Path(f"{os.path.splitext(journal)[0]}.html").read_text("utf-8")
