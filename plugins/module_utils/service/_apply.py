# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a plan of one side: files, then systemd, then wait until the services are really there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _access,
    _back,
    _binary,
    _deployment,
    _files,
    _folders,
    _observe,
    _owned,
    _packaged,
    _restart,
    _service,
    _systemd,
)


class ApplyError(Exception):
    """It was not to be done; the message says why, with the end of a service's journal, and how the host is left."""


def apply(
    plan: _deployment.Plan,
    wanted: _observe.Wanted,
    seen: _observe.Seen,
    before_restart: t.Optional[t.Callable[[], None]] = None,
) -> None:
    """Do the plan's steps in order; where that fails, put files and services back as they were. Raises ApplyError.

    Each step is safe to repeat, so a run killed between two of them can be run again. ``before_restart`` is called once
    the files are there, before systemd reads them and anything restarts, also where nothing differs; systemd is told of
    what it writes only if unit files of ours changed as well. What is kept comes last and is no reason to take anything
    back: until then all that was and all that is to be is ours.
    """
    try:
        _carry_out(plan, wanted, seen, before_restart)
    except Exception as error:
        left = _back.put_back(plan, seen, before_restart)
        if not isinstance(error, (ApplyError, _systemd.SystemdError, OSError)):
            raise  # a fault of ours leaves the host as it was, too
        state = "; ".join(left) or "files are put back, and what ran before runs again"
        raise ApplyError(f"{error}; {state}") from error
    try:
        if plan.owned != _owned.load():
            _owned.store(plan.owned)
    except OSError as error:
        raise ApplyError(f"all is done, but that cannot be kept ({error}): mend that, and run it again") from error
    if not plan.owned:
        with contextlib.suppress(OSError):  # kept where something else is in it
            os.rmdir(_service.CONFIG_DIR)


def _carry_out(
    plan: _deployment.Plan,
    wanted: _observe.Wanted,
    seen: _observe.Seen,
    before_restart: t.Optional[t.Callable[[], None]],
) -> None:
    if any(file.group for file in plan.files.values()) and seen.gid is None:
        # The PATH of a user who became root by su has no sbin.
        _command([_binary.find("groupadd") or "groupadd", "--system", _service.GROUP])
    gid = _access.group_id() or 0
    if plan.mask:
        _systemd.systemctl("mask", "--now", _packaged.UNIT)
    # What is about to be written is ours from here on, also for a run that finds only half of it, the folder first.
    if {**seen.owned, **plan.owned} != seen.owned:
        _owned.store({**seen.owned, **plan.owned})
    _make_config_folder(plan, seen, gid)
    _write(plan, gid)
    for path in plan.attributes:
        file = plan.files[path]
        _files.set_attributes(path, file.mode, 0, gid if file.group else 0)
    _remove(plan.remove)
    if before_restart is not None:
        before_restart()
    if plan.reload:
        _systemd.systemctl("daemon-reload")
    # What comes starts at boot before what goes does not any more: a host that is cut off in between boots with one of them.
    if plan.enable:
        _systemd.systemctl("enable", *plan.enable)
    _restart.forget_at_boot(plan.stop)
    unwanted = [seen.units[name] for name in plan.stop if name in seen.units]
    _restart.stop([unit.name for unit in unwanted if unit.enabled or unit.alive])
    ports = {unit: _service.tcp_port(wanted.units[unit]) for unit in plan.restart}
    problems = _restart.restart(ports, _back.configs(plan, seen))
    if problems:
        raise ApplyError("; ".join(problems))
    _remove(plan.leave)
    if _deployment.read_by_systemd(plan.leave):
        _systemd.systemctl("daemon-reload")


def _write(plan: _deployment.Plan, gid: int) -> None:
    """All of them, or on a full disk none: a template would start what its configs are not for."""
    try:
        for path in plan.write:
            file = plan.files[path]
            _make_folder(os.path.dirname(path))
            _files.prepare(path, file.text.encode(), file.mode, 0, gid if file.group else 0)
        _files.put(*plan.write)
    except BaseException:
        for path in plan.write:
            with contextlib.suppress(OSError):
                _files.remove(_files.temporary(path))
        raise


def _remove(paths: t.Iterable[str]) -> None:
    for step, path in _back.removal(paths):
        step(path)
        remove_folder(path)


def remove_folder(path: str) -> None:
    """Remove the folder of a drop-in that is gone, if nobody else keeps one there."""
    folder = os.path.dirname(path)
    if folder.endswith(".service.d") and os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def _make_folder(folder: str) -> None:
    _folders.check(folder)
    if not os.path.isdir(folder):
        os.makedirs(folder)
        os.chmod(folder, 0o755)


def _make_config_folder(plan: _deployment.Plan, seen: _observe.Seen, gid: int) -> None:
    """The folder that the services' group may read. One that was there first is left as it is, unless it is ours."""
    if not any(file.group for file in plan.files.values()):
        return
    if seen.folder is None:
        _folders.make(_service.CONFIG_DIR, 0o700)
    if seen.folder is None or not _access.readable(seen.folder, gid):
        _files.set_attributes(_service.CONFIG_DIR, 0o750, 0, gid)


def _command(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        answer = done.stderr.decode(errors="replace").strip()
        raise ApplyError(f"'{' '.join(command)}' failed with {done.returncode}: {answer}")
