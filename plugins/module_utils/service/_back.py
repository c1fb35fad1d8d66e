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
    _observe,
    _owned,
    _packaged,
    _restart,
    _secrets,
    _service,
    _systemd,
)


def put_back(plan: _deployment.Plan, seen: _observe.Seen, renew: t.Optional[t.Callable[[], None]] = None) -> list[str]:
    """Bring the host back to ``seen``, however far the plan came, and say what could not be. Raises nothing.

    What ran before is whole, and starts at boot, before what came goes, and nothing of that needs systemd: a host that is
    cut off in between, or goes down for a reboot, boots with one of them. Where a file cannot be put back, as on a full
    disk, what took the place of another one stays. ``renew`` lets drop-ins follow the files below them.
    """
    problems: list[str] = []

    def do(action: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        try:
            return action(*arguments)
        except Exception as error:  # pylint: disable=broad-exception-caught
            problems.append(f"not put back: {error}")
            return None

    before = {unit: seen.units.get(unit, _systemd.Unit(unit)) for unit in [*plan.restart, *plan.stop]}
    names = sorted({*plan.enable, *before})
    shown = do(_systemd.show, names)
    loaded = names if shown is None else [name for name, unit in shown.items() if unit.load_state == "loaded"]
    began = [unit for unit in loaded if unit in plan.restart and not before[unit].alive]
    ran = [unit for unit, state in before.items() if state.active and not _is_same(state, (shown or {}).get(unit))]
    tried = [unit for unit, state in before.items() if not state.active and state.alive]
    known = len(problems)
    # What goes has its own files, then its start at boot, and only then the template that it may share with what came.
    gone = {**{path: seen.files.get(path) for path in plan.leave}, **seen.links}
    states = {**gone, **{path: seen.files.get(path) for path in [*plan.write, *plan.attributes, *plan.remove]}}
    for path, state in states.items():
        if state is not None:
            do(_files.restore, path, state)
    if len(problems) == known or not plan.stop:
        if began:
            do(_systemd.systemctl, "stop", *began)
        do(_restart.forget_at_boot, plan.enable)
        for step, path in removal(path for path, state in states.items() if state is None):
            do(step, path)
        if do(_owned.load) != seen.owned:
            do(_owned.store, seen.owned)
    else:
        ran, tried = ([unit for unit in units if unit not in plan.stop] for units in (ran, tried))
    _remove_empty(plan, seen)
    if renew is not None:
        do(renew)
    do(_systemd.systemctl, "daemon-reload")
    if tried:  # systemd starts them again and again, as before
        do(_systemd.systemctl, "restart", *tried)
    ports = {unit: _port(unit, seen) for unit in ran}
    found = do(_restart.restart, ports, configs(plan, seen), True) or []
    problems += [f"not put back: {problem}" for problem in found]
    if plan.mask and not seen.packaged.masked:
        do(_systemd.systemctl, "unmask", _packaged.UNIT)
    if plan.mask and not seen.packaged.masked and seen.packaged.unit.alive:
        do(_systemd.systemctl, "start", _packaged.UNIT)
    return problems


def removal(paths: t.Iterable[str]) -> list[tuple[t.Callable[[str], None], str]]:
    """The steps by which files go. A drop-in that asks for an access list is out of use before that goes, else the service
    does not start in between, and there until it has gone, else nothing tells that it is ours."""
    paths = list(paths)
    ask = [path for path in paths if path.endswith("/acl.conf")]
    rest = [path for path in paths if path not in ask]
    return [
        *((_files.hide, path) for path in ask),
        *((_files.remove, path) for path in rest),
        *((_files.remove, _files.temporary(path)) for path in ask),
    ]


def _is_same(before: _systemd.Unit, now: t.Optional[_systemd.Unit]) -> bool:
    """Whether the plan has not come as far as to its process."""
    return now is not None and now.active and now.pid == before.pid


def configs(plan: _deployment.Plan, seen: _observe.Seen) -> list[dict[str, t.Any]]:
    """Every config that a service may have told of: as they are on the host, and as they are to be."""
    texts = [state.content for path, state in seen.files.items() if state and path.endswith(".json")]
    return [_secrets.config(text) for text in [*texts, *(file.text for file in plan.files.values() if file.secret)]]


def _port(unit: str, seen: _observe.Seen) -> t.Optional[int]:
    """The TCP port of the old config, None where there is none."""
    port = _observe.port_of(unit, seen)
    return port if isinstance(port, int) and _observe.mode_of(unit, seen) != "udp_only" else None


def _remove_empty(plan: _deployment.Plan, seen: _observe.Seen) -> None:
    """Folders that the deployment made, if nothing else is in them by now; the configs' folder as it was."""
    for folder in {os.path.dirname(path) for path in plan.write if path.endswith(".conf")}:
        with contextlib.suppress(OSError):
            os.rmdir(folder)
    with contextlib.suppress(OSError):
        if seen.folder is None:
            os.rmdir(_service.CONFIG_DIR)
        else:
            _files.set_attributes(_service.CONFIG_DIR, *seen.folder)
