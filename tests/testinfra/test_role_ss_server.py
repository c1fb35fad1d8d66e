# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role ss_server: units, listeners, hardening and secrecy, by what systemd and the kernel say, and real traffic."""

from __future__ import annotations

import re
from typing import Any

import pytest
from _hosts import ORIGIN, SERVERS, host, variables
from _seen import arguments, config, is_up, journal, rise, sysctl, unit

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
    """It comes from a drop-in of each instance; neither the template nor a config knows of it."""
    flagged = server == "ss1"
    assert (arguments(server, f"ss-server@{instance}.service").count("--fast-open") == 1) == flagged
    assert "fast_open" not in config(server, f"ss-server-{instance}")
    assert "fast-open" not in host(server).file("/etc/systemd/system/ss-server@.service").content_string
    drop_in = host(server).file(f"/etc/systemd/system/ss-server@{instance}.service.d/zz-fastopen.conf")
    assert drop_in.exists == flagged
    if flagged:
        command = "/usr/bin/ss-server -c /etc/shadowsocks/%p-%i.json --fast-open"
        assert f"[Service]\nExecStart=\nExecStart={command}\n" in drop_in.content_string


@both_servers
def test_kernel_bits_now_and_at_boot(server: str) -> None:
    """0x1 and 0x2 with the flag, 0x2 and 0x400 without; 0x1 is the kernel's default."""
    bits = 0x3 if server == "ss1" else 0x403
    assert int(sysctl(server, "net.ipv4.tcp_fastopen"), 0) & 0x403 == bits
    lines = host(server).file("/etc/sysctl.d/99-tfo.conf").content_string.splitlines()
    values = [line.partition("=")[2] for line in lines if line.startswith("net.ipv4.tcp_fastopen ")]
    assert [int(value, 0) & 0x403 for value in values] == [bits]
    left = host(server).check_output("find /run/systemd/system -name zz-fastopen.conf")
    assert left == ""  # confirmed, so nothing of the step is left


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
