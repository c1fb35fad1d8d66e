# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes a host's TFO off besides a rollout: the kill switch, the guard, an operator at the console."""

from __future__ import annotations

import re

from _life import SERVER, Life, life, module, on_both

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def lines_of_boot(host: Life) -> str:
    return host.shell("cat /etc/sysctl.d/*.conf 2>/dev/null | grep -E '^ *net.ipv4.tcp_fastopen *=' || true")


@on_both
def test_kill_switch_on_a_plain_host(name: str) -> None:
    with life(name) as host:
        host.shell("sysctl -qw net.ipv4.tcp_fastopen=3")  # somebody else's
        host.get("server", "killed", who="op@desk", run="")
        host.is_("plain", "server", value=1)
        assert host.record()["killed"]["by"] == "op@desk"
        why = host.refused("server", "stepped")
        assert re.search(rf"the kill switch is on since {ISO} \(op@desk\): lift it with", why)
        host.get("server", "killed", run="")  # again: nothing new
        host.get("server", "lifted", run="")
        host.get("server", "claimed", "stepped", run="two")


@on_both
def test_kill_switch_on_a_stepped_host(name: str) -> None:
    with life(name) as host:
        host.get("server", "claimed", "stepped")
        host.get("server", "killed", who="op@desk", run="", why="kill switch")
        host.is_("plain", "server")
        assert re.search(f"kill switch by op@desk at {ISO}", host.refused("server", "confirmed"))
        assert host.ended()
        host.as_before("files", "value", "boot", "argv", "units")


@on_both
def test_kill_switch_on_a_confirmed_host(name: str) -> None:
    """At once and at boot, without a restart, and kept off whoever asks: also role tcp_fastopen's module."""
    with life(name) as host:
        host.get("server", "present", run="role-1")
        before = host.is_("confirmed", "server")
        host.get("server", "killed", who="op@desk", run="")
        seen = host.is_("killed", "server")
        assert seen["pid"][SERVER] == before["pid"][SERVER]
        assert lines_of_boot(host) == ""
        assert "the kill switch is on" in host.refused("server", "present", run="role-2")
        asked = module(name, "tfo_sysctl", accept=True)
        assert "accept (0x2) stays off: the kill switch of op@desk is on" in asked
        assert host.see()["value"] == 1 and host.see()["boot"] == 1
        host.get("server", "lifted", run="")
        assert host.see()["value"] == 1, "lifting switches nothing on"
        module(name, "tfo_sysctl", state="restored")
        host.get("server", "present", run="role-3")
        host.is_("confirmed", "server")


@on_both
def test_kill_switch_and_another_file_for_the_boot(name: str) -> None:
    with life(name) as host:
        host.shell("echo net.ipv4.tcp_fastopen = 3 > /etc/sysctl.d/zz-other.conf")
        done = host.call("server", "killed", run="")
        assert done["outcome"] == "failed"
        assert "At boot /etc/sysctl.d/zz-other.conf sets net.ipv4.tcp_fastopen" in "; ".join(done["reasons"])
        assert host.see()["value"] == 1
        assert "the kill switch is on" in host.refused("server", "stepped")
        host.shell("rm /etc/sysctl.d/zz-other.conf")
        host.get("server", "killed", run="")


@on_both
def test_guard_undoes_a_step(name: str) -> None:
    with life(name) as host:
        host.get("server", "claimed", "stepped")
        said = host.program("undo", "--why", "SYNs with data are lost", SERVER)
        assert said.endswith("plain, and proven so")
        host.is_("plain", "server")
        done = host.call("server", "confirmed")
        assert done["outcome"] == "reverted"
        assert re.search(f"taken off by the guard at {ISO}: SYNs with data are lost", "; ".join(done["reasons"]))
        host.get("server", "claimed", run="two")
        done = host.call("server", "stepped", run="two")
        assert done["outcome"] == "skipped"
        assert re.search(
            rf"taken off by guard at {ISO} \(SYNs with data are lost\); -e rollout_retry=true", done["reasons"][0]
        )
        host.is_("plain", "server")
        host.get("server", "stepped", "confirmed", "released", run="two", retry=True)
        assert not host.status()["undone"]


@on_both
def test_guard_undoes_what_is_confirmed(name: str) -> None:
    with life(name) as host:
        host.get("server", "present", run="role-1")
        host.program("undo", "--why", "lost", SERVER)
        host.is_("plain", "server")
        assert f"{SERVER}: taken off by guard at " in host.program("status")
        assert host.call("server", "present", run="role-2")["outcome"] == "skipped"
        host.program("undo", "--why", "nothing to do", SERVER)
        assert host.status()["undone"][SERVER]["why"] == "lost"


@on_both
def test_off_at_the_console(name: str) -> None:
    """Both sides, and it stays so until a run is told to try again."""
    with life(name) as host:
        host.get("server", "present", run="role-1")
        host.program("off")
        host.is_("plain", "server")
        assert "no service is under TFO by us" in host.program("status")
        done = host.call("server", "present", run="role-2")
        assert done["outcome"] == "skipped" and "taken off by operator" in done["reasons"][0]
        host.get("server", "present", run="role-3", retry=True)


def test_client_of_a_dead_run_and_off() -> None:
    """c4's client is stepped beside its confirmed server; off takes both, and the run is told."""
    with life("c3") as other, life("c4") as host:
        other.get("server", "present", run="role-1")
        host.get("server", "present", run="role-1")
        host.get("client", "claimed", "stepped")
        host.is_("stepped", "client", value=3, boot=3)
        host.program("off", "--why", "at night")
        host.is_("plain", "client")
        host.is_("plain", "server")
        assert "at night" in host.refused("client", "confirmed")
