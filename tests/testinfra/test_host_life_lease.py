# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a step, which undoes it, and the claim that it is: who holds a host, who may take it, and until when."""

from __future__ import annotations

import json
import re
import subprocess

from _hosts import FLEET, fleet
from _life import FOLDER, LEASE, PROGRAM, SERVER, life, on_both, run

RACE = f"""
import json, os, subprocess, sys, time
import _life_driver as driver, _life_seen as seen
request, won = json.load(sys.stdin), []
for number in range(10):
    asked = {{**request, "run": f"race-{{number}}", "lease_seconds": 30.0}}
    for state in ("claimed", "stepped"):
        assert driver.forked(state, asked)["outcome"] == state
    kept = json.load(open("{LEASE}"))
    json.dump({{**kept, "deadline": time.monotonic() + 0.15}}, open("{LEASE}", "w"))
    expire = subprocess.Popen(["{PROGRAM}", "expire", asked["run"]])
    time.sleep(0.06 + number * 0.014)
    done = driver.forked("confirmed", asked)
    expire.wait()
    while os.path.exists("{LEASE}") and json.load(open("{LEASE}"))["units"]:
        subprocess.run(["{PROGRAM}", "expire", asked["run"]])
    flagged = "--fast-open" in seen.see()["argv"]["{SERVER}"]
    assert flagged == (done["outcome"] == "confirmed"), (flagged, done)
    assert flagged or "lease" in done["reasons"][0] and "ended" in done["reasons"][0], done
    assert not seen.fetch("server")
    won.append(flagged)
    driver.forked("plain", {{**request, "run": "", "memory": "forget"}})
sys.exit(None if len(set(won)) == 2 else f"always the same one wins: {{won}}")
"""
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@on_both
def test_step_is_undone_when_its_lease_ends(name: str) -> None:
    """Also across daemon-reload and daemon-reexec, which 252 forgets a transient unit's escapes in."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", lease_seconds=10.0)
        host.is_("stepped", "server")
        host.shell("systemctl daemon-reload; systemctl daemon-reexec")
        assert host.see()["timers"]
        host.wait(host.ended)
        host.is_("plain", "server")
        host.as_before()
        assert not host.see()["timers"]
        (undone,) = host.status()["undone"].values()
        assert undone["by"] == "lease" and "nobody confirmed its step" in undone["why"]
        why = host.refused("server", "confirmed")
        assert re.search(f"run one has no say on this host any more: its lease ended at {ISO}", why)
        host.get("server", "claimed", "stepped", "confirmed", run="two")  # a lease's undoing is tried again
        host.is_("confirmed", "server")
        assert not host.status()["undone"]
        host.get("server", "released", run="two")


def soft_reboots() -> str:
    """How many c4 has had, in the middle of one '' or the old number."""
    done = subprocess.run(
        [FLEET, "exec", "c4", "sh", "-c", "systemctl is-system-running -q && systemctl show -P SoftRebootsCount"],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    return done.stdout.strip()


@on_both
def test_lease_outlives_what_stops_units(name: str) -> None:
    """`systemctl isolate` stops what its target does not ask for, and a soft reboot, which 252 has not, nearly all; /run
    and the step in it stay."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", lease_seconds=20.0)
        host.shell("systemctl isolate multi-user.target")
        if name == "c4":
            before = soft_reboots()
            fleet("exec", "c4", "systemctl", "soft-reboot")
            host.wait(lambda: soft_reboots() == str(int(before) + 1))
        host.is_("stepped", "server")
        host.wait(host.ended)
        host.is_("plain", "server")
        host.as_before()


def test_renewal_moves_the_end() -> None:
    with life("c4") as host:
        host.get("server", "claimed", "stepped", lease_seconds=8.0)
        first = host.lease()
        host.get("server", "stepped", lease_seconds=30.0)
        second = host.lease()
        assert second["deadline"] - first["deadline"] > 20
        assert first["since"] == second["since"]
        assert [timer for timer in host.see()["timers"] if timer.endswith(".timer")] == [f"{second['timer']}.timer"]
        host.shell("sleep 8.5")
        host.is_("stepped", "server")


@on_both
def test_lease_ends_on_time_whoever_reloads_systemd(name: str) -> None:
    """OnActiveSec alone would be counted anew each time, and never elapse."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", lease_seconds=4.0)
        host.shell("for n in $(seq 7); do sleep 1; systemctl daemon-reload; done")
        host.is_("plain", "server")
        assert host.ended()


@on_both
def test_clock_of_the_wall_does_not_matter(name: str) -> None:
    """The timer has a monotonic trigger and no other, and the deadline is one of CLOCK_MONOTONIC."""
    with life(name) as host:
        host.get("server", "claimed", lease_seconds=25.0)
        shown = host.shell(f"systemctl show {host.lease()['timer']}.timer -p TimersMonotonic -p TimersCalendar")
        assert "OnActiveUSec=25s" in shown
        assert "OnCalendar" not in shown
        assert "Persistent=yes" not in host.shell(f"systemctl show {host.lease()['timer']}.timer")
        left = float(host.shell("python3 -c 'import time; print(time.monotonic())'"))
        assert 20 < host.lease()["deadline"] - left <= 25


@on_both
def test_slow_systemd_does_not_lose_the_lease(name: str) -> None:
    """systemd-run takes a second longer than its timer needs to fire early: the timer must find the lease ended."""
    with life(name) as host:
        host.get("server", "claimed")
        host.shell(
            "mkdir -p /root/slow && printf '%s\\n' '#!/bin/sh' '/usr/bin/systemd-run \"$@\"' 'r=$?; sleep 1.5; exit $r'"
            " > /root/slow/systemd-run && chmod +x /root/slow/systemd-run"
        )
        asked = {"state": "stepped", "request": host.request("server", lease_seconds=2.5)}
        command = f"PATH=/root/slow:$PATH python3 {FOLDER}/_life_driver.py"
        done = json.loads(run(name, command, json.dumps(asked).encode()))
        assert done["outcome"] == "stepped", done["reasons"]
        host.wait(host.ended)
        host.is_("plain", "server")


@on_both
def test_undoing_that_is_killed_goes_on(name: str) -> None:
    """The program is stopped by what it waits for, killed, and started again by systemd."""
    with life(name) as host:
        host.shell(
            "mkdir -p /run/systemd/system/ss-server@main.service.d && "
            "printf '[Service]\\nExecStartPre=/bin/sleep 2\\n' > /run/systemd/system/ss-server@main.service.d/00-slow.conf"
            " && systemctl daemon-reload"
        )
        host.get("server", "claimed", "stepped", lease_seconds=4.0)
        service = f"{host.lease()['timer']}.service"
        host.wait(lambda: f"{PROGRAM} expire one" in host.shell("ps -eo args"))
        host.wait(lambda: "systemctl --no-ask-password restart" in host.shell("ps -eo args"))
        host.shell(f"systemctl kill --signal=KILL --kill-whom=main {service} || systemctl kill --signal=KILL {service}")
        host.wait(host.ended, 12.0)
        host.shell("rm -r /run/systemd/system/ss-server@main.service.d; systemctl daemon-reload")
        host.is_("plain", "server")


@on_both
def test_confirm_races_with_the_end_of_the_lease(name: str) -> None:
    """Both wait for one lock: exactly one of them wins, and the other says what that one did."""
    with life(name) as host:
        host.shell(f"cat > {FOLDER}/race.py <<'END'\n{RACE}\nEND")
        run(name, f"python3 {FOLDER}/race.py", json.dumps(host.request("server")).encode())


@on_both
def test_second_run_is_refused_by_name(name: str) -> None:
    with life(name) as host:
        host.get("server", "claimed", "stepped")
        for state in ("claimed", "stepped", "present"):
            why = host.refused("server", state, run="two", who="else@where")
            assert "claimed by run one of tester@life since " in why
            assert "-e rollout_take_over=one" in why
        assert "claimed by run one" in host.refused("server", "confirmed", run="two")
        host.is_("stepped", "server")
        host.get("server", "claimed", run="two", who="else@where", take_over="one")
        assert host.lease()["who"] == "else@where"
        why = host.refused("server", "confirmed")
        assert re.search(f"run one has no say .*: run two of else@where took it over at {ISO}", why)
        assert "run one has no say" in host.refused("server", "stepped")
        host.get("server", "confirmed", "released", run="two")
        host.is_("confirmed", "server")
        host.get("server", "claimed", run="three")
        host.get("server", "released", run="three")
        assert host.ended()


def test_claim_ends_by_itself() -> None:
    with life("c3") as host:
        host.get("server", "claimed", lease_seconds=1.5)
        host.refused("server", "claimed", run="two")
        host.wait(host.ended)
        host.get("server", "claimed", "released", run="two")


def test_dead_call_of_a_role_is_in_nobodys_way() -> None:
    """Its claim lives as long as its call; a later one finds it, and goes on."""
    with life("c4") as host:
        edges = len(host.call("server", "present", run="role-0")["edges"])
        host.reset()
        assert host.call("server", "present", kill=edges // 2, run="role-1")["outcome"] == "dead"
        assert host.lease()["run"] == "role-1"
        host.get("server", "present", run="role-2")
        host.is_("confirmed", "server")
        assert host.ended()


@on_both
def test_rollback_ends_a_rollout(name: str) -> None:
    with life(name) as host:
        host.get("server", "claimed", "stepped")
        host.get("server", "plain", run="", who="op@desk", why="rollback of all")
        host.is_("plain", "server")
        for state in ("confirmed", "stepped", "claimed"):
            why = host.refused("server", state)
            assert re.search(f"run one has no say on this host any more: rollback of all by op@desk at {ISO}", why)
        host.get("server", "claimed", "stepped", run="two")


def test_revert_keeps_the_claim() -> None:
    """A run takes its own step back, and goes on with the host."""
    with life("c3") as host:
        host.get("server", "claimed", "stepped", "plain")
        host.is_("plain", "server")
        assert host.lease()["run"] == "one"
        host.get("server", "released")
        assert host.ended()


def test_confirm_without_a_step() -> None:
    with life("c3") as host:
        host.get("server", "claimed")
        assert "there is no step to confirm; nothing is kept of one" in host.refused("server", "confirmed")
        host.get("server", "stepped", "confirmed", "confirmed", "released")
        assert "there is no step to confirm" in host.refused("client", "confirmed", run="two")
