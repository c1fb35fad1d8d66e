# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real receiver on loopback is told of a run, and what a bad one does to the run: nothing."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_end, tfo_plan, tfo_wave
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal, _metrics, _notify
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_INSTANCE, MARKER
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report import _rollouts
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout._receiver import Receiver

SECRET = re.compile(rf"T0K3N|K3Y|198\.51\.100\.|{re.escape(MARKER)}")
"""What the inventory and the receiver's URL hold, and clients' addresses."""
TOLD = {
    **_rollouts.TOLD,
    "rollout_server_batches": [1],
    "rollout_client_waves": ["100%"],
    "rollout_probe_requests": 0,
}
LOOK = {
    "side": "client",
    "done": False,
    "differs": [],
    "foreign": [],
    "reasons": [],
    "deployed": "yes",
    "machine": "",
    "uptime_seconds": 36_000,
    "listeners": [],
    "paths": [],
    "step": {"outcome": "planned", "differs": []},
    "stage": {"intended": "off", "actual": "off", "state": "plain"},
    "fastopen": {
        "sysctl": {"value": 1, "send": True},
        "boot": {"file": None},
        "problems": [],
        "counters": {},
        "processes": [],
    },
}
STEPPED = {"outcome": "stepped", "reasons": []}
FAILED = {"failed": True, "msg": "198.51.100.9 does not answer"}
PLAIN = {"outcome": "plain", "reasons": []}
CONFIRMED = {"outcome": "confirmed", "reasons": []}
SKIPPED = {"skipped": True}


class Rollout:
    """A run over clients, one of them named by its address, from its plan to its end, by the actions of its plays."""

    def __init__(self, run, tmp_path, url, textfile=""):
        self.run, self.hosts = run, ["c1", "c2", "198.51.100.9"]
        own = {
            "ansible_host": "198.51.100.7",
            "ss_client_instances": [{**CLIENT_INSTANCE, "password": MARKER}],
            "rollout_notify_url": url,
            "__rollout_door": {
                "variables": {**TOLD, "rollout_report_dir": str(tmp_path), "rollout_textfile_directory": textfile}
            },
            "__rollout_seen": {"results": [LOOK]},
            "__rollout_run": "r1",
        }
        self.hostvars = Hostvars({host: dict(own) for host in self.hosts})
        self.results, self.more = [], {}

    def task(self, plugin, check_mode, **arguments):
        """Run it, and keep what it returns."""
        play = {
            **self.hostvars["c1"],
            "hostvars": self.hostvars,
            "groups": {"shadowsocks_clients": self.hosts},
            "ansible_play_hosts_all": self.hosts,
            "ansible_play_batch": self.hosts,
            "ansible_forks": 5,
            **self.more,
            "__rollout_side": "client",
            "__rollout_kind": "wave",
        }
        self.results.append(self.run(plugin, play, check_mode=check_mode, **arguments))
        return self.results[-1]

    def __call__(self, check_mode=False, **stage):
        """The whole of it, without where its report is; ``stage`` is what stepping a host returned, in their order."""
        results = dict(zip(self.hosts, stage.get("stage", [STEPPED] * 3)))
        plan = self.task(tfo_plan, check_mode, hosts=self.hosts, run="r1")
        self.register("plan", dict.fromkeys(self.hosts, plan))
        for phase in ("begin", "measured", "stepped", "judged", "judged_again", "closed"):
            if phase == "stepped":
                self.register("stage", results)
            wave = self.task(tfo_wave, check_mode, at=phase)
            self.register("wave", dict.fromkeys(self.hosts, wave))
            self.register("confirmed", {host: CONFIRMED for host in wave["confirm"]})
            self.register("reverted", {host: PLAIN for host in wave["revert"]})
        end = self.task(tfo_end, check_mode, at="ended")
        return {**end, "lines": [line for line in end["lines"] if not line.startswith("Report: ")]}

    def register(self, name, by_host):
        """As the role does; a host without a result was skipped."""
        for host in self.hosts:
            self.hostvars[host][f"__rollout_{name}"] = by_host.get(host, SKIPPED)


@pytest.fixture
def warned(monkeypatch):
    """The warnings."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    shown = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, *_more: shown.append(text))
    return shown


def told(receiver):
    """The documents that arrived."""
    return [json.loads(body) for _path, _headers, body in receiver.got]


@pytest.mark.parametrize(
    ("stage", "event", "verdict", "outcomes", "stopped"),
    [
        ([STEPPED, STEPPED, STEPPED], "step_done", "promote", {"promoted": 3}, ""),
        ([STEPPED, STEPPED, FAILED], "step_done", "promote", {"promoted": 2, "reverted": 1}, ""),
        ([STEPPED, FAILED, FAILED], "rolled_back", "roll_back", {"reverted": 3}, "roll_back"),
    ],
)
def test_run(run, tmp_path, warned, stage, event, verdict, outcomes, stopped):
    """Its start, its step, its end; nothing of them is secret, and nothing of the URL is anywhere else."""
    with Receiver() as receiver:
        rollout = Rollout(run, tmp_path, receiver.url)
        end = rollout(stage=stage)
    start, step, finished = documents = told(receiver)
    assert [one["event"] for one in documents] == ["start", event, "finished"]
    assert {(one["version"], one["run"]) for one in documents} == {(_notify.VERSION, "r1")}
    assert (start["text"], start["outcomes"]) == ("TCP Fast Open rollout r1: begun, steps: 1, hosts: 3", {})
    assert (step["wave"], step["side"], step["verdict"], step["outcomes"]) == ("wave 1", "client", verdict, outcomes)
    assert (finished["outcomes"].get("promoted"), finished["verdict"]) == (outcomes.get("promoted"), stopped)
    assert all(command in " ".join(end["lines"]) for command in finished["next"].split(": ")[1:])
    assert warned == []
    assert not SECRET.search(json.dumps(documents))
    (journal,) = tmp_path.glob("rollout-*.jsonl")
    assert not re.search(f"T0K3N|K3Y|{re.escape(MARKER)}", journal.read_text("utf-8") + str(rollout.results))


@pytest.mark.parametrize(
    ("stage", "exit_status", "outcomes"),
    [([STEPPED] * 3, 0, {"promoted": 3}), ([STEPPED, FAILED, FAILED], 2, {"reverted": 3})],
)
def test_metrics(run, tmp_path, warned, monkeypatch, stage, exit_status, outcomes):
    """At the start, after the step, at the end."""
    written, write = [], _metrics.write
    monkeypatch.setattr(_metrics, "write", lambda folder, text: (written.append(text), write(folder, text)))
    folder = tmp_path / "textfile"
    folder.mkdir()
    Rollout(run, tmp_path, "", str(folder))(stage=stage)
    start, step, end = written
    assert (folder / _metrics.FILE).read_text("utf-8") == end
    assert all("tfo_rollout_running 1" in text and "exit_status" not in text for text in (start, step))
    assert "tfo_rollout_running 0" in end and f"tfo_rollout_exit_status {exit_status}\n" in end
    for outcome, count in outcomes.items():
        line = f'tfo_rollout_hosts{{outcome="{outcome}"}} {count}'
        assert [line in text for text in written] == [False, True, True]
    assert (warned, 'info{run="r1"} 1' in start) == ([], True)


def test_metrics_of_hosts_without_a_wave(run, tmp_path, warned):
    """Who is refused by the plan, or was gone before it, counts from the beginning on."""
    rollout = Rollout(run, tmp_path, "", str(tmp_path))
    refused = {**LOOK, "step": {"outcome": "refused", "differs": []}, "reasons": ["no"]}
    rollout.hostvars["c2"]["__rollout_seen"] = {"results": [refused]}
    rollout.hostvars["198.51.100.9"]["__rollout_seen"] = {"unreachable": True}
    rollout.task(tfo_plan, False, hosts=["c1", "c2"], run="r1")
    text = (tmp_path / _metrics.FILE).read_text("utf-8")
    for outcome in ("refused", "unreachable"):
        assert f'tfo_rollout_hosts{{outcome="{outcome}"}} 1\n' in text


def test_metrics_that_cannot_be_written(run, tmp_path, warned):
    """One warning each time, and the run is what it is without any; in check mode there are none."""
    end = Rollout(run, tmp_path / "told", "", str(tmp_path / "gone"))()
    assert (
        warned
        == [
            f"The metrics cannot be written: {tmp_path}/gone: No such file or directory; see rollout_textfile_directory"
        ]
        * 3
    )
    assert end == Rollout(run, tmp_path / "silent", "")()
    warned.clear()
    Rollout(run, tmp_path / "check", "", str(tmp_path / "gone"))(check_mode=True)
    assert warned == []


OTHERS = {"outcome": "refused", "reasons": ["claimed by run r0 of ops@elsewhere"]}
ASKED = {"__rollout_ask": {"server": "ss1", "clients": ["c1"]}, "paths": [{"verdict": "no_cookie"}]}


@pytest.mark.parametrize(
    ("registered", "at", "amiss", "outcomes"),
    [
        ({"claim": {"c2": OTHERS}}, "held", ["c2"], {"refused": 3}),
        ({"claim": {"c2": {"failed": True, "msg": "disk full"}}}, "held", ["c2"], {"refused": 3}),
        ({"asked": {"c2": {"results": [ASKED]}}}, "held", ["c1"], {"refused": 3}),
        ({"undeployable": {host: True for host in ("c1", "c2", "198.51.100.9")}}, "deployed", ["c1"], {"failed": 3}),
    ],
)
def test_run_that_ends_before_its_waves(run, tmp_path, warned, registered, at, amiss, outcomes):
    """Its start has its end all the same: told, kept, and by name."""
    with Receiver() as receiver:
        rollout = Rollout(run, tmp_path, receiver.url)
        plan = rollout.task(tfo_plan, False, hosts=rollout.hosts, run="r1")
        rollout.register("plan", dict.fromkeys(rollout.hosts, plan))
        for name, by_host in registered.items():
            rollout.register(name, {**dict.fromkeys(rollout.hosts), **by_host})
        end = rollout.task(tfo_end, False, at=at)
    start, finished = told(receiver)
    assert (start["event"], finished["event"], finished["outcomes"]) == ("start", "finished", outcomes)
    assert "stopped at the preflight" in finished["text"]
    assert list(end["amiss"])[:1] == amiss
    journal = _journal.read(plan["journal"])
    assert (journal.first("end")["stopped"], journal.first("end")["amiss"]) == ("the preflight", end["amiss"])
    assert end["lines"][0].startswith("Report: ")
    assert "then run it again" in end["lines"][-1]
    assert not SECRET.search(json.dumps(finished))


def test_clients_before_their_servers(run, tmp_path, warned):
    """All of them, as with a limit to the canary before any server: refused, whatever their looks came to, everywhere."""
    folder = tmp_path / "textfile"
    folder.mkdir()
    rollout = Rollout(run, tmp_path, "", str(folder))
    rollout.more = {"ansible_limit": "canary"}
    look = {**LOOK, "step": {"outcome": "skipped", "differs": []}, "reasons": ["192.0.2.1: no_cookie"]}
    rollout.register("seen", dict.fromkeys(rollout.hosts, {"results": [look]}))
    ask = {"__rollout_ask": {"server": "ss1", "clients": rollout.hosts}}
    plan = rollout.task(tfo_plan, False, hosts=rollout.hosts, run="r1")
    rollout.register("plan", dict.fromkeys(rollout.hosts, plan))
    rollout.register("asked", {"c1": {"results": [{**ASKED, **ask}]}})
    rollout.register("claim", {})
    rollout.register("undeployable", {})
    end = rollout.task(tfo_end, False, at="held")
    assert "  refused      3: c1, c2, 198.51.100.9" in end["lines"]
    assert end["lines"][-1].endswith("run it again: ansible-playbook fastopen.shadowsocks.rollout --limit canary")
    page = end["lines"][0].removeprefix("Report: ")
    assert "Refused: nothing was changed" in Path(page).read_text("utf-8")
    assert "tfo_rollout_exit_status 2\n" in (folder / _metrics.FILE).read_text("utf-8")


@pytest.mark.parametrize(
    ("registered", "at"),
    [
        ({"claim": {"c1": {"outcome": "claimed"}}}, "held"),
        ({"asked": {"c2": {"results": [ASKED]}}}, "asked"),
        ({"undeployable": {"c1": True}}, "deployed"),
    ],
)
def test_run_that_goes_on(run, tmp_path, warned, registered, at):
    """It is no end: somebody is left, or hosts are to be held yet."""
    rollout = Rollout(run, tmp_path, "")
    plan = rollout.task(tfo_plan, False, hosts=rollout.hosts, run="r1")
    rollout.register("plan", dict.fromkeys(rollout.hosts, plan))
    for name, by_host in registered.items():
        rollout.register(name, {**dict.fromkeys(rollout.hosts), **by_host})
    end = rollout.task(tfo_end, False, at=at)
    assert (list(end["amiss"]), "lines" in end) == ([] if at == "held" else ["c1"], False)
    assert len(_journal.read(plan["journal"]).events) == 1


def test_wave_that_is_undecided(run, tmp_path, warned, monkeypatch):
    """By a bug, say, and at its very beginning, after which no phase comes: it is told all the same."""
    monkeypatch.setattr(tfo_wave.ActionModule, "_begin", lambda *_more: 1 / 0)
    with Receiver() as receiver:
        rollout = Rollout(run, tmp_path, receiver.url)
        plan = rollout.task(tfo_plan, False, hosts=rollout.hosts, run="r1")
        rollout.register("plan", dict.fromkeys(rollout.hosts, plan))
        rollout.task(tfo_wave, False, at="begin")
    document = told(receiver)[-1]
    assert (document["event"], document["verdict"], document["outcomes"]) == ("inconclusive", "inconclusive", {})
    assert document["reasons"][0].startswith("this is a bug of the collection")


def test_check_mode(run, tmp_path, warned):
    """Nothing is sent."""
    with Receiver() as receiver:
        Rollout(run, tmp_path, receiver.url)(check_mode=True)
    assert receiver.got == []


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ({"hangs": True}, "no answer within 0.2 s"),
        ({"status": 500}, "it answered 500"),
        ({"status": 302, "location": "http://198.51.100.1/"}, "it answered 302, a redirect, which is not followed"),
    ],
)
def test_bad_receiver(run, tmp_path, warned, monkeypatch, behaviour, why):
    """One line for each notification, without the secret part of the URL; the run is what it is without any."""
    if "hangs" in behaviour:
        monkeypatch.setattr(_notify, "DEADLINE_SECONDS", 0.2)
    began = time.monotonic()
    with Receiver(**behaviour) as receiver:
        end = Rollout(run, tmp_path / "told", receiver.url)()
    place = f"http://127.0.0.1:{receiver.server_port}: {why}"
    assert warned == [
        f"The notification start did not reach rollout_notify_url, {place}",
        f"The notification step_done of wave 1 did not reach rollout_notify_url, {place}",
        f"The notification finished did not reach rollout_notify_url, {place}",
    ]
    assert time.monotonic() - began < 10
    assert end == Rollout(run, tmp_path / "silent", "")()


def test_receiver_that_is_down(run, tmp_path, warned):
    """Likewise."""
    with Receiver() as receiver:
        pass
    end = Rollout(run, tmp_path / "told", receiver.url)()
    assert [text.rpartition(": ")[2] for text in warned] == ["Connection refused"] * 3
    assert end == Rollout(run, tmp_path / "silent", "")()


@pytest.mark.parametrize("url", [trust_as_template("{{ gone }}"), 5, "ftp://127.0.0.1/T0K3N"])
def test_url_that_cannot_be_read(run, tmp_path, warned, url):
    """The door refuses it; past the door it stops nothing, and is not shown."""
    end = Rollout(run, tmp_path / "told", url)()
    assert end == Rollout(run, tmp_path / "silent", "")()
    assert len(warned) == 3
    assert not SECRET.search(str(warned))


def test_url_out_of_a_template(run, tmp_path, warned):
    """As an inventory has it that keeps it in a vault."""
    with Receiver() as receiver:
        Rollout(run, tmp_path, trust_as_template(f"{{{{ '{receiver.url}' }}}}"))()
    assert len(told(receiver)) == 3
