# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run has ended."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _end


def look(side="client", done=False, skipped=False):
    """What tfo_host returned in the preflight."""
    return {
        "side": side,
        "done": done,
        "step": {"outcome": "skipped" if skipped else "planned"},
        "reasons": ["no_cookie"],
    }


def wave(outcome, side="client", verdict="promote", as_server=None):
    """The last wave of c1."""
    one = {"outcome": outcome, "reasons": ["because"], "said": ""}
    hosts = {"c1": one}
    also = {"c1": {**one, "outcome": as_server}} if as_server else {}
    return {"side": side, "name": "wave 2", "verdict": verdict, "why": ["late"], "hosts": hosts, "as_server": also}


@pytest.mark.parametrize(
    ("looks", "last", "ended"),
    [
        ([look()], wave("promoted"), [("client", "promoted")]),
        ([look(done=True)], None, [("client", "promoted")]),
        ([look(skipped=True)], None, [("client", "skipped")]),
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


def side(outcome, host="c1", why="because"):
    """A client at the end."""
    return _end.Side(host, "client", outcome, why)


@pytest.mark.parametrize("outcome", ["inconclusive", "reverted", "failed", "refused", "unreachable"])
def test_amiss(outcome):
    """Whoever is neither promoted nor skipped is named."""
    found = [side("promoted"), side("skipped", "c2"), side(outcome, "c3")]
    assert _end.amiss(found, None) == {"c3": f"{outcome}: because"}


def test_who_was_not_reached_is_not_to_blame():
    """But for a run in which nobody else is."""
    found = [side("skipped"), side("refused", "c2", _end.NOT_REACHED)]
    assert _end.amiss(found, wave("skipped", verdict="inconclusive")) == {"c1": "the run stopped at wave 2: late"}
    assert _end.amiss(found, None) == {"c2": f"refused: {_end.NOT_REACHED}"}


@pytest.mark.parametrize(
    ("waves", "back"),
    [
        ({"c1": wave("reverted", verdict="roll_back")}, ["c1", "c2"]),
        ({"c1": wave("inconclusive", verdict="inconclusive")}, []),
        ({"ss1": wave("reverted", "server", "roll_back")}, []),
        ({}, []),
    ],
)
def test_to_revert(waves, back):
    """All clients of the run, whatever their wave was; servers go on."""
    assert _end.to_revert({"ss1": [look("server")], "c1": [look()], "c2": [look(done=True)]}, waves) == back


def test_taken_back():
    """Where that was proven."""
    found = [side("promoted", name) for name in ("c1", "c2", "c3")] + [side("reverted", "c4")]
    results = {"c1": {"outcome": "plain"}, "c2": {"failed": True, "msg": "x"}, "c3": {"unreachable": True}, "c4": {}}
    ended = _end.taken_back(found, results)
    assert [one.outcome for one in ended] == ["reverted", "failed", "unreachable", "reverted"]
    assert _end.taken_back(found, {"c1": {"skipped": True}}) == found


@pytest.mark.parametrize(
    ("found", "stopped", "clients_left", "told"),
    [
        ([side("promoted")], None, False, "Next: ansible-playbook fastopen.shadowsocks.audit"),
        ([side("promoted")], None, True, "rollout --limit canary"),
        ([side("reverted")], None, False, "-e rollout_retry=true tries them again"),
        ([side("inconclusive")], None, False, "run it again for more samples"),
        ([side("planned")], None, False, "Nothing was changed. Next: ansible-playbook fastopen.shadowsocks.rollout"),
        ([side("reverted")], wave("reverted", verdict="roll_back"), False, "The run stopped at wave 2."),
    ],
)
def test_next_command(found, stopped, clients_left, told):
    """The last line says what to do."""
    assert told in "\n".join(_end.lines(found, stopped, clients_left))


def test_lines():
    """Who has it, who has not and why."""
    found = [side("promoted", f"c{n}") for n in range(12)] + [side("skipped", "d1", "no_cookie: ss1")]
    lines = _end.lines(found, None, False)
    assert lines[1] == "  promoted     12: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more"
    assert lines[2:4] == ["  skipped      1: d1", "    d1: no_cookie: ss1"]
