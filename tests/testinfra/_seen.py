# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's kernel, systemd and processes say of themselves."""

from __future__ import annotations

import json
from collections.abc import Callable

import _hosts


def counters(name: str) -> dict[str, int]:
    """/proc/net/netstat and /proc/net/snmp by the counters' names, since columns move between kernels."""
    found = {}
    lines = _hosts.host(name).check_output("cat /proc/net/netstat /proc/net/snmp").splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        found.update(zip(names.split()[1:], map(int, values.split()[1:])))
    return found


def rise(name: str, action: Callable[[], object]) -> dict[str, int]:
    """By how much a host's counters rose during an action."""
    before = counters(name)
    action()
    return {key: value - before[key] for key, value in counters(name).items()}


def sysctl(name: str, key: str) -> str:
    """A sysctl's run-time value as text."""
    return _hosts.host(name).check_output("sysctl -n %s", key)


def unit(name: str, unit_name: str) -> dict[str, str]:
    """Every property of a unit."""
    text = _hosts.host(name).check_output("systemctl show %s", unit_name)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def is_up(name: str, unit_name: str) -> bool:
    """Whether a unit runs now, without a failed start before, and starts at boot."""
    shown = unit(name, unit_name)
    wanted = {"ActiveState": "active", "SubState": "running", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
    return {key: shown[key] for key in wanted} == wanted


def pids(name: str) -> dict[str, str]:
    """The main process of each running unit of ours, by unit name."""
    found = {}
    for block in _hosts.host(name).check_output("systemctl show --property=Id,MainPID 'ss-*@*.service'").split("\n\n"):
        shown = dict(line.split("=", 1) for line in block.splitlines())
        found[shown["Id"]] = shown["MainPID"]
    return found


def arguments(name: str, unit_name: str) -> list[str]:
    """The command line of a unit's main process, from the kernel."""
    text = _hosts.host(name).check_output("cat /proc/%s/cmdline", unit(name, unit_name)["MainPID"])
    return text.split("\0")


def config(name: str, instance: str) -> dict[str, object]:
    """The config of PROGRAM-INSTANCE."""
    return json.loads(_hosts.host(name).file(f"/etc/shadowsocks/{instance}.json").content_string)


def journal(name: str) -> str:
    """The whole journal of a host."""
    return _hosts.host(name).check_output("journalctl --no-pager")
