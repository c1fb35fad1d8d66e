# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemctl, as data. One call shows any number of units."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii

_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,NeedDaemonReload,NRestarts,Result,FragmentPath,DropInPaths,"
    "ExecMainStatus"
)

OLDEST = 247
"""It knows ProtectProc= and ProcSubset= of our units; before 242 a lease cannot have RestrictSUIDSGID= (systemd.exec(5))."""
_UNMET = re.compile(r": ((?:Condition|Assert)(?!Capability|Environment)\w+=.*) failed\.$", re.MULTILINE)
"""In what `systemd-analyze condition` says. Those two kinds it answers for itself: in the unit of a lease it may do less than systemd."""


class SystemdError(Exception):
    """systemctl failed; the message tells the command, its answer, and where to look."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """What systemd knows of one unit. ``pid`` is 0 where nothing runs."""

    name: str
    load_state: str = "not-found"
    active_state: str = "inactive"
    sub_state: str = "dead"
    file_state: str = ""
    pid: int = 0
    needs_reload: bool = False
    restarts: int = 0
    result: str = ""
    fragment: str = ""
    drop_ins: str = ""
    exit_status: int = 0

    @property
    def active(self) -> bool:
        """Running, not merely waiting for its next automatic restart."""
        return self.active_state == "active" and self.sub_state == "running"

    @property
    def alive(self) -> bool:
        """Running, or on its way there: what waits for its next automatic start will start."""
        return self.active_state not in ("inactive", "failed")

    @property
    def refused(self) -> str:
        """Why systemd itself could not start it, '' where that is not so: EXIT_NAMESPACE in systemd.exec(5)."""
        if self.active or self.exit_status != 226:
            return ""
        return (
            "226/NAMESPACE: this host does not let it have the file system view that its unit asks for; in an LXC container"
            " allow nesting"
        )

    @property
    def enabled(self) -> bool:
        """Starts at boot."""
        return self.file_state == "enabled"


def require() -> None:
    """Raises SystemdError where there is no systemd, or one that is too old."""
    found = re.match(r"systemd (\d+)", systemctl("--version"))
    if found and int(found[1]) < OLDEST:
        raise SystemdError(
            f"systemd is {found[1]} on this host, and fastopen.shadowsocks needs {OLDEST} or later. Nothing was changed"
        )


def systemctl(*arguments: str) -> str:
    """Run systemctl and give its output. Raises SystemdError."""
    return _run(["systemctl", "--no-ask-password", *arguments])


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise SystemdError(
            f"{command[0]} is not on this host: fastopen.shadowsocks manages systemd units only"
        ) from None
    if done.returncode != 0:
        answer = " ".join(_ascii.words(_ascii.shown(_ascii.text(done.stderr))))  # it is part of one line of a report
        raise SystemdError(f"'{' '.join(command)}' failed with {done.returncode}: {answer}; see journalctl -xe")
    return _ascii.text(done.stdout)


def unmet(unit: str) -> str:
    """The conditions of a unit that do not hold now, so that a restart would stop it for good; '' where all do, or where
    this systemd does not tell (before 250)."""
    try:
        done = subprocess.run(["systemd-analyze", "condition", f"--unit={unit}"], capture_output=True, check=False)
    except FileNotFoundError:
        return ""
    text = _ascii.text(done.stdout + done.stderr)
    found = _UNMET.findall(text) if done.returncode else []
    return _ascii.shown(", ".join(found))


def run_transient(*arguments: str) -> None:
    """Run systemd-run, for a unit or timer that lives until it has run, or until the next boot. Raises SystemdError."""
    _run(["systemd-run", "--no-ask-password", "--quiet", *arguments])


def show(units: t.Sequence[str]) -> dict[str, Unit]:
    """The state of the named units; one that does not exist has load_state ``not-found``. Raises SystemdError.

    By the names that were asked for: systemctl answers in their order, and of an alias with the unit's real Id. What a
    pattern matches is by its Id.
    """
    if not units:
        return {}
    found = parse_show(systemctl("show", f"--property={_PROPERTIES}", *units))
    if any(character in name for name in units for character in "*?["):
        return {unit.name: unit for unit in found}
    return dict(zip(units, found))


def parse_show(text: str) -> list[Unit]:
    """The output of ``systemctl show``: one block of KEY=VALUE lines a unit, blank lines between. Raises nothing."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split("=", 1) for line in _ascii.lines(block) if "=" in line)
        if "Id" in fields:
            found.append(
                Unit(
                    name=fields["Id"],
                    load_state=fields.get("LoadState", ""),
                    active_state=fields.get("ActiveState", ""),
                    sub_state=fields.get("SubState", ""),
                    file_state=fields.get("UnitFileState", ""),
                    pid=_ascii.number(fields.get("MainPID", "")),
                    needs_reload=fields.get("NeedDaemonReload") == "yes",
                    restarts=_ascii.number(fields.get("NRestarts", "")),
                    result=fields.get("Result", ""),
                    fragment=fields.get("FragmentPath", ""),
                    drop_ins=fields.get("DropInPaths", ""),
                    exit_status=_ascii.number(fields.get("ExecMainStatus", "")),
                )
            )
    return found
