# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a host at its edges: reboots, full and read-only file systems, other values, what others own."""

from __future__ import annotations

import json

import pytest
from _hosts import fleet, host as shell_of
from _life import CLIENT, LINES, RECORD, SERVER, Life, life, module, on_both, programs, put

KEY = "01020304-05060708-090a0b0c-0d0e0f10"


def fill(host: Life, folder: str, read_only: bool = False) -> None:
    """A file system with no room, or none to write to, over the folder, with what was in it."""
    host.shell(
        f"rm -rf /root/kept; cp -a {folder} /root/kept 2>/dev/null || mkdir /root/kept; mkdir -p {folder};"
        f" mount -t tmpfs -o size=64k none {folder}; cp -a /root/kept/. {folder}/;"
        + (
            f"mount -o remount,ro {folder}"
            if read_only
            else f"dd if=/dev/zero of={folder}/full bs=1k 2>/dev/null; true"
        )
    )


@pytest.mark.parametrize("read_only", (False, True))
def test_no_room_for_the_record(read_only: bool) -> None:
    """The way up is refused before anything is changed; the way down works, and says it."""

    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            host.get("server", "claimed", "stepped", "confirmed")
            fill(host, "/var/lib/fastopen", read_only)
            done = host.call("server", "plain", run="", memory="add", why="x")
            assert done["outcome"] == "plain", done
            assert "done, but it cannot be kept: " in "; ".join(done["reasons"])
            host.is_("plain", "server")
            host.shell("umount /var/lib/fastopen; rm -rf /root/kept")
            host.reset()
            fill(host, "/var/lib/fastopen", read_only)
            before = host.see()
            for state in ("claimed", "present"):
                done = host.call("server", state, run="role-2")
                assert done["outcome"] == "error" and "/var/lib/fastopen" in done["reasons"][0], done
            assert host.see() == before
            host.shell("umount /var/lib/fastopen; rm -rf /root/kept")

    tried()


@pytest.mark.parametrize("read_only", (False, True))
def test_no_room_for_the_lease(read_only: bool) -> None:
    """Also in the middle of a step: that comes down by rollback and by `fastopen off`."""

    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            host.get("server", "claimed", "stepped", lease_seconds=60.0)
            fill(host, "/run/fastopen", read_only)
            done = host.call("server", "plain", run="")
            assert done["outcome"] == "plain", done
            assert "cannot be kept: " in "; ".join(done["reasons"])
            host.is_("plain", "server")
            before = host.see()
            done = host.call("server", "stepped", run="two", take_over="one")
            assert done["outcome"] == "error", done
            after = host.see()
            assert {key: after[key] for key in ("value", "files", "argv", "pid")} == {
                key: before[key] for key in ("value", "files", "argv", "pid")
            }
            host.shell("umount /run/fastopen; rm -rf /root/kept")

    tried()


@on_both
def test_off_where_nothing_can_be_kept(name: str) -> None:
    with life(name) as host:
        host.get("server", "claimed", "stepped", "confirmed")
        fill(host, "/run/fastopen", True)
        fill(host, "/var/lib/fastopen", True)
        said = host.program("off")
        assert "plain, and proven so" in said and "cannot be kept" in said
        host.is_("plain", "server")
        host.shell("umount /run/fastopen /var/lib/fastopen; rm -rf /root/kept")


@on_both
def test_value_of_0_before(name: str) -> None:
    """0x1 is raised and put back, but kept while a process of others needs it."""
    with life(name) as host:
        host.shell("sysctl -qw net.ipv4.tcp_fastopen=0")
        host.get("server", "claimed", "stepped", "confirmed")
        assert host.see()["value"] == 3 and host.see()["boot"] == 3
        host.get("server", "plain")
        host.is_("plain", "server", value=0)
        host.get("server", "stepped")
        client = programs(name).client
        command = f"{client} {programs(name).asks.format('192.0.2.1', 9, 1099)} -k x -m aes-256-gcm --fast-open"
        host.shell(f"systemd-run -q --unit=life-other {command}; sleep 0.3")
        done = host.call("server", "plain", run="")
        assert done["outcome"] == "plain"
        stays = f"bit 0x1 stays: without it these would exit or fail: {client.rpartition('/')[2]}"
        assert stays in done["reasons"][0]
        host.is_("plain", "server", value=1)
        host.shell("systemctl stop life-other")
        host.get("server", "plain", run="")
        host.is_("plain", "server", value=0)
        host.shell("sysctl -qw net.ipv4.tcp_fastopen=1")


@on_both
def test_stopped_service_stays_stopped(name: str) -> None:
    """No change is no event, and no way down starts what its operator has stopped."""
    with life(name) as host:
        host.get("server", "claimed", "stepped")
        host.shell(f"systemctl stop {SERVER}")
        host.get("server", "plain", run="")
        assert host.see()["units"][SERVER]["ActiveState"] == "inactive"
        host.as_before("files", "value", "boot")
        assert "it must run before" in host.refused("server", "stepped", run="two")
        host.get("server", "plain", run="")
        host.shell(f"systemctl start {SERVER}")


@on_both
def test_failed_service_is_started_plain(name: str) -> None:
    """A service that died under the flag comes back on the way down."""
    with life(name) as host:
        host.get("server", "claimed", "stepped")
        host.shell(f"systemctl kill --signal=KILL {SERVER}; sleep 0.1")
        host.get("server", "plain", run="")
        host.is_("plain", "server")


@on_both
def test_settings_of_the_role_survive(name: str) -> None:
    """What role tcp_fastopen has set is the role's to put back, in the same file and in the kernel (A12)."""
    with life(name) as host:
        keys = ("net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_fastopen_key")
        module(name, "tfo_sysctl", key=KEY, somaxconn=2222, max_syn_backlog=3333)
        text = host.shell(f"cat {LINES}")
        assert "net.core.somaxconn = 2222" in text
        host.get("server", "claimed", "stepped", "confirmed")
        assert "net.ipv4.tcp_fastopen = 3" in host.shell(f"cat {LINES}")
        host.get("server", "plain", run="", memory="forget")
        assert host.shell(f"sysctl -n {' '.join(keys)}").split() == ["2222", "3333", KEY]
        assert host.shell(f"cat {LINES}") == text
        module(name, "tfo_sysctl", state="restored")


@on_both
def test_modules_as_a_user_calls_them(name: str) -> None:
    with life(name) as host:
        service = host.request("server")["services"][0]
        instance = {"name": "main", "port": 8388, "address": service["server"][0]}
        instance.update(method=service["method"], password=service["password"])
        asked = {"side": "server", "instances": [instance], "fast_open_mode": "flag"}
        said = module(name, "tfo_stage", **asked)
        assert '"outcome": "confirmed"' in said and service["password"] not in said
        host.is_("confirmed", "server")
        assert '"changed": false' in module(name, "tfo_stage", **asked)
        said = module(name, "tfo_stage", side="server", state="plain", why="enough")
        assert '"outcome": "plain"' in said
        host.is_("plain", "server")


@on_both
def test_instance_deployed_later_keeps_running(name: str) -> None:
    """It starts plain, and a rollback does not so much as restart it (A13)."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", "confirmed")
        host.shell(
            "sed 's/8388/8390/' /etc/shadowsocks/ss-server-main.json > /etc/shadowsocks/ss-server-later.json;"
            " chgrp shadowsocks /etc/shadowsocks/ss-server-later.json; chmod 640 /etc/shadowsocks/ss-server-later.json;"
            " systemctl enable --quiet --now ss-server@later; sleep 0.3"
        )
        pid = host.shell("systemctl show -P MainPID ss-server@later").strip()
        assert "--fast-open" not in host.shell(f"tr '\\0' ' ' < /proc/{pid}/cmdline")
        host.get("server", "plain", run="", memory="forget")
        assert host.shell("systemctl show -P MainPID ss-server@later").strip() == pid
        host.shell("systemctl disable --quiet --now ss-server@later; rm /etc/shadowsocks/ss-server-later.json")


def rebooted(name: str) -> None:
    """A reboot, after which the services are there again."""
    fleet("reboot", name)
    put.cache_clear()
    host = Life(name)
    host.answers("server")


def test_reboot_in_the_middle_of_a_step() -> None:
    """Before the restart and after it, with what was killed there."""
    for name, part in (("c3", "daemon-reload (begun)"), ("c4", "restart")):
        with life(name) as host:
            host.get("server", "claimed")
            edges = host.call("server", "stepped")["edges"]
            host.reset()
            number = next(n for n, edge in enumerate(edges, 1) if part in edge and "begun" in edge)
            host.get("server", "claimed")
            assert host.call("server", "stepped", kill=number)["outcome"] == "dead"
            rebooted(name)
            host.is_("plain", "server")
            host.as_before()
            assert host.ended()
            host.get("server", "claimed", "released", run="two")  # the claim went with it


def test_reboot_of_a_confirmed_host() -> None:
    with life("c4") as host:
        host.get("server", "claimed", "stepped", "confirmed")
        rebooted("c4")
        host.is_("confirmed", "server")
        assert json.loads(host.shell(f"cat {RECORD}"))["units"]
        assert not host.problems()
        assert host.call("server", "stepped", run="two")["outcome"] == "confirmed"
        host.get("server", "plain", run="", memory="forget")


def test_reboot_of_a_stepped_host() -> None:
    with life("c3") as host:
        host.get("server", "claimed", "stepped")
        rebooted("c3")
        host.is_("plain", "server")
        host.as_before()
        why = host.refused("server", "confirmed")
        assert "there is no step to confirm; nothing is kept of one: it may have been rebooted" in why
        assert shell_of("c3").file("/run/fastopen/lease.json").exists is False, CLIENT
