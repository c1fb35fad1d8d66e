# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk with no room, or a kernel that cannot be written, at each part of a step and of its way back.

No room for record and lease: test_host_life_edges.py.
"""

from __future__ import annotations

import pytest
from _host_faults import full, read_only_kernel
from _life import LINES, SERVER, Life, life, module, on_both, services

STEPPED, CONFIRMED, SYSCTL = "/run/systemd/system", "/etc/systemd/system", "/etc/sysctl.d"
NO_ROOM = "No space left on device"


def failed(host: Life, side: str, state: str, *words: str) -> None:
    """Call for the state, get an error or a failure, and be told these words."""
    done = host.call(side, state)
    assert done["outcome"] in ("error", "failed"), done
    for word in words:
        assert word in "; ".join(done["reasons"]), done["reasons"]


@on_both
def test_no_room_for_the_drop_in_of_a_step(name: str) -> None:
    """The step names the file; the way back works at once, and so does the lease where nobody takes it back."""
    with life(name) as host:
        with full(host.shell, STEPPED):
            host.get("server", "claimed")
            failed(host, "server", "stepped", NO_ROOM, STEPPED, "zz-fastopen.conf")
            host.answers("server")
            host.get("server", "plain")
            host.is_("plain", "server")
            assert host.call("server", "stepped", lease_seconds=2.0)["outcome"] == "error"
            host.wait(host.ended)
            host.is_("plain", "server")


@pytest.mark.parametrize("folder", (CONFIRMED, SYSCTL))
def test_no_room_to_confirm(folder: str) -> None:
    """The confirmation names the file, and the step goes back on the same full disk."""

    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            host.get("server", "claimed", "stepped")
            with full(host.shell, folder):
                failed(host, "server", "confirmed", NO_ROOM, {CONFIRMED: "zz-fastopen.conf", SYSCTL: LINES}[folder])
                host.answers("server")
                host.get("server", "plain")
                host.is_("plain", "server")

    tried()


@pytest.mark.parametrize("folder", (CONFIRMED, SYSCTL))
def test_no_room_to_confirm_and_nobody_takes_it_back(folder: str) -> None:
    """The lease does, on the same full disk."""

    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            host.get("server", "claimed", "stepped", lease_seconds=15.0)
            with full(host.shell, folder):
                failed(host, "server", "confirmed", NO_ROOM)
                host.wait(host.ended, 45.0)
                host.is_("plain", "server")

    tried()


@on_both
def test_no_room_to_put_back_the_line_beside_lines_of_others(name: str) -> None:
    """Run time is plain at once; the line that stays for the boot is named, and goes with the next way down."""
    with life(name) as host:
        host.shell(f"printf 'net.core.somaxconn = 2222\\n' > {LINES}")
        host.get("server", "claimed", "stepped", "confirmed")
        with full(host.shell, SYSCTL):
            failed(host, "server", "plain", NO_ROOM, LINES)
            seen = host.see()
            assert seen["value"] == 1 and "--fast-open" not in seen["argv"]["ss-server@main.service"]
            host.answers("server")
        host.get("server", "plain", run="")
        assert host.shell(f"cat {LINES}") == "net.core.somaxconn = 2222\n"
        host.shell(f"rm {LINES}")
        host.is_("plain", "server")


@on_both
def test_no_room_to_deploy(name: str) -> None:
    """A new password does not fit: named by its file, and the service runs on with the old one."""
    with life(name) as host:
        pid = host.see()["pid"][SERVER]
        service = services(name)["server"]
        instance = {"name": "main", "port": 8388, "address": service["server"][0], "method": service["method"]}
        with full(host.shell, "/etc/shadowsocks"):
            with pytest.raises(AssertionError, match=f"{NO_ROOM}.*/etc/shadowsocks/ss-server-main.json"):
                module(name, "tfo_service", side="server", instances=[{**instance, "password": "another-one"}])
            assert host.see()["pid"][SERVER] == pid
            host.answers("server")


@on_both
def test_kernel_that_cannot_be_written(name: str) -> None:
    """Said before anything runs otherwise than before."""
    with life(name) as host:
        pid = host.see()["pid"]
        with read_only_kernel(host.shell):
            host.get("server", "claimed")
            failed(
                host, "server", "stepped", "net.ipv4.tcp_fastopen cannot be written", "/proc/sys/net must be writable"
            )
            assert host.see()["pid"] == pid
            host.get("server", "plain")
            host.is_("plain", "server")
        host.get("server", "released")


@on_both
def test_kernel_that_cannot_be_written_any_more(name: str) -> None:
    """Between step and way back: the service is plain and works, the bit that stays is named, and the next way down
    clears it, also after the lease has ended."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", lease_seconds=15.0)
        with read_only_kernel(host.shell):
            failed(host, "server", "plain", "net.ipv4.tcp_fastopen cannot be written")
            seen = host.see()
            assert seen["value"] == 3 and "--fast-open" not in seen["argv"]["ss-server@main.service"]
            host.answers("server")
            host.wait(host.ended, 45.0)
        host.get("server", "plain", run="")
        host.is_("plain", "server")


@on_both
def test_kernel_that_cannot_be_written_when_the_lease_ends(name: str) -> None:
    """Nobody comes back: the host takes away what it can, and a rollback the rest."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", lease_seconds=4.0)
        with read_only_kernel(host.shell):
            host.wait(host.ended, 30.0)
            assert "--fast-open" not in host.see()["argv"]["ss-server@main.service"]
            host.answers("server")
        host.get("server", "plain", run="")
        host.is_("plain", "server")
