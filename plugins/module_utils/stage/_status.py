# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is under: each service with our TFO on it, bits, boot, lease, kill switch. Reads only."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _state
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _proc,
    _switch,
    _sysctl_files,
    _tfo_bits,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _exec_start,
    _process,
    _systemd,
    _twice,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record


def observe(root: str = "/") -> dict[str, t.Any]:
    """``value`` and ``boot_value`` of the kernel (ints, None where unknown), ``boot_file``; ``units``, one entry a service
    under TFO; ``boot_agrees`` with what is confirmed; ``intended``, the confirmed stage a side; ``claim``, ``kill_switch``
    (None: none); ``undone``, by unit; ``guard``, what it last saw and did (None: there is none). Raises RecordError."""
    record, lease = _record.load(), _record.load_lease()
    guard = _state.told()
    text = _proc.read_sysctl(_proc.FASTOPEN)
    boot = _sysctl_files.boot_value(_proc.FASTOPEN, root)
    value = None if text is None else _tfo_bits.parse(text)
    boot_value = _tfo_bits.DEFAULT if boot.value is None else _number(boot.value)
    return {
        "value": value,
        "boot_value": boot_value,
        "boot_file": boot.file,
        "boot_agrees": _agrees(boot_value, _record.wants(record, None)),
        "intended": {side: _record.intended(record, lease, side) for side in _record.STAGES},
        "units": _units(record, lease, value),
        "claim": None if lease is None or not lease.live else _claim(lease),
        "kill_switch": record.killed,
        "undone": record.undone,
        "guard": guard,
    }


def _agrees(value: t.Optional[int], wants: _switch.Wants) -> bool:
    """Whether the next boot sets what is confirmed, and nothing that is refused."""
    return value is not None and not (wants.on & ~value or wants.off & value)


def problems(found: t.Mapping[str, t.Any]) -> list[str]:
    """Everything that is not as it should be, of what ``observe`` found."""
    return [f"{unit['unit']}: {problem}" for unit in found["units"] for problem in unit["problems"]] + of_host(found)


def of_host(found: t.Mapping[str, t.Any]) -> list[str]:
    """Those that are no unit's own."""
    named = []
    if not found["boot_agrees"]:
        named.append(
            f"the next boot sets {_proc.FASTOPEN} to {found['boot_value']}, by {found['boot_file'] or 'the kernel itself'}:"
            " that is not what is confirmed"
        )
    guard = found["guard"] or {"named": {}}
    return [*named, *(f"{one['message']} ({one['remedy']})" for side in guard["named"].values() for one in side)]


def _claim(lease: _record.Lease) -> dict[str, t.Any]:
    left = round(lease.deadline - time.monotonic(), 1)
    return {"run": lease.run, "who": lease.who, "since": lease.since, "ends_in_seconds": left}


def _number(text: str) -> t.Optional[int]:
    try:
        return _tfo_bits.parse(text)
    except ValueError:
        return None  # the kernel refuses it at boot


def _units(record: _record.Record, lease: t.Optional[_record.Lease], value: t.Optional[int]) -> list[dict[str, t.Any]]:
    """Each with ``unit``, ``side``, ``stage``, ``state`` (stepped, confirmed, or unknown: a drop-in that nobody keeps),
    ``active``, ``flag`` (whether the process has it), ``flagged`` (whether it should), and ``problems`` with our drop-in or bits.
    """
    stepped = lease.units if lease else {}
    present = _drop_in.present()
    names = sorted({*record.units, *stepped, *present})
    found = []
    for name, unit in _systemd.show(names).items():
        entry = stepped.get(name) or record.units.get(name)
        side = entry["side"] if entry else present[name].side
        process = _process.read(unit.pid) if unit.pid else None
        flag = process is not None and _exec_start.FLAG in process.argv
        flagged = entry is None or entry["mode"] == "flag"
        found.append(
            {
                "unit": name,
                "side": side,
                "stage": _record.STAGES[side],
                "state": "stepped" if name in stepped else "confirmed" if name in record.units else "unknown",
                "active": unit.active,
                "flag": flag,
                "flagged": flagged,
                "problems": [
                    *(_problems(name, name in stepped, present.get(name), flag) if flagged else []),
                    *_bits(_record.BITS[(side, entry["mode"] if entry else "flag")], value, record.killed is not None),
                ],
            }
        )
    return found


def _bits(needed: int, value: t.Optional[int], killed: bool) -> list[str]:
    """Bits that somebody cleared under a service; the kill switch may."""
    missing = needed & ~(value or 0) & ~(_tfo_bits.ACCEPT if killed else 0)
    return [f"{_proc.FASTOPEN} is {value}, and a service needs bits {missing:#x} of it, too"] if missing else []


def _problems(unit: str, stepped: bool, drop_in: t.Optional[_drop_in.DropIn], flag: bool) -> list[str]:
    """What was done to our drop-in since, or below it."""
    if drop_in is None:
        return [f"{_drop_in.path(unit, _drop_in.STEPPED if stepped else _drop_in.CONFIRMED)} is gone"]
    try:
        below = _exec_start.read(unit)[1]
    except _exec_start.Unfit as error:
        return [str(error)]
    found = []
    if drop_in.digest == _drop_in.EDITED:
        found.append(f"{_drop_in.path(unit, drop_in.folders[0])} was edited by hand")
    elif below.digest != drop_in.digest:
        found.append(f"ExecStart below our drop-in changed in {below.setter}")
    twice = _twice.setter(unit, below)
    if twice:
        found.append(
            f"{twice} gives {_exec_start.FLAG} as well, and {below.program} does not start with it twice: take it out"
            " there before anybody restarts the service"
        )
    if not flag:
        found.append(f"its process runs without {_exec_start.FLAG}")
    return found
