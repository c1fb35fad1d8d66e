# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a client back that the guard took off, by the way up that everybody takes: step, proof, confirmation."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _eligible,
    _lease,
    _lock,
    _present,
    _record,
    _tidy,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Request

LEASE_SECONDS = 300.0


def come_back(unit: str, entry: t.Mapping[str, t.Any]) -> str:
    """Why it stays plain; '' where it is under TFO again, and that is proven and lasts. Raises what the host's edges raise."""
    with _lock.hold():
        _tidy.tidy()
        record = _record.load()
        if not is_intended(record, unit):
            return "somebody else has decided about it meanwhile"
        file = record.line.file if record.line else _switch.FILE
        request = Request(
            entry["side"],
            services(unit, entry),
            sysctl_file=file,
            probe_url=entry["url"],
            run=f"{_lease.ALONE}guard-{time.time_ns():x}",
            who="guard",
            lease_seconds=LEASE_SECONDS,
            retry=True,
        )
        why = _lease.refusal(request, _record.load_lease())
        if why:
            return why
        try:
            result = _present.present(request, check=False)
        except (_lease.Refused, _eligible.Skipped) as error:
            return str(error)
    return "" if result.outcome == "confirmed" else "; ".join(result.reasons) or result.outcome


def is_intended(record: _record.Record, unit: str) -> bool:
    """Whether a rollout had confirmed it, the guard took it off, and nobody has decided anything else since."""
    undone = record.undone.get(unit)
    return undone is not None and undone["by"] == "guard" and undone.get("intended") == _record.STAGES[undone["side"]]


def services(unit: str, entry: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """What the way up must know of it, one entry a server; no secret is needed, and none is kept."""
    return [
        {
            "unit": unit,
            "name": unit,
            "program": entry["program"],
            "mode": "tcp_only",
            "server": [host],
            "server_port": port,
            "ipv6_first": entry.get("ipv6_first", False),
            "local_address": entry["address"],
            "local_port": entry["port"],
        }
        for host, port in entry["servers"]
    ]
