# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process that was found is one whose TFO can be ours, and why not."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._find import Found
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_arguments
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary, _exec_start, _systemd

SENDS_ITSELF = "it sends by its own config: remove fast_open from its config, or the flag from its unit, and restart it"

NO_MAIN_PROCESS = "systemd does not know which process it mainly is: give it Type=simple, or a PIDFile"


class Judged(t.NamedTuple):
    """``unit`` is the real Id. ``why`` are the reasons against it, or else what must be known of it. ``fast_open``: it has
    TFO on by its own arguments or config."""

    unit: str
    enabled: bool
    fast_open: bool
    adoptable: bool
    why: list[str]


def judge(found: t.Sequence[Found]) -> list[Judged]:
    """One for each, in their order. Raises nothing: a host without systemd has services too."""
    names = sorted({one.unit for one in found if one.unit})
    try:
        units, error = _systemd.show(names), ""
    except _systemd.SystemdError as failed:
        units, error = {}, str(failed)
    return [_judged(one, units.get(one.unit, _systemd.Unit(one.unit)), error) for one in found]


def executable(below: _exec_start.Below, argv: t.Sequence[str]) -> str:
    """The file that the unit starts, so that what runs is what is measured. ``argv`` is what it runs by now, without our
    flag. Raises Unfit where that file would not run with the flag."""
    command = _ss_arguments.parse(argv, below.executable)
    if len(argv) == 1 and command is not None and command.family == _ss_arguments.LIBEV:
        raise _exec_start.Unfit(
            f"{below.setter}: without any argument {below.program} takes its default config, with one it does not: write"
            " -c and the config's path into ExecStart"
        )
    path = below.executable if os.path.isabs(below.executable) else _binary.find(below.executable)
    if path is None:
        raise _exec_start.Unfit(f"{below.setter}: there is no {below.executable} where systemd looks for programs")
    subcommand = command.program.split()[1:] if command is not None else []  # of ssservice
    if not _binary.knows_fast_open(path, *subcommand) and os.path.basename(path) != "ss-tunnel":
        raise _exec_start.Unfit(f"{path} has no --fast-open: install a build with TCP Fast Open")
    return path


def _judged(found: Found, unit: _systemd.Unit, error: str) -> Judged:
    flagged = found.flagged and _exec_start.DROP_IN not in unit.drop_ins
    switched = found.switched or flagged or (found.settings is not None and found.settings.fast_open)
    against, settings = _structure(found, unit, error), found.settings
    if against or settings is None:
        return Judged(found.unit, unit.enabled, switched, False, against)
    try:
        name, below = _exec_start.read(found.unit)
        executable(below, found.argv)
    except (_exec_start.Unfit, _systemd.SystemdError) as unfit:
        return Judged(found.unit, unit.enabled, switched, False, [str(unfit)])
    own = below.own_flag or flagged or settings.fast_open
    if own and found.role != "server":
        return Judged(name, unit.enabled, own, False, [SENDS_ITSELF])
    notes = {
        "it accepts by its own config: only the kernel's bits are a rollout's": own,
        "its config has changed after its start: restart it, so that what is read is what runs": found.changed,
        "it carries UDP only, which has no TCP Fast Open": settings.mode == "udp_only",
        "its unit has changed: systemctl daemon-reload": below.stale,
        f"it listens for {', '.join(settings.beside)} too, which follows along unmeasured": bool(settings.beside),
    }
    return Judged(name, unit.enabled, own, True, [note for note, applies in notes.items() if applies])


def _structure(found: Found, unit: _systemd.Unit, error: str) -> list[str]:
    """Why nothing that a drop-in says would reach this process, or why nothing is known of it; [] where neither is so."""
    if found.container:
        return ["it runs in a container, which this host's systemd does not start program by program"]
    if found.role == "manager":
        return ["it starts its servers itself, with arguments and configs of its own making: they are left alone"]
    if found.managed and unit.pid != found.pid:
        return ["a manager starts it with arguments and a config of its own making, so no drop-in reaches it"]
    reasons = [found.why] if found.settings is None else []
    if not found.unit:
        reasons.append("no unit of systemd runs it: give it one")
    elif error:
        reasons.append(error)
    elif not unit.pid:
        reasons.append(f"{found.unit}: {NO_MAIN_PROCESS}")
    elif unit.pid != found.pid:
        reasons.append(
            f"it is not the main process of {found.unit}, which a wrapper or a parent is: let the unit start it itself"
        )
    return reasons
