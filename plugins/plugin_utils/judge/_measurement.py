# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients and servers, read from results of modules and added up path by path."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import (
    Arm,
    Client,
    Connection,
    Path,
    Server,
    add_counters,
)


class MeasurementError(ValueError):
    """A measurement that cannot be read; the message names the field and what was expected."""


def client(value: Any, name: str) -> Client:
    """A client from one measurement, or from a list of them; null, failed and unreachable results are no data.

    Requests and counters are added path by path, restarts (each counted since the step) are not: the highest stays.
    """
    total = Client()
    for number, part in enumerate(value if isinstance(value, (list, tuple)) else [value]):
        where = f"{name}, measurement {number + 1}"
        if part is None:
            continue
        part = _mapping(part, where)
        total.trouble = total.trouble or _trouble(part)
        if _trouble(part):
            continue
        for path in _list(part.get("paths"), f"{where}: paths") or [part]:
            total.add(_path(_mapping(path, f"{where}: paths"), where, whole=path is part))
        total.restarts = max(total.restarts, _count(part.get("restarts"), f"{where}: restarts"))
        total.network = str(part.get("network") or total.network)
    return total


def _path(value: Mapping[str, Any], where: str, whole: bool) -> Path:
    """One path; a measurement as a ``whole`` that names none is one without a name."""
    name, server = ("", "") if whole else (str(value.get("name") or ""), str(value.get("server") or ""))
    where = ": ".join(part for part in (where, name) if part)
    arms = (_arm(value.get(kind), f"{where}: {kind}") for kind in ("plain", "fast_open"))
    return Path(name, server, *arms)


def _trouble(part: Mapping[str, Any]) -> str:
    """Why there is no measurement, '' where there is one."""
    failed = part.get("failed") is True or part.get("unreachable") is True
    return str(part.get("msg") or "the measurement failed") if failed else ""


def server(value: Any, name: str) -> Server:
    """A server from one result or a list of them, added up like a client's."""
    total = Server()
    for part in value if isinstance(value, (list, tuple)) else [value]:
        if part is None:
            continue
        part = _mapping(part, name)
        add_counters(total.counters, _counters(part.get("counters"), f"{name}: counters"))
        total.restarts = max(total.restarts, _count(part.get("restarts"), f"{name}: restarts"))
    return total


def _arm(value: Any, where: str) -> Arm:
    if value is None:
        return Arm()
    value = _mapping(value, where)
    times = _list(value.get("ttfb_ms"), f"{where}: ttfb_ms")
    if not all(_number(time) is not None for time in times):
        raise MeasurementError(f"{where}: ttfb_ms must be a list of milliseconds, not {times!r}.")
    arm = Arm(
        _count(value.get("ok"), f"{where}: ok"),
        _count(value.get("failed"), f"{where}: failed"),
        [float(time) for time in times],
        _counters(value.get("counters"), f"{where}: counters"),
        _count(value.get("exits"), f"{where}: exits"),
        [_connection(one, f"{where}: connections") for one in _list(value.get("connections"), f"{where}: connections")],
    )
    if len(arm.ttfb_ms) != arm.ok:
        raise MeasurementError(
            f"{where}: {arm.ok} requests were answered, but ttfb_ms holds {len(arm.ttfb_ms)} times. "
            "Give the first-byte time of every answered request and of no other."
        )
    return arm


def _connection(value: Any, where: str) -> Connection:
    value = _mapping(value, where)
    rtt = _number(value.get("rtt_ms") or 0.0)  # null before the handshake has ended
    if rtt is None or not isinstance(value.get("syn_data"), bool):
        raise MeasurementError(f"{where}: each needs a boolean syn_data, a count lost, and rtt_ms, not {value!r}.")
    return Connection(value["syn_data"], _count(value.get("lost"), f"{where}: lost"), rtt)


def _list(value: Any, where: str) -> Sequence[Any]:
    if value is not None and not isinstance(value, (list, tuple)):
        raise MeasurementError(f"{where} must be a list, not {value!r}.")
    return value or []


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MeasurementError(f"{where}: expected a dictionary, not {value!r}.")
    return value


def _counters(value: Any, where: str) -> dict[str, int]:
    return {str(name): _count(number, f"{where}: {name}") for name, number in _mapping(value or {}, where).items()}


def _count(value: Any, where: str) -> int:
    number = 0 if value is None else _number(value)
    if number is None or number < 0 or number != int(number):
        raise MeasurementError(f"{where} must be a count of 0 or more, not {value!r}.")
    return int(number)


def _number(value: Any) -> Optional[float]:
    """A finite number, or None; texts are accepted, since templates may turn numbers into them."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None
