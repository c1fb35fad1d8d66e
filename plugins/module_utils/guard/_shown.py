# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a host as the guard shows them, and the textfile that it writes."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _metrics, _state, _tick, _version
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _owned, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record, _status

Found = t.Mapping[str, t.Any]
"""What status.observe returns."""


def watch(kept: _state.Kept, found: Found, now: float) -> None:
    """Keep each side's stage, and since when it is that. A side that was seen once stays."""
    try:
        deployed = _owned.load()
    except _owned.OwnedError:
        deployed = {}
    sides = {
        *(unit["side"] for unit in found["units"]),
        *(one["side"] for one in found["undone"].values()),
        *(side for side in _service.SIDES if _owned.side(deployed, side)),
        *kept.stages,
    }
    for side in sides:
        stage = stage_of(side, found)
        if side not in kept.stages or kept.stages[side][0] != stage:
            kept.stages[side] = (stage, now)


def stage_of(side: str, found: Found) -> str:
    """The stage that runs: by the processes and the kernel's bit."""
    bit = {"client": _tfo_bits.SEND, "server": _tfo_bits.ACCEPT}[side]
    units = [unit for unit in found["units"] if unit["side"] == side and unit["active"]]
    runs = any(unit["flag"] or not unit["flagged"] for unit in units)
    return _record.STAGES[side] if runs and (found["value"] or 0) & bit else "off"


def counters() -> dict[str, int]:
    """The kernel's; {} where it does not tell them."""
    try:
        return _counters.read()
    except OSError:
        return {}


def write(folder: str, kept: _state.Kept, found: Found, now: float) -> None:
    """Write the textfile, unless somebody else's is there. Raises OSError."""
    path = f"{folder}/{_metrics.NAME}"
    if not os.path.isdir(folder):
        return
    state = _files.read(path)
    if state is not None and (state.link or not state.content.startswith(_tick.MARK.encode())):
        raise OSError(17, "somebody else's file is there, and stays", path)
    _tick.replace(path, _metrics.render(facts(kept, found, now)), 0o644)


def facts(kept: _state.Kept, found: Found, now: float) -> _metrics.Facts:
    """What is shown."""
    sides = kept.stages
    return _metrics.Facts(
        version=_version.VERSION,
        kernel=os.uname().release,
        now=now,
        stages={side: stage for side, (stage, _since) in sides.items()},
        intended={side: found["intended"][side] for side in sides},
        changed={side: since for side, (_stage, since) in sides.items()},
        counters=counters(),
        undone=[(one["side"], one["by"]) for one in found["undone"].values()],
        reverts=kept.machine.reverts,
        watching=not kept.named.get("watch"),
        paused="paused" in kept.machine.found.values(),
        boot_agrees=found["boot_agrees"],
        kill_switch=found["kill_switch"] is not None,
        problems=len(_status.problems({**found, "guard": {"named": kept.named}})),
    )
