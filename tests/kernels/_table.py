# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen, a kernel a row, and then all in which the kernels differ."""

from __future__ import annotations

import _expected
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _proc

NONE = "-"


def rendered(looks: dict[str, dict]) -> str:
    """The table, as lines."""
    rows = [_row(seen) for seen in looks.values()]
    head = list(rows[0]) if rows else []
    cells = [head, *([row[column] for column in head] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    return "\n".join(["", *lines, "", *_differences(looks), ""]) if looks else ""


def _row(seen: dict) -> dict[str, str]:
    told = _expected.cases(seen)
    right = [name for name, case in _expected.CASES.items() if _verdicts(told[name]) == {case.verdict}]
    return {
        "kernel": seen["kernel"]["release"],
        "python": seen["kernel"]["python"],
        "cases": f"{len(right)}/{len(_expected.CASES)}",
        "client_fail": " ".join(sorted({str(fail) for name in told for fail in _fails(told[name])})),
        "blackhole s": seen["first_namespace"][_proc.BLACKHOLE_TIMEOUT] or NONE,
        "somaxconn": seen["first_namespace"][_proc.SOMAXCONN] or NONE,
        "backup key": "yes" if "," in (list(seen["keys"].values())[1]) else "no",
        "0x4+0x200": told["both_without_cookie"]["paths"]["ipv4"]["verdict"],
        "0x400": told["all_listeners"]["paths"]["ipv4"]["verdict"],
        "option 254": told["option_stripped"]["paths"]["ipv4"]["verdict"],
        "IPv6": told["both_on"]["paths"]["ipv6"]["verdict"],
        "nobody": told["as_nobody"]["paths"]["ipv4"]["verdict"],
        "counters missing": " ".join(sorted(set(_counters.NAMES) - _counted(seen))) or NONE,
    }


def _verdicts(told: dict) -> set[str]:
    return {path["verdict"] for path in told["paths"].values()}


def _fails(told: dict) -> list[int]:
    return [attempt[6] for path in told["paths"].values() for attempt in path["attempts"] if attempt[0] == "fast_open"]


def _differences(looks: dict[str, dict]) -> list[str]:
    """A line for each thing that is not the same everywhere."""
    facts = {name: _facts(seen) for name, seen in looks.items()}
    counted = {name: _counted(seen) for name, seen in looks.items()}
    for name, counters in counted.items():
        facts[name]["counters not on all"] = " ".join(sorted(counters - set.intersection(*counted.values()))) or NONE
    every = dict.fromkeys(key for seen in facts.values() for key in seen)
    apart = {key: {name: seen.get(key, NONE) for name, seen in facts.items()} for key in every}
    apart = {key: told for key, told in apart.items() if len(set(told.values())) > 1}
    lines = [f"  {key}: " + ", ".join(f"{name} {value}" for name, value in told.items()) for key, told in apart.items()]
    return [f"{len(every)} facts compared, {len(apart)} not the same on all kernels" + ":" * bool(lines), *lines]


def _facts(seen: dict) -> dict[str, str]:
    sections = ("modes", "first_namespace", "options", "nobody", "bits", "keys")
    found = {f"{section} {key}": str(value) for section in sections for key, value in seen[section].items()}
    for name, case in _expected.cases(seen).items():
        for family, path in case["paths"].items():
            found[f"{name} {family}"] = " ".join(
                [path["verdict"], *(str(attempt[6]) for attempt in path["attempts"][1::2])]
            )
    found["bytes that sock_diag tells of a connection"] = str(len(seen["sock_diag"][0]["message"]) // 2)
    return found


def _counted(seen: dict) -> set[str]:
    """The names of all counters of TCP."""
    files = (("netstat", "TcpExt"), ("snmp", "Tcp"))
    return {name for file, group in files for name in _counters.parse(seen["raw"]["client"][f"net/{file}"], group)}
