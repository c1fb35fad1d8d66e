# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a client. The standard library of Python 3.9 only.

python3 _load_driver.py knock ADDRESS PORT      connects all the time, until it gets SIGTERM; then {"made", "refused", "other"}
python3 _load_driver.py burst ADDRESS PORT N    N connections at once with data in their SYNs, with a cookie from before
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import time

MSG_FASTOPEN = 0x20000000
PAUSE_SECONDS = 0.004


def knock(address: str, port: int) -> None:
    """Nothing is sent: what counts is whether somebody listens."""
    made = {"made": 0, "refused": 0, "other": 0}

    def end(*_arguments: object) -> None:
        print(json.dumps(made), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        made["made"] += 1
        try:
            socket.create_connection((address, port), 5).close()
        except ConnectionRefusedError:
            made["refused"] += 1
        except OSError:
            made["other"] += 1
        time.sleep(PAUSE_SECONDS)


def burst(address: str, port: int, count: int) -> None:
    """Three connections for the cookie, one after the other; then all at once. They stay open for a moment."""
    for _turn in range(3):
        with socket.socket() as one:
            one.sendto(b"x", MSG_FASTOPEN, (address, port))
            time.sleep(0.3)
    found = [socket.socket() for _number in range(count)]
    for one in found:
        one.setblocking(False)
    print("warm", flush=True)
    sys.stdin.readline()
    for one in found:
        try:
            one.sendto(b"x", MSG_FASTOPEN, (address, port))
        except BlockingIOError:
            continue  # no cookie: the connection is a plain one
    time.sleep(1.0)


if __name__ == "__main__":
    if sys.argv[1] == "knock":
        knock(sys.argv[2], int(sys.argv[3]))
    else:
        burst(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
