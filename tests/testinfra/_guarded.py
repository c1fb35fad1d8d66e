# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in on a client that writes its textfile every second, and traffic through its tunnel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from _hosts import ORIGIN, host
from _watched import TEXTFILES

WRITER = r"""
import glob, os, time

def counters():
    names, values = [line.split() for line in open("/proc/net/netstat") if line.startswith("TcpExt:")]
    return dict(zip(names, values))

def sends():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            argv = open(path, "rb").read().split(b"\0")
        except OSError:
            continue
        if b"ss-local" in argv[0] and b"--fast-open" in argv:
            return 1
    return 0

while True:
    seen, send = counters(), sends()
    text = f'''# TYPE tfo_syn_data_total counter
tfo_syn_data_total{{side="client",result="acked"}} {seen["TCPFastOpenActive"]}
tfo_syn_data_total{{side="client",result="failed"}} {seen["TCPFastOpenActiveFail"]}
# TYPE tfo_stage gauge
tfo_stage{{side="client",stage="send"}} {send}
tfo_stage{{side="client",stage="off"}} {1 - send}
# TYPE tfo_guard_last_run_timestamp_seconds gauge
tfo_guard_last_run_timestamp_seconds {time.time():.0f}
'''
    with open("FOLDER/fastopen.prom.new", "w") as file:
        file.write(text)
    os.rename("FOLDER/fastopen.prom.new", "FOLDER/fastopen.prom")
    time.sleep(1)
""".replace("FOLDER", TEXTFILES)


@contextmanager
def telling(name: str) -> Iterator[None]:
    """Inside the block it writes, and sends a request a second."""
    shell = host(name)
    shell.check_output("printf %s %s >/run/fastopen-writer.py", "%s", WRITER)
    unit = "systemd-run --quiet --collect --unit"
    shell.check_output(f"{unit}=fastopen-writer python3 /run/fastopen-writer.py")
    fetch = f"curl --silent --output /dev/null --max-time 5 --socks5 127.0.0.1:1080 {ORIGIN}"
    shell.check_output(f"{unit}=fastopen-traffic sh -c %s", f"while sleep 1; do {fetch}; done")
    try:
        yield
    finally:
        shell.check_output("systemctl stop fastopen-writer fastopen-traffic")
