# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's timer and service on the host, and the tick that they start: what belongs there, what is there, both ways."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _machine, _metrics, _state, _tick
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _files,
    _observe,
    _restart,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lease, _record

SERVICE = "fastopen-guard.service"
TIMER = "fastopen-guard.timer"
HARDENING = (
    *_lease.HARDENING,
    "KeyringMode=private",
    "RestrictNamespaces=yes",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
)
_OURS = b"fastopen.shadowsocks"


class Refused(Exception):
    """Somebody else's file is in the way; nothing was changed."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """``hold``: seconds after which something may come back for the first time. ``textfile``: the folder of node_exporter,
    '' for no metrics."""

    interval: int = 30
    undoes: bool = True
    returns: bool = False
    hold: int = int(_machine.HOLD_SECONDS)
    textfile: str = ""


@dataclasses.dataclass
class Plan:
    """What is not as wanted: files to ``write`` and to ``remove``, and each thing as {what, name, why}."""

    write: dict[str, tuple[str, int]] = dataclasses.field(default_factory=dict)
    remove: list[str] = dataclasses.field(default_factory=list)
    differs: list[dict[str, str]] = dataclasses.field(default_factory=list)
    before: dict[str, str] = dataclasses.field(default_factory=dict)

    def note(self, what: str, name: str, why: str) -> None:
        """Keep one thing."""
        self.differs.append({"what": what, "name": name, "why": why})

    def diff(self) -> list[dict[str, str]]:
        """As Ansible shows it."""
        after = {path: text for path, (text, _mode) in self.write.items()}
        return [
            {
                "before_header": path,
                "after_header": path,
                "before": self.before.get(path, ""),
                "after": after.get(path, ""),
            }
            for path in sorted({*after, *self.remove})
        ]


def tick_path() -> str:
    """Where the tick is, beside the program."""
    return f"{os.path.dirname(_record.PROGRAM)}/guard"


def unit_path(name: str) -> str:
    """Where a unit of ours is."""
    return f"{_service.UNIT_DIR}/{name}"


def files(wanted: Wanted) -> dict[str, tuple[str, int]]:
    """Text and mode of everything but the program, by path."""
    return {
        tick_path(): (t.cast(t.Any, sys.modules[_tick.__name__].__loader__).get_source(_tick.__name__), 0o755),
        unit_path(SERVICE): (_service_text(wanted), 0o644),
        unit_path(TIMER): (_timer_text(wanted), 0o644),
    }


def _service_text(wanted: Wanted) -> str:
    options = "" if wanted.undoes else " --watch"
    options += f" --return --hold={wanted.hold}" if wanted.returns else ""
    options += f" --textfile={wanted.textfile}" if wanted.textfile else ""
    return f"""\
# Managed by Ansible {_observe.MARK}, role tfo_guard. Local changes belong in a drop-in.
[Unit]
Description=Look whether TCP Fast Open still works for this host
After=network.target

[Service]
Type=oneshot
ExecStart={_python.lasting()} -I -S {tick_path()}{options}
TimeoutStartSec=300
SyslogLevel=notice
LogLevelMax=notice
{chr(10).join(HARDENING)}
"""


def _timer_text(wanted: Wanted) -> str:
    """Counted from the end of a look, which may take long; the first one is due as soon as the timer is there."""
    return f"""\
# Managed by Ansible {_observe.MARK}, role tfo_guard. Local changes belong in a drop-in.
[Unit]
Description=Look every {wanted.interval} s whether TCP Fast Open still works for this host

[Timer]
OnBootSec={wanted.interval}
OnUnitInactiveSec={wanted.interval}
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def plan(wanted: t.Optional[Wanted]) -> Plan:
    """What is to be done; None: everything goes. Raises Refused, OSError, SystemdError."""
    found = Plan()
    desired = {} if wanted is None else files(wanted)
    if wanted is not None:
        _systemd.require()
    for path in sorted({*desired, tick_path(), unit_path(SERVICE), unit_path(TIMER)}):
        state = _files.read(path)
        ours = state is not None and not state.link and _OURS in state.content.split(b"\n", 1)[0]
        if state is not None and not ours:
            if wanted is not None:
                raise Refused(f"{path} is not ours and would be overwritten: move it away")
            continue
        if state is not None:
            found.before[path] = state.content.decode(errors="replace")
        if path not in desired:
            if state is not None:
                found.remove.append(path)
                found.note("file", path, "is removed")
        elif state is None or (found.before[path], state.mode) != desired[path]:
            found.write[path] = desired[path]
            found.note("file", path, "is missing" if state is None else "has other content")
    shown = _systemd.show([SERVICE, TIMER])
    timer = shown[TIMER]
    if wanted is not None:
        for name, unit in shown.items():
            if unit.load_state == "masked" or unit.fragment not in ("", unit_path(name)):
                raise Refused(f"{name} is a unit of somebody else ({unit.fragment or 'masked'}): move it away")
            if unit.needs_reload and unit_path(name) not in found.write:
                found.note("service", name, "is loaded as it was before its file was written")
        if not timer.enabled:
            found.note("service", TIMER, "does not start at boot")
        if timer.active_state != "active":
            found.note("service", TIMER, f"is {timer.active_state}")
    for folder in [_textfile()] if _textfile() not in ("", wanted.textfile if wanted else "") else []:
        path = f"{folder}/{_metrics.NAME}"
        state = _files.read(path)
        if state is not None and not state.link and state.content.startswith(_tick.MARK.encode()):
            found.remove.append(path)
            found.before[path] = "(metrics)\n"
            found.note("file", path, "is removed")
    return found


def _textfile() -> str:
    """The folder of metrics by the service that is there; '' where it says none."""
    state = _files.read(unit_path(SERVICE))
    if state is None or state.link or not _observe.is_marked(state):
        return ""
    found = re.search(rb"^ExecStart=.* --textfile=(\S+)$", state.content, re.MULTILINE)
    return found[1].decode(errors="replace") if found else ""


def apply(planned: Plan) -> None:
    """Write, start, and before that remove what goes elsewhere: only the old unit tells of it. Raises OSError, SystemdError."""
    for path in planned.remove:
        _files.remove(path)
    for path, (text, mode) in planned.write.items():
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        _files.write(path, text.encode(), mode, os.geteuid(), os.getegid())
    _systemd.systemctl("daemon-reload")
    _systemd.systemctl("enable", TIMER)
    _systemd.systemctl("restart" if unit_path(TIMER) in planned.write else "start", TIMER)


def remove(planned: Plan) -> None:
    """Stop it, and nothing of it stays: no unit, no tick, no state, no metrics. Last goes the unit, by which whoever comes
    after a call that was killed finds the rest. Raises OSError, SystemdError."""
    # Stopped in the middle of a look it has failed, for systemd.
    _restart.stop([name for name in (TIMER, SERVICE) if unit_path(name) in planned.remove])
    _state.remove()
    for path in sorted(planned.remove, key=unit_path(SERVICE).__eq__):
        _files.remove(path)
    if planned.remove:
        _systemd.systemctl("daemon-reload")


def installed() -> bool:
    """Whether it is there, so that the program must stay."""
    state = _files.read(unit_path(TIMER))
    return state is not None and _observe.is_marked(state)
