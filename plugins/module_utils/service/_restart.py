# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart services and see that they are really there again, or stop them for good."""

from __future__ import annotations

import contextlib
import glob
import subprocess
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _files,
    _owned,
    _plugin,
    _process,
    _secrets,
    _service,
    _systemd,
)

START_SECONDS = 5.0
"""Most services listen by then, and of one that does not, systemd tells whether it still starts."""
SLOW_START_SECONDS = 30.0
"""For one that runs or starts and does not listen yet: somebody's haproxy with large lists, a name server at its start."""
_STARTING = ("running", "start", "start-pre", "start-post", "reload")
STEADY_SECONDS = 0.2
"""A service that dies of its config does so at once; this long after listening it counts as running."""
PLUGIN_SECONDS = 1.0
"""A plugin reads its options, and binds, before it counts as running."""


def restart(
    units: t.Mapping[str, t.Optional[int]], configs: t.Iterable[t.Mapping[str, t.Any]] = (), go_on: bool = False
) -> list[str]:
    """Restart the units (unit to its TCP port, None where there is none), and say which do not come up, and why not.

    Units that share a port take turns, so that something listens there all the time; where one does not come up, those
    whose turn is later are left as they are, unless we are to ``go_on``. The secrets of ``configs`` are not shown either:
    the journal may tell of a config that was there before.
    """
    if not units:
        return []
    with contextlib.suppress(_systemd.SystemdError):  # of one that it has not loaded there is nothing to reset
        _systemd.systemctl("reset-failed", *sorted(units))  # where there is a limit of starts, it counts ours as well
    reasons: list[str] = []
    configs, ports = list(configs), list(units.values())
    shared = {port for port in ports if port is not None and ports.count(port) > 1}
    for turn in turns(units):
        if go_on or not reasons:
            reasons += _at_once(turn, shared, configs)
    return reasons


def turns(units: t.Mapping[str, t.Optional[int]]) -> list[dict[str, t.Optional[int]]]:
    """The units that may be restarted at the same time, one group after the other: of each port one in each."""
    found: list[dict[str, t.Optional[int]]] = []
    for unit, port in sorted(units.items()):
        free = next((turn for turn in found if port is None or port not in turn.values()), None)
        if free is None:
            found.append({})
        (found[-1] if free is None else free)[unit] = port
    return found


def _at_once(
    units: t.Mapping[str, t.Optional[int]], shared: t.Collection[int], configs: t.Iterable[t.Mapping[str, t.Any]]
) -> list[str]:
    """Of ``shared`` ports another unit listens there too: only a socket that was not there before is this one's."""
    reasons = []
    before = {port: _process.listeners(port) for port in shared if port in units.values()}
    try:
        _systemd.systemctl("restart", *sorted(units))
    except _systemd.SystemdError as error:
        reasons.append(str(error))
    ports = {unit: port for unit, port in units.items() if port is not None}
    waiting = _silent(ports, START_SECONDS, before)
    starting = {unit for unit, state in _systemd.show(sorted(waiting)).items() if state.sub_state in _STARTING}
    slow = _silent({unit: port for unit, port in waiting.items() if unit in starting}, SLOW_START_SECONDS, before)
    time.sleep(STEADY_SECONDS)
    plugins = {unit: plugin for unit, plugin in ((unit, _plugin_of(unit)) for unit in sorted(units)) if plugin}
    unplugged = _unplugged(plugins)
    shown = _systemd.show(sorted(units))
    down = [name for name, unit in shown.items() if not unit.active]
    missing = sorted({*down, *slow, *(set(waiting) - starting), *unplugged})
    return [
        *reasons,
        *(
            f"{unit} does not come up: {_why(shown[unit], plugins.get(unit, ''), unit in unplugged, configs)}"
            for unit in missing
        ),
    ]


def _unplugged(plugins: t.Mapping[str, str]) -> list[str]:
    """Those units whose plugin does not stay: what is its process now must be so for a while."""
    if not plugins:
        return []
    before = {unit: _plugin.running(state.pid) for unit, state in _systemd.show(sorted(plugins)).items()}
    time.sleep(PLUGIN_SECONDS)
    now = {unit: _plugin.running(state.pid) for unit, state in _systemd.show(sorted(plugins)).items()}
    return [unit for unit in plugins if not before[unit] & now[unit]]


def _why(unit: _systemd.Unit, plugin: str, unplugged: bool, configs: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    if unit.refused:
        return unit.refused
    ended = f"its plugin {plugin} has ended" if unplugged and unit.active else ""
    hidden = plugin and _plugin.hidden(plugin, _plugin.folders(unit.name))
    return ": ".join(filter(None, [ended, hidden, last_words(unit.name, configs)]))


def _plugin_of(unit: str) -> str:
    return _plugin.of(_config_of(unit) or {})


def _silent(ports: t.Mapping[str, int], seconds: float, before: t.Mapping[int, t.Collection[int]]) -> dict[str, int]:
    """Those units that do not listen on their port after so long; none is waited for longer than it needs."""
    deadline = time.monotonic() + seconds
    waiting = dict(ports)
    while waiting and time.monotonic() < deadline:
        waiting = {unit: port for unit, port in waiting.items() if not _listens(port, before.get(port))}
        time.sleep(0.02)
    return waiting


def _listens(port: int, before: t.Optional[t.Collection[int]]) -> bool:
    return _process.listening(port) if before is None else bool(_process.listeners(port) - set(before))


def links(unit: str) -> list[str]:
    """The links by which a unit starts at boot."""
    return sorted(glob.glob(f"{glob.escape(_service.UNIT_DIR)}/*.wants/{glob.escape(unit)}"))


def forget_at_boot(units: t.Iterable[str]) -> None:
    """Remove those links, also where systemd does not answer."""
    for path in [path for unit in units for path in links(unit)]:
        _files.remove(path)


def stop(units: t.Sequence[str]) -> None:
    """Stop the units and keep them from starting at boot."""
    if units:
        try:
            _systemd.systemctl("disable", "--now", *units)
        except _systemd.SystemdError:  # of a unit whose file is gone, or it cannot be stopped either
            _systemd.systemctl("stop", *units)
        # A unit that stopped without a failure is not loaded any more, and reset-failed would refuse it.
        failed = [name for name, unit in _systemd.show(units).items() if unit.active_state == "failed"]
        if failed:
            _systemd.systemctl("reset-failed", *failed)


def last_words(unit: str, configs: t.Iterable[t.Mapping[str, t.Any]] = ()) -> str:
    """The last lines that the service wrote, with the secrets of its config and of ``configs`` as stars.

    What may be secret in the lines of somebody else's service nobody here knows, so they stay on the host.
    """
    config = _config_of(unit)
    if config is None:
        return f"journalctl --unit {unit} on that host tells why"
    done = subprocess.run(
        ["journalctl", "--unit", unit, "--lines=5", "--output=cat", "--no-pager"],
        capture_output=True,
        check=False,
    )
    text = done.stdout.decode(errors="replace")  # a service may write what is no text
    words = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return _secrets.hidden(words, config, *configs) or "its journal is empty"


def _config_of(unit: str) -> t.Optional[dict[str, t.Any]]:
    """The config of a deployed unit, {} where it cannot be read; None for one that we have not deployed."""
    try:
        if unit not in _owned.load():
            return None
        state = _files.read(_service.config_path(*_service.parts(unit)))
    except OSError:
        return {}
    except _owned.OwnedError:
        return None
    return _secrets.config(state.content if state else None)
