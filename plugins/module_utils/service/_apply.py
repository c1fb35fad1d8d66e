# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan of one side: files, then systemd, then wait until the services are really there."""

from __future__ import annotations

import os
import re
import subprocess
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _deployment,
    _exec_start,
    _files,
    _process,
    _service,
    _systemd,
)

START_SECONDS = 5.0
STEADY_SECONDS = 0.2
"""A service that dies of its config does so at once; this long after listening it counts as running."""


class ApplyError(Exception):
    """A service does not come up; the message holds the end of its journal."""


def apply(
    plan: _deployment.Plan,
    wanted: _deployment.Wanted,
    seen: _deployment.Seen,
    before_restart: t.Optional[t.Callable[[], None]] = None,
) -> None:
    """Do the plan's steps in order. Each is safe to repeat, so a run killed between two of them can be run again.

    ``before_restart`` is called once the files are there, before systemd reads them and anything restarts, also where
    nothing differs; systemd is told of what it writes only if unit files of ours changed as well.
    """
    if any(file.group for file in plan.files.values()) and seen.gid is None:
        _command(["groupadd", "--system", _service.GROUP])
    gid = _deployment.group_id() or 0
    if plan.mask:
        _systemd.systemctl("mask", "--now", _service.PACKAGED_UNIT)
    for path in plan.write:
        file = plan.files[path]
        _make_folder(path, gid)
        _files.write(path, file.text.encode(), file.mode, 0, gid if file.group else 0)
    for path in plan.attributes:
        file = plan.files[path]
        _files.set_attributes(path, file.mode, 0, gid if file.group else 0)
    unwanted = [seen.units[name] for name in plan.stop]
    stop([unit.name for unit in unwanted if unit.enabled or unit.active_state not in ("inactive", "failed")])
    # An instance is known by its config, which therefore goes last: a run killed before that finds the rest again.
    for path in sorted(plan.remove, key=lambda path: path.endswith(".json")):
        _files.remove(path)
        remove_folder(path)
    if before_restart is not None:
        before_restart()
    if plan.reload:
        _systemd.systemctl("daemon-reload")
    if plan.enable:
        _systemd.systemctl("enable", *plan.enable)
    restart(wanted.services, plan.restart)


def restart(services: t.Sequence[t.Mapping[str, t.Any]], units: t.Sequence[str]) -> None:
    """Restart the units and wait until each listens and stays up. Raises ApplyError."""
    if not units:
        return
    _systemd.systemctl("reset-failed", *units)
    _systemd.systemctl("restart", *units)
    listeners = {_service.unit(service): service for service in services}
    deadline = time.monotonic() + START_SECONDS
    for unit in units:
        while not up(listeners[unit]):
            if time.monotonic() > deadline:
                raise ApplyError(f"{unit} does not come up: {last_words(unit)}")
            time.sleep(0.02)
    time.sleep(STEADY_SECONDS)
    for name, unit in _systemd.show(units).items():
        if not unit.active:
            raise ApplyError(f"{name} died after its start: {last_words(name)}")


def stop(units: t.Sequence[str]) -> None:
    """Stop the units and keep them from starting at boot."""
    if units:
        _systemd.systemctl("disable", "--now", *units)
        # A unit that stopped without a failure is not loaded any more, and reset-failed would refuse it.
        failed = [name for name, unit in _systemd.show(units).items() if unit.active_state == "failed"]
        if failed:
            _systemd.systemctl("reset-failed", *failed)


def up(service: t.Mapping[str, t.Any]) -> bool:
    """Whether the service listens; for UDP only there is no listener to see, so its unit's state decides later."""
    if service["mode"] == "udp_only":
        return True
    return _process.listening(service["server_port" if service["program"] == "ss-server" else "local_port"])


def last_words(unit: str) -> str:
    """The last lines that the service wrote, without what could be a secret."""
    done = subprocess.run(
        ["journalctl", "--unit", unit, "--lines=5", "--output=cat", "--no-pager"],
        capture_output=True,
        text=True,
        check=False,
    )
    return " / ".join(line.strip() for line in done.stdout.splitlines() if line.strip()) or "its journal is empty"


def diff(plan: _deployment.Plan, seen: _deployment.Seen) -> list[dict[str, str]]:
    """The plan as Ansible's diff: files line by line, secrets masked on both sides; services by what happens."""
    shown = []
    for path in [*plan.write, *plan.remove]:
        state, file = seen.files.get(path), plan.files.get(path)
        before = "" if state is None else state.content.decode(errors="replace")
        after = "" if file is None else file.text
        if path.endswith(".json"):
            changed = before and after and masked(before) == masked(after)
            before, after = masked(before), masked(after) + ("(a masked value changes)\n" if changed else "")
        if path.endswith(_exec_start.DROP_IN):  # the command that it repeats may be somebody's own, with a password
            before = re.sub(r"(?m)^(ExecStart=).+", r"\1********", before)
        shown.append({"before_header": path, "after_header": path, "before": before, "after": after})
    lines = [
        f"{d['name']}: {d['why']}\n" for d in plan.differs if d["what"] == "service" or d["name"] in plan.attributes
    ]
    if lines:
        shown.append({"before_header": "services", "after_header": "services", "before": "", "after": "".join(lines)})
    return shown


def masked(text: str) -> str:
    """A config with its secrets as stars, somebody else's config too: blanks anywhere, numbers, cut short."""
    text = re.sub(r'("port_password"\s*:\s*)\{(?:"(?:[^"\\]|\\.)*"?|[^"}])*\}?', r'\1"********"', text)
    value = r'(?:"(?:[^"\\]|\\.)*"?|[^\s",}]+)'
    return re.sub(rf'("(?:password|plugin_opts|key)"\s*:\s*){value}', r'\1"********"', text)


def remove_folder(path: str) -> None:
    """Remove the folder of a drop-in that is gone, if nobody else keeps one there."""
    folder = os.path.dirname(path)
    if folder.endswith(".service.d") and os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def _make_folder(path: str, gid: int) -> None:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder)
        if folder == _service.CONFIG_DIR:
            _files.set_attributes(folder, 0o750, 0, gid)
        else:
            os.chmod(folder, 0o755)


def _command(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ApplyError(f"'{' '.join(command)}' failed with {done.returncode}: {done.stderr.strip()}")
