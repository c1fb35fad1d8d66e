# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that failed is taken back: files as they were, and what ran before runs again."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _deployment,
    _files,
    _owned,
    _packaged,
    _restart,
    _service,
    _systemd,
)


def put_back(
    plan: _deployment.Plan, seen: _deployment.Seen, renew: t.Optional[t.Callable[[], None]] = None
) -> list[str]:
    """Bring the host back to ``seen``, however far the plan came, and say what could not be. Raises nothing.

    ``renew`` lets drop-ins follow the files below them.
    """
    problems: list[str] = []

    def do(action: t.Callable[..., t.Any], *arguments: t.Any) -> None:
        try:
            action(*arguments)
        except (_systemd.SystemdError, OSError) as error:
            problems.append(f"not put back: {error}")

    ran = [unit for unit in [*plan.restart, *plan.stop] if seen.units.get(unit, _systemd.Unit(unit)).active]
    new = sorted({*plan.enable, *plan.restart} - set(ran))
    began = [name for name, unit in _systemd.show(new).items() if unit.load_state == "loaded"]
    if began:
        do(_systemd.systemctl, "stop", *began)
    if set(plan.enable) & set(began):
        do(_systemd.systemctl, "disable", *sorted(set(plan.enable) & set(began)))
    for path in [*plan.write, *plan.attributes, *plan.remove]:
        do(_files.restore, path, seen.files.get(path))
    do(_owned.store, seen.owned)
    _remove_empty(plan, seen)
    if renew is not None:
        do(renew)
    do(_systemd.systemctl, "daemon-reload")
    again = [unit for unit in plan.stop if seen.units.get(unit, _systemd.Unit(unit)).enabled]
    if again:
        do(_systemd.systemctl, "enable", *again)
    if ran:
        found = _restart.restart({unit: _port(unit, seen) for unit in ran})
        problems += [f"not put back: {problem}" for problem in found]
    if plan.mask:
        do(_systemd.systemctl, "unmask", _packaged.UNIT)
        if seen.packaged.unit.active:
            do(_systemd.systemctl, "start", _packaged.UNIT)
    return problems


def _port(unit: str, seen: _deployment.Seen) -> t.Optional[int]:
    """The TCP port of the old config, None where there is none."""
    config = _deployment.config_of(unit, seen)
    port = config.get("server_port" if unit.startswith("ss-server@") else "local_port")
    return port if isinstance(port, int) and config.get("mode") != "udp_only" else None


def _remove_empty(plan: _deployment.Plan, seen: _deployment.Seen) -> None:
    """Folders that the deployment made, if nothing else is in them by now."""
    for folder in {os.path.dirname(path) for path in plan.write if path.endswith(".conf")}:
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    if seen.folder is None:
        with contextlib.suppress(OSError):
            os.rmdir(_service.CONFIG_DIR)
