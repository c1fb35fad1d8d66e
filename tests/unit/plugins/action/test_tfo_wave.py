# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wave from its beginning to its end, as the tasks of wave.yml move it on."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.utils.display import Display
from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_wave
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal, _phases
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import Hostvars

STEPPED = {"outcome": "stepped", "reasons": [], "changed": True}
FAILED = {"failed": True, "msg": "it does not come up"}
PLAIN = {"outcome": "plain", "reasons": []}
CONFIRMED = {"outcome": "confirmed", "reasons": []}
SKIPPED = {"skipped": True}


class Play:
    """Hosts of one wave of clients, or of a batch of servers, and what is registered for them."""

    def __init__(self, run, tmp_path, *hosts, side="client", **told):
        self.run, self.hosts, self.check, self.side = run, list(hosts), False, side
        self.told = {
            "rollout_probe_requests": 0,
            "rollout_bake_seconds": 300,
            "rollout_confidence": 0.95,
            "rollout_max_error_share": 0.05,
            "rollout_max_slowdown_ms": 20,
            "rollout_max_reverted_share": 0.1,
            "rollout_max_unreachable_share": 0.1,
            "rollout_textfile_directory": "",
            **told,
        }
        look = {
            "side": side,
            "done": False,
            "step": {"outcome": "planned"},
            "stage": {"actual": "off", "state": "plain"},
            "fastopen": {"sysctl": {"send": True}},
            "paths": [{"server_hosts": ["ss1"]}],
        }
        self.journal = _journal.start(str(tmp_path), "rollout", {})
        plan = {"hosts": [*hosts, "other"], "journal": self.journal, "canary_done": False, "witnesses": {}}
        plan["canary_expected"] = False
        plan["provers"] = {"ss1": {"host": "other", "targets": [{"host": "203.0.113.1", "port": 8388}]}}
        self.vars = Hostvars(
            {
                host: {
                    "__rollout_door": {"variables": self.told},
                    "__rollout_plan": plan,
                    "__rollout_seen": {"results": [look]},
                    "__rollout_bake": {"changed": False, "seconds": 300.0},
                }
                for host in [*hosts, "other"]
            }
        )

    def at(self, phase, **results):
        """Run the task, and register it for all hosts; `results` are what their last task returned, by its name."""
        for name, by_host in results.items():
            for host in self.hosts:
                self.vars[host][f"__rollout_{name}"] = by_host.get(host, SKIPPED)
        variables = {
            "hostvars": self.vars,
            "ansible_play_batch": self.hosts,
            "__rollout_side": self.side,
            "__rollout_kind": "batch" if self.side == "server" else "wave",
        }
        wave = self.run(tfo_wave, variables, check_mode=self.check, at=phase)
        for host in self.hosts:
            self.vars[host]["__rollout_wave"] = wave
        return wave

    def events(self):
        """The journal."""
        return _journal.read(self.journal).events


@pytest.fixture
def play(run, tmp_path):
    """A wave of two clients in a run that measures nothing."""
    return Play(run, tmp_path, "c1", "c2")


def through(play, stage, **settled):
    """All phases; the last result."""
    for phase in ("begin", "measured"):
        play.at(phase)
    play.at("stepped", stage=stage)
    for phase in ("judged", "judged_again"):
        play.at(phase)
    return play.at("closed", **settled)


def test_wave_that_is_promoted(play):
    """Each phase is kept, and told once it is over."""
    wave = through(play, {"c1": STEPPED, "c2": STEPPED}, confirmed={"c1": CONFIRMED, "c2": CONFIRMED}, reverted={})
    assert (wave["verdict"], wave["confirm"], wave["revert"], wave["stop"]) == ("promote", ["c1", "c2"], [], False)
    assert wave["report"] == [
        "wave 1: c1, c2",
        "  stepped   2 of 2",
        "  promoted  c1",
        "  promoted  c2",
    ]
    assert [event["what"] for event in play.events()] == ["begin", "measured", "stepped", "closed"]
    assert play.events()[-1]["hosts"]["c1"]["outcome"] == "promoted"
    assert ["measured" in event for event in play.events()] == [False, False, True, False]  # with its verdict
    assert wave["bake_seconds"] == 300


@pytest.mark.parametrize(("requests", "bake_seconds"), [(100, 300), (0, None)])
def test_journal_tells_how_long_a_step_bakes(play, monkeypatch, requests, bake_seconds):
    """Where it is to be judged by what is measured after it."""
    monkeypatch.setattr(tfo_wave.Run, "first_asks", lambda *_more: {})
    play.told["rollout_probe_requests"] = requests
    play.at("begin")
    play.at("measured")
    play.at("stepped", stage={"c1": STEPPED, "c2": STEPPED})
    assert play.events()[-1].get("bake_seconds") == bake_seconds


def test_bad_host_is_taken_back(play):
    """And the run goes on."""
    wave = through(play, {"c1": STEPPED, "c2": FAILED}, confirmed={"c1": CONFIRMED}, reverted={"c2": PLAIN})
    assert (wave["confirm"], wave["revert"], wave["stop"]) == (["c1"], ["c2"], False)
    assert wave["lines"][-1] == "  reverted  c2: it does not come up"
    assert "    c2: it does not come up" in wave["details"]


def test_run_that_has_stopped_starts_nothing(play):
    """Whoever stopped it."""
    play.vars["other"]["__rollout_wave"] = {"name": "canary", "kind": "canary", "stop": True, "hosts": {}}
    wave = play.at("begin")
    assert (wave["stop"], wave["lines"], play.events()) == (True, [], [])


@pytest.mark.parametrize("tried", [False, True])
def test_canaries_that_left_the_run_before_their_wave(play, tried):
    """Refused, say, or not deployed: nothing was learnt, so no other client is begun with."""
    play.vars["c1"]["__rollout_plan"]["canary_expected"] = True
    if tried:
        play.vars["other"]["__rollout_wave"] = {"name": "canary", "kind": "canary", "stop": False, "hosts": {}}
    wave = play.at("begin")
    assert (wave["verdict"], wave["stop"]) == (("", False) if tried else ("inconclusive", True))
    assert (wave["lines"][-1].startswith("  because   no canary is left")) is not tried
    assert ("  inconclusive: nobody made the step, and the run stops here" in wave["lines"]) is not tried
    assert play.events()[-1]["stop"] is not tried


def test_waves_are_numbered_and_bad_hosts_counted_over_the_run(play):
    """By what is registered for the hosts of earlier ones."""
    first = through(play, {"c1": STEPPED, "c2": FAILED}, confirmed={"c1": CONFIRMED}, reverted={"c2": PLAIN})
    play.vars["other"]["__rollout_wave"] = {**first, "hosts": {"other": first["hosts"]["c2"]}}
    second = through(play, {"c1": STEPPED, "c2": FAILED}, confirmed={}, reverted={"c1": PLAIN, "c2": PLAIN})
    assert (second["name"], second["verdict"], second["revert"]) == ("wave 2", "roll_back", ["c2", "c1"])
    assert second["tally"] == {"judged": 1, "bad": 1, "undecided": 0, "lost": 0}


def test_host_that_is_gone_before_its_step(play):
    """It is named, makes no step, and the others go on."""
    play.at("begin")
    play.at("measured")
    gone = {"unreachable": True, "msg": "ssh"}
    wave = play.at("stepped", answer={"c1": gone, "c2": {"ping": "pong"}}, stage={"c1": gone, "c2": STEPPED})
    assert (wave["hosts"]["c1"]["outcome"], wave["hosts"]["c1"]["since_step"]) == ("unreachable", False)
    assert wave["confirm"] == ["c2"]


def test_host_that_is_gone_when_it_is_measured(play, monkeypatch):
    """Likewise, and it is not called unfit."""
    play.told["rollout_probe_requests"] = 100
    asks = {"c1": [{"host": "c1", "servers": [], "requests": 20}]}
    monkeypatch.setattr(tfo_wave.Run, "first_asks", lambda *_more: asks)
    play.at("begin")
    gone = {"unreachable": True, "msg": "ssh"}
    wave = play.at("measured", requests={"c1": {**gone, "results": [{**gone, "__rollout_ask": asks["c1"][0]}]}})
    assert [(host["outcome"], host["since_step"]) for host in wave["hosts"].values()] == [
        ("unreachable", False),
        ("", False),
    ]


def test_judge_that_is_never_done(play, monkeypatch):
    """At its last look nobody is asked again: the wave goes back."""
    play.told["rollout_probe_requests"] = 100
    play.hosts = ["c1"]
    for asks in ("first_asks", "asks_after", "more_asks"):
        monkeypatch.setattr(tfo_wave.Run, asks, lambda *_more, **_options: {})
    judgement = {"measure": {"c1": 20}, "hosts": {}, "shared": ("promote", [])}
    monkeypatch.setattr(tfo_wave.Measured, "judgement", lambda *_more: judgement)
    wave = through(play, {"c1": STEPPED}, confirmed={}, reverted={"c1": PLAIN})
    assert (wave["verdict"], wave["confirm"], wave["revert"]) == ("inconclusive", [], ["c1"])
    assert "  not clear yet, and nobody can be asked once more" in wave["report"]
    assert not any("bug" in line for line in wave["report"])


@pytest.mark.parametrize("bake", [{"failed": True, "msg": "Timed out after 60 second(s)."}, None])
def test_bake_that_was_cut_short(play, monkeypatch, bake):
    """By ANSIBLE_TASK_TIMEOUT, say: good measurements do not make up for it."""
    play.told["rollout_probe_requests"] = 100
    for asks in ("first_asks", "asks_after"):
        monkeypatch.setattr(tfo_wave.Run, asks, lambda *_more: {})
    fine = {"verdict": "promote", "reasons": [], "summary": ""}
    judgement = {"measure": {}, "hosts": {"c1": fine, "c2": fine}, "shared": ("promote", [])}
    monkeypatch.setattr(tfo_wave.Measured, "judgement", lambda *_more: judgement)
    for host in play.hosts:
        play.vars[host]["__rollout_bake"] = bake
    plain = {"c1": PLAIN, "c2": PLAIN}
    wave = through(play, {"c1": STEPPED, "c2": STEPPED}, confirmed={}, reverted=plain)
    assert (wave["verdict"], wave["confirm"], wave["revert"]) == ("inconclusive", [], ["c1", "c2"])
    assert "it did not bake to the end" in wave["why"][0]


def test_bug_before_the_step_stops_the_run(play, monkeypatch):
    """Nobody steps, and what was decided stays decided."""
    monkeypatch.setattr(tfo_wave.ActionModule, "_measured", lambda *_more: 1 / 0)
    play.hosts = ["c1"]
    wave = through(play, {"c1": SKIPPED}, confirmed={}, reverted={"c1": PLAIN})
    assert (wave["verdict"], wave["stop"], wave["confirm"]) == ("inconclusive", True, [])


def test_bug_at_the_beginning(play, monkeypatch):
    """Nothing is begun, and every host is as it was."""
    monkeypatch.setattr(tfo_wave.ActionModule, "_begin", lambda *_more: 1 / 0)
    wave = play.at("begin")
    assert (wave["verdict"], wave["stop"], wave["revert"]) == ("inconclusive", True, [])
    assert {host["outcome"] for host in wave["hosts"].values()} == {""}


def test_bug_after_a_promotion(play, monkeypatch):
    """What was to be confirmed goes back: nobody is called promoted who is not."""
    monkeypatch.setattr(tfo_wave._lines, "stepped", lambda *_more: 1 / 0)
    wave = through(play, {"c1": STEPPED, "c2": STEPPED}, confirmed={}, reverted={"c1": PLAIN, "c2": PLAIN})
    assert (wave["verdict"], wave["confirm"], wave["revert"]) == ("inconclusive", [], ["c1", "c2"])
    assert {host["outcome"] for host in wave["hosts"].values()} == {"inconclusive"}


def test_bug_at_the_end(play, monkeypatch):
    """Whether they were confirmed or taken back is not known, so that nothing is claimed of them, and the run stops."""
    monkeypatch.setattr(tfo_wave._phases, "closed", lambda *_more: 1 / 0)
    wave = through(play, {"c1": STEPPED, "c2": FAILED}, confirmed={"c1": CONFIRMED}, reverted={"c2": PLAIN})
    assert (wave["verdict"], wave["stop"]) == ("roll_back", True)
    assert {host["outcome"] for host in wave["hosts"].values()} == {"failed"}


@pytest.mark.parametrize("phase", ["_stepped", "_judged"])
def test_bug_of_our_own(play, monkeypatch, phase):
    """Whatever goes wrong in here, nobody stays in a step that nobody has judged."""

    def breaks(*_arguments):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(tfo_wave.ActionModule, phase, breaks)
    play.told["rollout_probe_requests"] = 100
    monkeypatch.setattr(tfo_wave.Run, "first_asks", lambda *_more: {})
    monkeypatch.setattr(tfo_wave.Run, "asks_after", lambda *_more: {})
    wave = through(play, {"c1": STEPPED, "c2": STEPPED}, confirmed={}, reverted={"c1": PLAIN, "c2": PLAIN})
    assert (wave["verdict"], wave["confirm"], wave["revert"]) == ("inconclusive", [], ["c1", "c2"])
    assert any("this is a bug of the collection" in line and "oops" in line for line in wave["report"])


def test_journal_that_cannot_be_written(play, monkeypatch):
    """It is told, and stands in front of nothing (field: A10)."""
    warned = []
    monkeypatch.setattr(Display, "warning", lambda _self, text, *_more: warned.append(text))
    Path(play.journal).unlink()
    wave = through(play, {"c1": FAILED, "c2": FAILED}, confirmed={}, reverted={"c1": PLAIN, "c2": PLAIN})
    assert (wave["verdict"], wave["revert"], wave["stop"]) == ("roll_back", ["c1", "c2"], True)
    assert "The journal cannot be written" in warned[0]


def test_check_mode(play):
    """A plan: nothing is kept, confirmed or taken back."""
    play.check = True
    for host in play.vars.values():
        host["__rollout_plan"]["journal"] = ""
    wave = through(play, {"c1": {"outcome": "planned", "reasons": []}}, confirmed={}, reverted={})
    assert (wave["verdict"], wave["confirm"], wave["revert"]) == ("promote", [], [])
    assert wave["report"][1] == "  planned   2 of 2"
    assert [one["outcome"] for one in wave["hosts"].values()] == ["planned", "planned"]


def test_host_that_is_a_server_as_well(play):
    """How it ended as such goes with it."""
    served = {
        "name": "batch 1",
        "kind": "batch",
        "side": "server",
        "stop": False,
        "hosts": {"c1": {"outcome": "promoted"}},
    }
    play.vars["c1"]["__rollout_wave"] = served
    wave = play.at("begin")
    assert wave["as_server"]["c1"]["outcome"] == "promoted"
    assert wave["tally"]["judged"] == 0


def test_hosts_that_stopped_the_run_as_servers(play):
    """The wave that is not begun for it takes the place of their batch, and keeps what there is to say of that."""
    served = {"name": "batch 1", "kind": "batch", "side": "server", "verdict": "roll_back", "why": ["restarted"]}
    served.update(stop=True, hosts={"c1": {"outcome": "reverted"}})
    play.vars["c1"]["__rollout_wave"] = served
    stopped = {"name": "batch 1", "verdict": "roll_back", "why": ["restarted"], "hosts": ["c1"]}
    wave = play.at("begin")
    assert (wave["stop"], wave["verdict"], wave["stopped"]) == (True, "", stopped)
    play.hosts, play.vars["c3"] = ["c3"], {**play.vars["other"]}
    assert play.at("begin")["stopped"] == stopped


def server_look(verdict, state="active", **counters):
    """The one look at ss1 that ss1 was asked for."""
    found = {
        "fastopen": {"counters": counters, "loopback": {"ipv4": "no_cookie"}},
        "services": [{"unit": "u", "state": state, "restarts": 0}],
        "paths": [{"port": 8388, "verdict": verdict, "attempts": []}],
        "__rollout_server": "ss1",
    }
    return {"ss1": {"results": [found]}}


@pytest.mark.parametrize(
    ("verdict", "ended", "line"),
    [
        (
            "fast_open",
            "promoted",
            "  promoted  ss1: took 12 SYNs with data, refused 0, queue overflow 0; "
            "from other to port 8388: data_refused (shown, not judged)",
        ),
        ("unreachable", "reverted", "  because   ss1: nothing answers on port 8388 any more"),
        ("no_cookie", "reverted", "  because   ss1: port 8388 does not take SYN data any more (no_cookie)"),
    ],
)
def test_servers_whose_clients_nobody_manages(run, tmp_path, verdict, ended, line):
    """They are judged by themselves, seen from another host as well, and it is said what nobody knows."""
    play = Play(run, tmp_path, "ss1", side="server", rollout_probe_requests=100)
    assert play.at("begin")["watch"] == {"ss1": ["ss1"]}
    play.at("measured", servers=server_look("no_cookie"))
    wave = play.at("stepped", stage={"ss1": STEPPED})
    target = {"host": "203.0.113.1", "port": 8388}
    assert wave["prove"] == [{"host": "other", "targets": [target], "servers": {"ss1": [target]}}]
    proven = {"results": [{"paths": [{**target, "verdict": "data_refused"}], "__rollout_prover": wave["prove"][0]}]}
    wave = play.at("judged", servers=server_look(verdict, TCPFastOpenPassive=12), proven={"ss1": proven})
    assert (wave["verdict"], wave["prove"]) == ("promote" if ended == "promoted" else "roll_back", [])
    play.at("judged_again")
    wave = play.at("closed", confirmed={"ss1": CONFIRMED} if wave["confirm"] else {}, reverted={"ss1": PLAIN})
    assert (wave["hosts"]["ss1"]["outcome"], line in wave["report"]) == (ended, True)
    if ended == "promoted":
        assert "cannot be known" in next(said for said in wave["report"] if said.startswith("  seen "))


def test_nobody_proves_a_server_that_made_no_step(run, tmp_path):
    """Nothing has changed on it."""
    play = Play(run, tmp_path, "ss1", "ss2", side="server", rollout_probe_requests=100)
    play.at("begin")
    play.at("measured")
    wave = play.at("stepped", stage={"ss1": {"outcome": "skipped", "reasons": ["plugin"]}, "ss2": STEPPED})
    assert (wave["hosts"]["ss2"]["outcome"], wave["prove"]) == ("stepped", [])


def test_every_phase_is_known():
    """The choices are the methods."""
    assert all(hasattr(tfo_wave.ActionModule, f"_{phase}") for phase in tfo_wave.PHASES)
    assert _phases.trouble({"msg": "x"}) == "x"
