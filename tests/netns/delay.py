# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wire of two TUN devices, near and far, that takes its time: delay.py MILLISECONDS. Says "ready" once.

The kernel of a test machine may lack netem.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN_NO_PI = 0x1001  # IFF_TUN | IFF_NO_PI


def device(name: str) -> int:
    """The descriptor of a new TUN device, which lives as long as that."""
    number = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(number, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    return number


if __name__ == "__main__":
    seconds = float(sys.argv[1]) / 1000
    near, far = device("near"), device("far")
    under_way: list[tuple[float, int, int, bytes]] = []
    count = 0
    print("ready", flush=True)
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for source in select.select([near, far], [], [], wait)[0]:
            with contextlib.suppress(BlockingIOError):
                packet, count = os.read(source, 65536), count + 1
                target = far if source == near else near
                heapq.heappush(under_way, (time.monotonic() + seconds, count, target, packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _due, _number, target, packet = heapq.heappop(under_way)
            with contextlib.suppress(OSError):  # the other end is down
                os.write(target, packet)
