# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a fleet, from looks."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _audit


def look(**change):
    """What tfo_host returned of a server that is as it should be."""
    stage = {
        "intended": "accept",
        "actual": "accept",
        "problems": [],
        "undone": {},
        "guard": None,
        "kill_switch": None,
        **change.pop("stage", {}),
    }
    boot = {"value": 3, "file": "/etc/sysctl.d/99-tfo.conf", "agrees": True, **change.pop("boot", {})}
    return {
        "side": "server",
        "stage": stage,
        "fastopen": {"boot": boot, "problems": change.pop("problems", [])},
        "differs": [],
        "foreign": [],
        "own_fast_open": [],
        "left": [],
        "reasons": [],
        "step": {"outcome": "confirmed", "differs": []},
        "paths": [],
        "services": [],
        "package": {},
        **change,
    }


GUARD = {"by": "guard", "when": "2026-01-01T00:00:00Z", "why": "SYNs lost", "intended": "accept"}
PATHS = {8388: {"verdict": "fast_open"}, 8390: {"verdict": "data_refused"}}
DRIFT = {
    "stage": ({"stage": {"actual": "off"}}, "intended accept, but off runs"),
    "stage of one instance": (
        {"stage": {"actual": "off"}, "paths": [{"host": "a", "port": port, **one} for port, one in PATHS.items()]},
        "intended accept, but not on port 8390",
    ),
    "somebody else's": ({"foreign": ["/y is a unit of somebody else"]}, "/y is a unit of somebody else"),
    "left": ({"left": ["ss-server@old.service"]}, "ss-server@old.service was deployed, and is not listed any more"),
    "mode": (
        {"step": {"outcome": "stepped", "differs": [{"what": "mode", "name": "a.service", "why": "is in mode flag"}]}},
        "a.service is in mode flag",
    ),
    "deployment": ({"differs": [{"what": "file", "name": "/x", "why": "is missing"}]}, "/x is missing"),
    "drop-in": (
        {"stage": {"problems": ["a.service: zz-fastopen.conf is gone"]}},
        "a.service: zz-fastopen.conf is gone",
    ),
    "undone": (
        {"stage": {"undone": {"a.service": GUARD}}},
        "a.service was taken off by guard at 2026-01-01T00:00:00Z: SYNs lost",
    ),
    "path": ({"reasons": ["no_cookie: ss1"]}, "no_cookie: ss1"),
    "boot": (
        {"boot": {"value": 1, "file": None, "agrees": False}},
        "the next boot sets net.ipv4.tcp_fastopen to 1, by the kernel itself",
    ),
}


@pytest.mark.parametrize(("change", "drift"), DRIFT.values(), ids=DRIFT)
def test_drift(change, drift):
    """Named, and wrong for audit_strict."""
    (row,) = _audit.rows({"ss1": look(**change)})
    assert (row["state"], row["drift"], _audit.wrong([row])) == ("drift", [drift], ["ss1"])
    assert drift in "\n".join(_audit.table([row]))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"reasons": ["claimed by run r of me"], "step": {"outcome": "refused", "differs": []}},
        {"stage": {"intended": "off", "actual": "off"}, "boot": {"agrees": False}},
        {"problems": [{"code": "c", "severity": "info", "message": "m", "remedy": "r"}]},
    ],
)
def test_no_drift(change):
    """That another run holds the host is none, nor what TFO does not need."""
    (row,) = _audit.rows({"ss1": look(**change)})
    assert (row["state"], row["drift"], _audit.wrong([row])) == ("ok", [], [])


@pytest.mark.parametrize(
    ("stage", "state"),
    [({}, "foreign"), ({"intended": "off"}, "foreign"), ({"intended": "off", "actual": "off"}, "foreign")]
    + [({"actual": "off"}, "drift")],
)
def test_fast_open_by_its_own_config(stage, state):
    """Its owner's: named, and no drift of ours; what we intend there is judged all the same."""
    (row,) = _audit.rows({"ss1": look(stage=stage, own_fast_open=["office.service"])})
    assert (row["state"], _audit.wrong([row])) == (state, ["ss1"] if state == "drift" else [])
    assert "office.service has fast_open by its owner's config: foreign" in "\n".join(_audit.table([row]))


def test_what_the_guard_names():
    """Of its side only: a problem, and no drift."""
    named = {"server": [{"message": "a queue was full", "remedy": "r"}], "client": [{"message": "else", "remedy": "r"}]}
    (row,) = _audit.rows({"ss1": look(stage={"guard": {"named": named}})})
    assert (row["state"], [problem["message"] for problem in row["problems"]]) == ("ok", ["a queue was full"])
    assert "guard: a queue was full -> r" in "\n".join(_audit.table([row]))


def test_guard_that_cannot_watch():
    """On whichever side."""
    named = {"client": [], "server": [], "watch": [{"message": "the guard cannot watch", "remedy": "r"}]}
    (row,) = _audit.rows({"ss1": look(stage={"guard": {"named": named}})})
    assert "guard: the guard cannot watch -> r" in "\n".join(_audit.table([row]))
    assert _audit.wrong([row]) == []


@pytest.mark.parametrize(
    ("by", "remedy"), [("guard", "-e rollout_retry=true"), ("operator", "-e rollout_retry=true"), ("lease", "The next")]
)
def test_taken_off_and_meant_to_be(by, remedy):
    """By a rollout that took it back, or before an operator did: who it was stays known, and nothing differs from what is meant."""
    stage = {"intended": "off", "actual": "off", "undone": {"a.service": {**GUARD, "by": by, "intended": "off"}}}
    (row,) = _audit.rows({"ss1": look(stage=stage)})
    assert (row["state"], row["drift"], _audit.wrong([row])) == ("ok", [], [])
    named = f"undone: a.service was taken off by {by} at 2026-01-01T00:00:00Z: SYNs lost -> {remedy}"
    assert named in "\n".join(_audit.table([row]))


@pytest.mark.parametrize("side", ["server", "client"])
def test_kill_switch(side):
    """It is what an operator wants: named on servers, and no drift."""
    stage = {"intended": "off", "actual": "off", "kill_switch": {"by": "ops@desk", "when": "2026-01-01T00:00:00Z"}}
    (row,) = _audit.rows({"ss1": look(stage=stage, side=side)})
    assert (row["state"], _audit.wrong([row])) == ("ok", [])
    named = (
        "kill_switch: bit 0x2 is kept off since 2026-01-01T00:00:00Z, by ops@desk. -> rollback -e rollback_scope=accept"
    )
    assert (named in "\n".join(_audit.table([row]))) == (side == "server")


@pytest.mark.parametrize("killed", [None, {"by": "ops@desk", "when": "2026-01-01T00:00:00Z"}])
@pytest.mark.parametrize("side", ["server", "client"])
def test_bit_that_the_kill_switch_keeps_off(side, killed):
    """Nobody is told to set it meanwhile: nothing would; other problems of the kernel are named all the same."""
    found = [{"code": code, "severity": "warning", "message": "m", "remedy": "r"} for code in ("accept_off", "paused")]
    (row,) = _audit.rows({"ss1": look(stage={"kill_switch": killed}, side=side, problems=found)})
    named = [problem["code"] for problem in row["problems"] if problem["code"] != "kill_switch"]
    assert named == (["paused"] if killed else ["accept_off", "paused"])


def test_problem_of_severity_error_is_wrong():
    """syncookies=2 switches TFO off whatever is set."""
    problem = {"code": "syncookies_always", "severity": "error", "message": "m", "remedy": "r"}
    rows = _audit.rows({"ss1": look(problems=[problem]), "ss2": look()})
    assert _audit.wrong(rows) == ["ss1"]


def test_host_without_a_look():
    """Unreachable and failed hosts have a row of their own, a side that is not known a question mark."""
    rows = _audit.rows({"c1": {"unreachable": True, "msg": "ssh"}, "c2": {"failed": True, "msg": "boom"}})
    assert [(row["host"], row["state"], row["drift"]) for row in rows] == [
        ("c1", "unreachable", ["ssh"]),
        ("c2", "failed", ["boom"]),
    ]
    assert _audit.wrong(rows) == ["c1", "c2"]
