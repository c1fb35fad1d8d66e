# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through the tunnel, and what of them is on the wire."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import _hosts

PORT = 8388
SYN = "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"
# IPv4: total length less both headers
WITH_DATA = f"{SYN} and (ip[2:2] - ((ip[0]&0xf)<<2) - ((tcp[12]&0xf0)>>2)) != 0"
OTHER = "/run/fastopen-other.json"
CAPTURE = "/run/fastopen-capture.pcap"


def _curl(proxy: str, url: str) -> str:
    """A command that prints the seconds to the first byte, and fails unless the request is answered."""
    form = "--output /dev/null --write-out '%{time_starttransfer}\\n'"
    return f"curl --silent --show-error --fail --max-time 10 {form} {proxy} {url}"


def first_bytes(
    client: str, count: int, proxy: str = "--socks5 127.0.0.1:1080", url: str = _hosts.ORIGIN
) -> list[float]:
    """Milliseconds to the first byte of so many requests, one after the other; every one of them is answered."""
    text = _hosts.host(client).check_output(f"for n in $(seq {count}); do {_curl(proxy, url)} || exit 1; done")
    return [float(line) * 1000 for line in text.split()]


def fetch(client: str, proxy: str = "--socks5 127.0.0.1:1080", url: str = _hosts.ORIGIN) -> str:
    """What the origin answers through the tunnel."""
    return _hosts.host(client).check_output(f"curl --silent --show-error --fail --max-time 10 {proxy} {url}")


def saved(client: str, server: str, turns: int) -> tuple[float, float]:
    """By how many ms the running client is faster than one without --fast-open, and the round-trip time: medians.

    The other one is temporary and reads the same config but for its port. Plain request, fast request and ping take turns, so that a
    busy machine slows all of them down alike.
    """
    program = {"libev": "ss-local", "rust": "sslocal"}[_hosts.implementation(client)]
    plain, fast = (_curl(f"--socks5 127.0.0.1:{port}", _hosts.ORIGIN) for port in (10800, 1080))
    ping = f"ping -n -c 1 {_hosts.variables(server)['data_address']} | sed -n 's/.*time=\\([0-9.]*\\) ms/\\1/p'"
    script = (
        f"umask 077; sed 's/\"local_port\": 1080/&0/' /etc/shadowsocks/ss-local-main.json >{OTHER}; "
        f"{program} -c {OTHER} >/dev/null 2>&1 & trap 'kill $!; rm {OTHER}' EXIT; sleep 0.5; "
        f"for n in $(seq {turns}); do {plain} || exit 1; {fast} || exit 1; {ping}; done"
    )
    figures = [float(line) for line in _hosts.host(client).check_output("sh -c %s", script).split()]
    assert len(figures) == 3 * turns
    differences = [1000 * (slow - quick) for slow, quick in zip(figures[::3], figures[1::3])]
    return statistics.median(differences), statistics.median(figures[2::3])


@contextmanager
def captured(server: str, port: int = PORT) -> Iterator[dict[str, list[int]]]:
    """The SYNs that reach a server's port inside the block: their payload lengths by client address, once it has ended."""
    shell = _hosts.host(server)
    shell.check_output(f"rm -f {CAPTURE}")
    shell.check_output(
        "systemd-run --quiet --collect --unit=fastopen-capture "
        + "tcpdump -i data -nn -U --immediate-mode -Z root -w %s %s",
        CAPTURE,
        f"tcp dst port {port} and {SYN}",
    )
    shell.check_output(f"for n in $(seq 100); do test -s {CAPTURE} && exit 0; sleep 0.05; done; exit 1")
    seen: dict[str, list[int]] = {}
    try:
        yield seen
        time.sleep(0.3)
    finally:
        shell.check_output("systemctl stop fastopen-capture")
    with_data = _printed(server, f"ip and {WITH_DATA}")
    for line in _printed(server, "ip"):
        length = int(line.partition("length ")[2].split()[0].rstrip(":"))
        # the length that tcpdump prints, and the one that the packet's own headers give, agree
        assert (length > 0) == (line in with_data), line
        seen.setdefault(line.split()[1].rpartition(".")[0], []).append(length)


def _printed(server: str, expression: str) -> list[str]:
    """The captured packets that match, as tcpdump prints them."""
    return _hosts.host(server).check_output("tcpdump -nn -t -r %s %s 2>/dev/null", CAPTURE, expression).splitlines()


def from_client(seen: dict[str, list[int]], client: str) -> list[int]:
    """The payload lengths of a client's captured SYNs; 0 is a plain one."""
    return seen.get(_hosts.variables(client)["data_address"], [])
