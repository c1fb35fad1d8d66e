# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role ss_server: units, listeners, hardening and secrecy, by what systemd and the kernel say, and real traffic."""

from __future__ import annotations

import re
from typing import Any

import pytest
from _hosts import ORIGIN, SERVERS, host, variables
from _seen import arguments, config, is_up, journal, rise, unit

PORTS = {"main": 8388, "many-1": 8389, "many-2": 8389, "both": 8390, "guarded": 8391}
# SYNs with TFO: the first may hold the cookie of a server that is gone and fetch a new one, the next carry the byte
SYN_DATA = """
import socket, sys
for turn in range(3):
    with socket.socket() as s:
        s.sendto(b"x", socket.MSG_FASTOPEN, (sys.argv[1], int(sys.argv[2])))
"""
both_servers = pytest.mark.parametrize("server", SERVERS)
every_instance = pytest.mark.parametrize("instance", PORTS)


@both_servers
@every_instance
def test_runs_now_and_at_boot(server: str, instance: str) -> None:
    assert is_up(server, f"ss-server@{instance}.service")


@both_servers
def test_no_other_instance(server: str) -> None:
    files = host(server).check_output("ls /etc/shadowsocks").split()
    assert files == sorted(["ss-server-guarded.acl", *(f"ss-server-{instance}.json" for instance in PORTS)])


@both_servers
def test_listens_where_the_inventory_says(server: str) -> None:
    address = variables(server)["data_address"]
    streams, datagrams = (
        sorted(line.split()[3] for line in host(server).check_output(f"ss -Hln{kind}").splitlines()) for kind in "tu"
    )
    # each of the two workers has its own socket; the guarded one has no address, so it takes all of both families
    own = [f"{address}:8388", *[f"{address}:8389"] * 2, f"{address}:8390", "0.0.0.0:8391", "[::]:8391"]
    assert [listener for listener in streams if not listener.endswith(":22")] == sorted(own)
    assert datagrams == [f"{address}:8390"]


@both_servers
@every_instance
def test_flag_only_in_flag_mode(server: str, instance: str) -> None:
    assert ("--fast-open" in arguments(server, f"ss-server@{instance}.service")) == (server == "ss1")
    assert "fast_open" not in config(server, f"ss-server-{instance}")


@both_servers
@pytest.mark.parametrize("port", sorted(set(PORTS.values())))
def test_takes_syn_data(server: str, port: int) -> None:
    talk = ("python3 -c %s %s %s", SYN_DATA, variables(server)["data_address"], str(port))
    risen = rise(server, lambda: host("origin").check_output(*talk))
    assert risen["TCPFastOpenPassive"] >= 1


@both_servers
def test_traffic_and_access_list(server: str) -> None:
    """A client of our own on the server itself: `main` reaches the origin, `guarded` has it on its list."""
    through: dict[str, Any] = {}
    for instance in ("main", "guarded"):
        keys = config(server, f"ss-server-{instance}")
        options = f"-p {keys['server_port']} -k {keys['password']} -m {keys['method']} -l 10800"
        command = f"timeout 5 ss-local -s {variables(server)['data_address']} {options} & sleep 0.5; "
        command += f"curl --silent --max-time 3 --socks5 127.0.0.1:10800 {ORIGIN}; code=$?; kill $!; exit $code"
        through[instance] = host(server).run("sh -c %s", command)
    assert through["main"].rc == 0 and through["main"].stdout.endswith("origin\n")
    assert through["guarded"].rc != 0 and "origin" not in through["guarded"].stdout


@both_servers
def test_hardened(server: str) -> None:
    rating = host(server).check_output("systemd-analyze security --no-pager ss-server@main.service")
    exposure = re.search(r"Overall exposure level for ss-server@main.service: ([\d.]+)", rating)
    assert exposure and float(exposure[1]) <= 1.5
    assert unit(server, "ss-server@main.service")["DynamicUser"] == "yes"


@both_servers
def test_open_files(server: str) -> None:
    """The property, and what the process really has: no more than the machine's hard limit allows."""
    shown = unit(server, "ss-server@main.service")
    assert shown["LimitNOFILE"] == "65536"
    limits = [host(server).check_output("cat /proc/%s/limits", pid) for pid in (shown["MainPID"], "1")]
    effective, machine = (int(re.search(r"Max open files\s+\d+\s+(\d+)", text)[1]) for text in limits)
    assert effective == min(65536, machine)


@both_servers
def test_secrets_are_kept(server: str) -> None:
    for instance in PORTS:
        file = host(server).file(f"/etc/shadowsocks/ss-server-{instance}.json")
        assert (file.mode, file.user, file.group) == (0o640, "root", "shadowsocks")
    folder = host(server).file("/etc/shadowsocks")
    assert (folder.mode, folder.user, folder.group) == (0o750, "root", "shadowsocks")
    # without the client of the test above, which did name its password
    processes = host(server).check_output("ps -eo args").splitlines()
    lines = [line for line in [*processes, *journal(server).splitlines()] if "ss-local" not in line]
    assert [line for line in lines if "ss-server-main.json" in line]
    assert not [line for line in lines if re.search(r"molecule-(main|many|both|guarded)", line)]
