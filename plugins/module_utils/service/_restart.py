# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart services and see that they are really there again."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _process, _systemd


def restart(units: t.Mapping[str, t.Optional[int]]) -> list[str]:
    """Restart the units (unit to its TCP port, None where there is none), and say which do not come up, and why not."""
    if not units:
        return []
    reasons = []
    try:
        _systemd.systemctl("reset-failed", *sorted(units))  # the limit of starts counts ours as well
        _systemd.systemctl("restart", *sorted(units))
    except _systemd.SystemdError as error:
        reasons.append(str(error))
    deadline = time.monotonic() + _apply.START_SECONDS
    waiting = {unit: port for unit, port in units.items() if port is not None}
    while waiting and time.monotonic() < deadline:
        waiting = {unit: port for unit, port in waiting.items() if not _process.listening(port)}
        time.sleep(0.02)
    time.sleep(_apply.STEADY_SECONDS)
    down = [name for name, unit in _systemd.show(sorted(units)).items() if not unit.active]
    missing = sorted({*down, *waiting})
    return [*reasons, *(f"{unit} does not come up: {_apply.last_words(unit)}" for unit in missing)]
