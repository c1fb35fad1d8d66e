# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through the tunnel, and what of them is on the wire."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import _hosts

PORT = 8388
SYN = "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"
# IPv4: total length less both headers
WITH_DATA = f"{SYN} and (ip[2:2] - ((ip[0]&0xf)<<2) - ((tcp[12]&0xf0)>>2)) != 0"
CAPTURE = "/run/fastopen-capture.pcap"


def first_bytes(
    client: str, count: int = 1, proxy: str = "--socks5 127.0.0.1:1080", url: str = _hosts.ORIGIN
) -> list[float]:
    """Milliseconds to the first byte of so many requests, one after the other; every one of them is answered."""
    curl = f"curl --silent --show-error --fail --max-time 10 --output /dev/null --write-out '%{{time_starttransfer}}\\n' {proxy} {url}"
    text = _hosts.host(client).check_output(f"for n in $(seq {count}); do {curl} || exit 1; done")
    return [float(line) * 1000 for line in text.split()]


def fetch(client: str, proxy: str = "--socks5 127.0.0.1:1080", url: str = _hosts.ORIGIN) -> str:
    """What the origin answers through the tunnel."""
    return _hosts.host(client).check_output(f"curl --silent --show-error --fail --max-time 10 {proxy} {url}")


def round_trip(client: str, server: str) -> float:
    """The median round-trip time of pings, ms."""
    address = _hosts.variables(server)["data_address"]
    text = _hosts.host(client).check_output(f"ping -n -i 0.05 -c 25 {address}")
    return statistics.median(map(float, re.findall(r"time=([\d.]+) ms", text)))


@contextmanager
def captured(server: str, port: int = PORT) -> Iterator[list[str]]:
    """The SYNs with data that reached a server's port inside the block, as tcpdump prints them, once it has ended."""
    shell = _hosts.host(server)
    shell.check_output(f"rm -f {CAPTURE}")
    shell.check_output(
        "systemd-run --quiet --collect --unit=fastopen-capture " "tcpdump -i data -nn -U -Z root -w %s %s",
        CAPTURE,
        f"tcp dst port {port} and {SYN}",
    )
    shell.check_output(f"for n in $(seq 100); do test -s {CAPTURE} && exit 0; sleep 0.05; done; exit 1")
    seen: list[str] = []
    try:
        yield seen
        time.sleep(0.3)
    finally:
        shell.check_output("systemctl stop fastopen-capture")
    seen += shell.check_output("tcpdump -nn -t -r %s %s 2>/dev/null", CAPTURE, WITH_DATA).splitlines()


def from_client(lines: list[str], client: str) -> list[int]:
    """The payload lengths of a client's captured SYNs."""
    address = _hosts.variables(client)["data_address"]
    return [int(line.rsplit("length ", 1)[1].split()[0]) for line in lines if f"IP {address}." in line]
