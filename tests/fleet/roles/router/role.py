# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The router: takes every packet between the clients' and the servers' network through user space, and delays it.

Policy rules send what arrives on one side into a TUN device; this program reads it there, holds it for half the
round-trip time and writes it to the other side's TUN device, from where the kernel forwards it. The TUN devices offer no
offload, so the kernel hands over whole packets with finished checksums, split into segments.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import select
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import packets
import state
import synproxy
from boxes import treat

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000  # linux/if_tun.h
SIDES = ("clients", "servers")
LARGEST = 65536
BURST = 64  # packets read from one device before the due ones are written


def open_tun(name: str) -> int:
    """A TUN device without packet information, non-blocking; its file descriptor."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def configure() -> None:
    """Kernel settings and routes: in by a side's interface, out through its TUN device. Safe to repeat."""
    for knob in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        Path("/proc/sys/net", knob).write_text("1", encoding="ascii")
    names = ("all", *SIDES, *(f"tun-{side}" for side in SIDES))
    for name in names:
        Path("/proc/sys/net/ipv4/conf", name, "rp_filter").write_text("0", encoding="ascii")
    for table, side in enumerate(SIDES, start=101):
        subprocess.run(["ip", "link", "set", f"tun-{side}", "up", "txqueuelen", "5000"], check=True)
        for family in ("-4", "-6"):
            rule = ["iif", side, "lookup", str(table), "priority", str(table)]
            subprocess.run(["ip", family, "rule", "del", *rule], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(["ip", family, "rule", "add", *rule], check=True)
            route = ["default", "dev", f"tun-{side}", "table", str(table)]
            subprocess.run(["ip", family, "route", "replace", *route], check=True)
            # while this program does not run the TUN routes are gone: nothing may then pass by the main table
            shut = ["blackhole", "default", "metric", "4096", "table", str(table)]
            subprocess.run(["ip", family, "route", "replace", *shut], check=True)
            if side == "servers":
                mark = ["fwmark", str(synproxy.MARK), "lookup", str(table), "priority", "100"]
                subprocess.run(["ip", family, "rule", "del", *mark], check=False, stderr=subprocess.DEVNULL)
                subprocess.run(["ip", family, "rule", "add", *mark], check=True)


def pump(devices: tuple[int, int]) -> None:
    """Carry packets for ever. `devices` are the clients' and the servers' TUN device."""
    clients, servers = devices
    other = {clients: servers, servers: clients}
    waiting: list[tuple[float, int, int, bytes]] = []
    number = 0
    reader = state.Reader()
    proxied: frozenset[str] | None = None
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else state.LOOK_SECONDS
        readable, _writable, _errors = select.select(devices, (), (), timeout)
        plan = reader.read()
        if proxied != plan.addresses("synproxy"):
            proxied = plan.addresses("synproxy")
            synproxy.apply(proxied)
        for device in readable:
            for packet in burst(device):
                source, destination = packets.ends(packet)
                held = 0.0
                if on_path := plan.boxes.get(source if device == clients else destination):
                    packet, held = treat(packet, on_path)
                if packet is not None:
                    number += 1
                    heapq.heappush(waiting, (time.monotonic() + plan.one_way + held, number, other[device], packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _due, _number, device, packet = heapq.heappop(waiting)
            try:
                os.write(device, packet)
            except OSError:
                continue  # the kernel refused this packet: for the sender it is lost, as on any network


def burst(device: int) -> Iterator[bytes]:
    """What a device holds now, but no more than BURST packets, so that due ones are not kept waiting."""
    for _count in range(BURST):
        try:
            yield os.read(device, LARGEST)
        except BlockingIOError:
            return


def main() -> None:
    """Set the router up and run the pump before anything else on a busy machine."""
    devices = tuple(open_tun(f"tun-{side}") for side in SIDES)
    configure()
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    pump(devices)


if __name__ == "__main__":
    main()
