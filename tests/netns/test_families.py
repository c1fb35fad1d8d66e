# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host without any IPv4 address, loopback's included, and IPv4 that comes through a socket of IPv6."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Callable, Iterator

import pytest
from _wire import PORT, SERVER, Namespace, Wire

MAPPED = f"::ffff:{SERVER['ipv4']}"


@pytest.fixture
def only_ipv6(wire: Wire) -> Wire:
    """Both ends have lost their IPv4 addresses."""
    for namespace in (wire.client, wire.server):
        for link in ("lo", "wire"):
            namespace.run("ip", "-4", "address", "flush", "dev", link)
    return wire


@pytest.fixture
def hosts() -> Iterator[Callable[[Namespace, str], None]]:
    """Give a namespace its own /etc/hosts (ip-netns(8))."""
    with contextlib.ExitStack() as stack:

        def write(namespace: Namespace, text: str) -> None:
            folder = pathlib.Path("/etc/netns", namespace.name)
            folder.mkdir(parents=True)
            stack.callback(shutil.rmtree, folder)
            (folder / "hosts").write_text(text, encoding="ascii")

        yield write


def paths(namespace: Namespace, *hosts: str) -> dict[str, dict]:
    """tfo_path's entries by host."""
    answer = namespace.module("tfo_path", targets=[{"host": host, "port": PORT} for host in hosts])
    return {path["host"]: path for path in answer["paths"]}


def test_only_ipv6(only_ipv6: Wire) -> None:
    only_ipv6.listen()
    found = only_ipv6.probe()
    assert (found["ipv6"]["verdict"], found["ipv6"]["address"]) == ("fast_open", SERVER["ipv6"])
    assert found["ipv4"]["verdict"] == "unreachable"
    assert found["ipv4"]["attempts"][0]["error"] == "ENETUNREACH: Network is unreachable"
    assert only_ipv6.client.counters()["TcpExtTCPFastOpenActive"] == 3


def test_only_ipv6_and_a_name_of_both_families(only_ipv6: Wire, hosts: Callable[[Namespace, str], None]) -> None:
    """The address that cannot be reached is no verdict on the name."""
    only_ipv6.listen()
    hosts(only_ipv6.client, "".join(f"{address} ss.example\n" for address in SERVER.values()))
    path = paths(only_ipv6.client, "ss.example")["ss.example"]
    assert (path["verdict"], path["address"]) == ("fast_open", SERVER["ipv6"])


@pytest.mark.parametrize(("value", "ipv6"), [(3, "fast_open"), (1, "no_cookie"), (2, "client_off")])
def test_probe_of_only_ipv6(only_ipv6: Wire, value: int, ipv6: str) -> None:
    """The bits act as ever, and nothing is said against loopback."""
    only_ipv6.server.sysctl(tcp_fastopen=value)
    probed = only_ipv6.server.module("tfo_probe")["fastopen"]
    assert probed["loopback"] == {"ipv4": "unavailable", "ipv6": ipv6}
    assert not [problem for problem in probed["problems"] if "loopback" in problem["code"]]


def test_listener_of_a_mapped_address(wire: Wire) -> None:
    """It serves IPv4 alone, whichever way a client spells the address."""
    wire.listen(address=MAPPED)
    found = paths(wire.client, *SERVER.values(), MAPPED)
    assert {host: path["verdict"] for host, path in found.items()} == {
        SERVER["ipv4"]: "fast_open",
        SERVER["ipv6"]: "unreachable",
        MAPPED: "fast_open",
    }
    assert wire.server.counters()["TcpExtTCPFastOpenPassive"] == 7  # the second way has the cookie from the start
    assert wire.server.counters()["TcpExtTCPFastOpenCookieReqd"] == 1
