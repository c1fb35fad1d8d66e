# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage over adopted services: only their TFO is ours, and of that only what their owner did not set himself."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _observe
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _deployed,
    _drop_in,
    _lease,
    _record,
    _status,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._others import (
    CLIENT,
    FLAG,
    LISTENER,
    OWN,
    SERVICES,
    TWO_SERVERS,
    argv,
    ask,
    drop_ins,
    restarts,
    serve,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import SERVER_SERVICE


def problems():
    """What status tells."""
    return [problem for unit in _status.observe()["units"] for problem in unit["problems"]]


@pytest.fixture(params=["config", "ExecStart", "variable"])
def own(others, request):
    """A server with fast_open by its own config, or with the flag by its own unit, there or in a variable."""
    serve(others, OWN, " --fast-open" if request.param == "ExecStart" else "")
    if request.param == "variable":
        argv(others, OWN).append("--fast-open")
        others.plain = others.observe()
    assert ("--fast-open" in argv(others, OWN)) == (request.param != "config")
    return others


# Another mode than before.


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_from_flag_to_listener(others, state):
    """Its owner chose so: our drop-in goes, it restarts without the flag, and the record follows."""
    serve(others, FLAG)
    ask(others, state, FLAG)
    others.host.done.clear()
    service = {**SERVICES[FLAG], "fast_open_mode": "listener"}
    result = others.ask("stepped", "server", services=[service])
    assert (result.outcome, result.reasons) == ("stepped", [])
    assert any("mode flag" in one["why"] for one in result.differs)
    assert ("--fast-open" in argv(others, FLAG), drop_ins(others), restarts(others)) == (False, [], [FLAG])
    assert (others.lease()["units"][FLAG]["mode"], _record.load().units, problems()) == ("listener", {}, [])
    assert others.ask("confirmed", "server", services=[service]).outcome == "confirmed"
    assert others.ask("stepped", "server", services=[service]).changed is False
    others.ask("plain", "server", services=[service], run="")
    assert others.observe() == others.plain


def test_from_listener_to_flag(others):
    """Bit 0x400 was for that mode alone, and for every other listener of the host: it goes at once."""
    serve(others, FLAG)
    listener = {**SERVICES[FLAG], "fast_open_mode": "listener"}
    others.ask("present", "server", services=[listener])
    assert (others.host.sysctl(), others.boot()) == ("1027", "1027")
    assert ask(others, "stepped", FLAG).outcome == "stepped"
    assert others.host.sysctl() == "3"
    assert ask(others, "confirmed", FLAG).outcome == "confirmed"
    assert (others.host.sysctl(), others.boot()) == ("3", "3")
    assert ask(others, "stepped", FLAG).changed is False
    ask(others, "plain", FLAG, run="")
    assert others.observe() == others.plain


def test_from_flag_to_own(others):
    """Its owner switched it on himself meanwhile: nothing of ours is needed but the bits, and nothing restarts."""
    serve(others, FLAG)
    ask(others, "present", FLAG)
    others.host.done.clear()
    service = {**SERVICES[FLAG], "fast_open_mode": "own"}
    assert others.ask("stepped", "server", services=[service]).outcome == "stepped"
    assert (drop_ins(others), restarts(others)) == ([], [])
    assert others.lease()["units"][FLAG]["mode"] == "own"


# Mode own: the bits only.


def test_own_up(own):
    """Bits and line; its unit is its owner's. It is proven by a SYN."""
    result = ask(own, "stepped", OWN)
    assert (result.outcome, [one["what"] for one in result.differs]) == ("stepped", ["kernel"])
    assert (own.host.sysctl(), own.boot(), own.host.probed) == ("3", None, [("127.0.0.1", 8390)])
    assert own.lease()["units"][OWN]["mode"] == "own"
    assert problems() == []
    result = ask(own, "confirmed", OWN)
    assert (result.outcome, result.changed, own.boot(), problems()) == ("confirmed", True, "3", [])
    assert (restarts(own), drop_ins(own)) == ([], [])
    (unit,) = _status.observe()["units"]
    assert (unit["unit"], unit["state"], unit["stage"]) == (OWN, "confirmed", "accept")
    again = ask(own, "stepped", OWN)
    assert (again.outcome, again.differs, restarts(own)) == ("confirmed", [], [])


def test_own_that_does_not_accept(own):
    """The bits alone prove nothing."""
    own.host.verdicts[8390] = "data_refused"
    result = ask(own, "stepped", OWN)
    assert (result.outcome, result.reasons) == ("failed", ["data_refused: port 8390 does not accept SYN data"])


@pytest.mark.parametrize("state", ["stepped", "present"])
@pytest.mark.parametrize("known", [True, False])
def test_own_down(own, state, known):
    """Bits and line go back. It is not restarted for that, and its own flag is no proof against it."""
    ask(own, state, OWN)
    own.host.done.clear()
    services = [SERVICES[OWN]] if known else []
    planned = own.ask("plain", "server", check=True, services=services, run="")
    result = own.ask("plain", "server", services=services, run="")
    assert (result.outcome, result.reasons, result.changed) == ("plain", [], True)
    assert {one["what"] for one in result.differs} == {"kernel"} | ({"file"} if state == "present" else set())
    assert planned.differs == result.differs
    assert (own.host.sysctl(), own.boot(), own.observe()) == ("1", None, own.plain)
    assert restarts(own) == []
    assert (_record.load(), _record.load_lease()) == (_record.Record(), None)


def test_own_that_was_never_up(own):
    """A way down finds nothing of ours, and keeps nothing of it."""
    result = ask(own, "plain", OWN, memory="add")
    assert (result.outcome, result.changed, restarts(own)) == ("plain", False, [])
    assert _record.load() == _record.Record()


def test_own_that_does_not_answer(own):
    """It is asked on the way down, as any other."""
    ask(own, "present", OWN)
    own.host.answers = False
    result = ask(own, "plain", OWN)
    assert (result.outcome, result.reasons) == ("failed", [f"{OWN} takes no connection on port 8390"])


def test_own_under_a_lease(own):
    """What nobody confirmed goes by itself."""
    ask(own, "stepped", OWN)
    own.end_lease()
    result = _lease.expire(_record.load_lease())
    assert (result.outcome, result.reasons, restarts(own)) == ("plain", [], [])
    assert (own.observe(), _record.load().undone[OWN]["by"]) == (own.plain, "lease")


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_own_killed(own, state):
    """0x2 at once and for the boot, without a restart; lifted and confirmed anew it is as before."""
    ask(own, state, OWN)
    result = ask(own, "killed", OWN, run="")
    assert (result.outcome, own.host.sysctl(), own.boot(), restarts(own)) == ("killed", "1", None, [])
    assert problems() == []
    ask(own, "lifted", OWN, run="")
    assert ask(own, "present", OWN, run="run2", retry=True).outcome == "confirmed"
    assert (own.host.sysctl(), own.boot(), restarts(own)) == ("3", "3", [])


def test_own_that_needs_the_bit_to_send(others):
    """A server with the flag fails without 0x1, whoever set it: that bit stays, and is told."""
    serve(others, OWN, " --fast-open")
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(others.host.root / "proc"))
    ask(others, "present", OWN)
    assert others.host.sysctl() == "3"
    result = ask(others, "plain", OWN)
    assert (result.outcome, others.host.sysctl(), restarts(others)) == ("plain", "1", [])
    assert "bit 0x1 stays" in result.reasons[0]


# Listener beside flag.


def test_listener_beside_flag(mixed):
    """All bits, a drop-in for the one that has the flag, one restart each; and all of it goes back."""
    result = ask(mixed, "stepped", FLAG, LISTENER)
    assert (result.outcome, result.reasons) == ("stepped", [])
    assert (int(mixed.host.sysctl()), drop_ins(mixed)) == (0x403, [f"{FLAG}.d/zz-fastopen.conf"])
    assert sorted(restarts(mixed)) == sorted([FLAG, LISTENER])
    assert ("--fast-open" in argv(mixed, FLAG), "--fast-open" in argv(mixed, LISTENER)) == (True, False)
    assert sorted(mixed.host.probed) == [("127.0.0.1", 443), ("127.0.0.1", 8391)]
    mixed.host.done.clear()
    assert ask(mixed, "confirmed", FLAG, LISTENER).outcome == "confirmed"
    assert (restarts(mixed), mixed.boot(), problems()) == ([], "1027", [])
    now = mixed.observe()
    again = ask(mixed, "stepped", FLAG, LISTENER)
    assert (again.outcome, again.changed, again.differs) == ("confirmed", False, [])
    assert (mixed.observe(), restarts(mixed)) == (now, [])
    down = ask(mixed, "plain", FLAG, LISTENER, run="")
    assert (down.outcome, down.reasons, mixed.observe()) == ("plain", [], mixed.plain)
    assert sorted(restarts(mixed)) == sorted([FLAG, LISTENER])
    assert drop_ins(mixed) == []


def test_own_beside_flag(others):
    """Neither unit is mistaken for the other."""
    serve(others, OWN)
    serve(others, FLAG)
    ask(others, "present", OWN, FLAG)
    assert (others.host.sysctl(), restarts(others)) == ("3", [FLAG])
    others.host.done.clear()
    assert ask(others, "plain", OWN, FLAG).outcome == "plain"
    assert (others.observe(), restarts(others)) == (others.plain, [FLAG])


def test_listener_with_a_flag_of_its_own(others):
    """Adopted by its port, a program may have such an argument: it is not ours, and the way down does not fail for it."""
    serve(others, LISTENER, " --fast-open")
    assert ask(others, "present", LISTENER).outcome == "confirmed"
    others.host.done.clear()
    down = ask(others, "plain", LISTENER)
    assert (down.outcome, down.reasons, restarts(others)) == ("plain", [], [LISTENER])
    assert {one["why"] for one in down.differs if one["what"] == "service"} == {"listens with bit 0x400"}
    again = ask(others, "plain", LISTENER, memory="add")
    assert (again.changed, _record.load()) == (False, _record.Record())


# Instances that are none.


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_unfit(mixed, state):
    """Whoever cannot be adopted is named, and the side stays as it is."""
    unfit = ["a: x.service: there is no such unit", "b: it sends by its own config"]
    result = ask(mixed, state, FLAG, unfit=unfit)
    assert (result.outcome, result.changed, result.reasons) == ("skipped", False, ["; ".join(unfit)])
    assert (mixed.observe(), mixed.host.sysctl(), restarts(mixed)) == (mixed.plain, "1", [])
    assert mixed.lease().get("units", {}) == {}


@pytest.mark.parametrize("state", ["stepped", "present"])
def test_unfit_comes_down(mixed, state):
    """One that was under TFO is taken off by what the host keeps, whatever it is by now."""
    ask(mixed, state, FLAG, LISTENER)
    result = mixed.ask("plain", "server", services=[], unfit=["branch: it cannot be read"], run="")
    assert (result.outcome, result.reasons, mixed.observe()) == ("plain", [], mixed.plain)


def test_unfit_beside_what_is_confirmed(mixed):
    """What was confirmed stays."""
    ask(mixed, "present", FLAG)
    now = mixed.observe()
    assert ask(mixed, "stepped", FLAG, unfit=["other: it is inactive"]).outcome == "skipped"
    assert mixed.observe() == now
    assert set(_record.load().units) == {FLAG}


# Instances of somebody's template, and a client of several servers.


def test_instance_of_a_template(others):
    """The drop-in is the instance's: its sister runs on as it was."""
    sister = "branch@us.service"
    serve(others, FLAG)
    others.host.put(others.host.root / f"etc/other/{sister}.json", json.dumps({"server_port": 8399}))
    others.host._systemctl("start", sister)
    others.plain = others.observe()
    pid = others.host.running[sister]
    for state, folder in (("stepped", others.host.run_unit_dir), ("confirmed", others.host.unit_dir)):
        assert ask(others, state, FLAG).outcome == state
        assert [str(path) for path in folder.rglob("zz-fastopen.conf")] == [f"{folder}/{FLAG}.d/zz-fastopen.conf"]
        assert drop_ins(others) == [f"{FLAG}.d/zz-fastopen.conf"]
    assert (argv(others, FLAG)[-1], argv(others, FLAG)[2].endswith("branch@eu.service.json")) == ("--fast-open", True)
    assert "@%i.service" in (others.host.unit_dir / f"{FLAG}.d/zz-fastopen.conf").read_text()
    assert ("--fast-open" in argv(others, sister), others.host.running[sister]) == (False, pid)
    assert set(_record.load().units) == {FLAG}
    assert ask(others, "plain", FLAG).outcome == "plain"
    assert (others.observe(), others.host.running[sister]) == (others.plain, pid)


def test_instance_of_which_only_the_drop_in_is_left(others):
    """Its mark says what it is: it comes down without record and inventory."""
    serve(others, FLAG)
    ask(others, "present", FLAG)
    (others.host.state_dir / "record.json").unlink()
    (unit,) = _status.observe()["units"]
    assert (unit["unit"], unit["side"], unit["state"]) == (FLAG, "server", "unknown")
    assert others.ask("plain", "client", services=[]).changed is False
    assert others.ask("plain", "server", services=[], run="").outcome == "plain"
    assert ("--fast-open" in argv(others, FLAG), drop_ins(others)) == (False, [])


def test_client_of_several_servers(others):
    """One unit: one drop-in, one restart, one tunnel to ask, and a path for each server."""
    serve(others, CLIENT)
    result = others.ask("present", "client", services=TWO_SERVERS)
    assert (result.outcome, result.reasons, restarts(others)) == ("confirmed", [], [CLIENT])
    assert (len(result.tunnels), others.host.probed) == (1, [("203.0.113.7", 8388), ("203.0.113.8", 8388)])
    assert drop_ins(others) == [f"{CLIENT}.d/zz-fastopen.conf"]
    assert others.ask("plain", "client", services=TWO_SERVERS).outcome == "plain"
    assert others.observe() == others.plain


@pytest.mark.parametrize("folder", ["run_unit_dir", "unit_dir"])
def test_file_of_our_name_that_is_not_ours(own, folder):
    """A service without a drop-in of ours keeps its owner's, whatever it is called."""
    file = getattr(own.host, folder) / f"{OWN}.d/zz-fastopen.conf"
    own.host.put(file, "[Service]\nNice=5\n")
    own.host._systemctl("daemon-reload")
    for state in ("present", "stepped", "confirmed", "plain"):
        result = ask(own, state, OWN)
        assert (state, result.outcome) == (state, "plain" if state == "plain" else "confirmed")
        assert (state, file.read_text()) == (state, "[Service]\nNice=5\n")


def test_file_of_our_name_beside_ours(others):
    """Of two files of that name only the one with our mark is ours, so only that one goes."""
    serve(others, FLAG)
    ask(others, "present", FLAG)
    file = others.host.run_unit_dir / f"{FLAG}.d/zz-fastopen.conf"
    others.host.put(file, "[Service]\nNice=5\n")
    assert _drop_in.present()[FLAG].folders == (_drop_in.CONFIRMED,)
    ask(others, "confirmed", FLAG)
    assert ask(others, "plain", FLAG).outcome == "plain"
    assert (drop_ins(others), file.read_text()) == ([f"{FLAG}.d/zz-fastopen.conf"], "[Service]\nNice=5\n")


def test_stopped_by_its_owner(others):
    """A deployment of ours beside it leaves it under TFO: nobody removed it."""
    serve(others, LISTENER)
    ask(others, "present", LISTENER)
    others.host._systemctl("disable", LISTENER)
    others.host._systemctl("stop", LISTENER)
    _deployed.deploy(_observe.Wanted("server", [SERVER_SERVICE]), check=False)
    assert set(_record.load().units) == {LISTENER}
