# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step finds otherwise than it should be: kernel, drop-ins, and processes that are older than either."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _process, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome


def find(
    units: t.Mapping[str, _record.Unit],
    below: t.Mapping[str, _exec_start.Below],
    shown: t.Mapping[str, _systemd.Unit],
    kept: t.Mapping[str, _record.Unit],
    value: _switch.RunTime,
    result: Outcome,
) -> dict[str, str]:
    """Note what is not as it should be, or not as it is ``kept``; the units to be restarted for it, each with why."""
    if value.before != value.after:
        result.note("kernel", _switch.KEY, f"is {value.before}, not {value.after}")
        result.diff.append(_switch.run_time_diff(value.before, value.after))
    present = _drop_in.present()
    stale = {}
    for unit, entry in units.items():
        if unit in kept and kept[unit]["mode"] != entry["mode"]:
            result.note("mode", unit, f"is under TFO in mode {kept[unit]['mode']}, not {entry['mode']}")
        if unit in kept and (
            kept[unit].get("unjudged") or kept[unit].get("servers", entry["servers"]) != entry["servers"]
        ):
            result.note("service", unit, "has another server or command than it was judged with")
        if entry["mode"] != "flag":
            for folder in present[unit].folders if unit in present else ():
                result.note("file", _drop_in.path(unit, folder), f"is of no use in mode {entry['mode']}")
                result.diff.append(_drop_in.diff(unit, folder, None, up=False))
                if entry["mode"] == "listener":
                    stale[unit] = "runs with our flag"
            continue
        if unit not in present:
            stale[unit] = "is missing"
        elif present[unit].digest == _drop_in.EDITED:
            stale[unit] = "was edited by hand"
        elif present[unit].digest != below[unit].digest:
            stale[unit] = f"repeats an older command than {below[unit].setter}"
        else:
            process = _process.read(shown[unit].pid)
            if process is None or _exec_start.FLAG not in process.argv:
                stale[unit] = "is newer than its process"
        if unit in stale:
            result.note("file", _drop_in.path(unit, _drop_in.STEPPED), stale[unit])
            result.diff.append(_drop_in.diff(unit, _drop_in.STEPPED, below[unit], up=True))
    if value.after & ~value.before & _tfo_bits.ALL_LISTENERS:
        for unit in (unit for unit, entry in units.items() if entry["mode"] == "listener"):
            stale[unit] = "listens since before bit 0x400"
            result.note("service", unit, stale[unit])
    return stale
