# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a side may step: what refuses it, what a unit must be like, what its paths must carry. Changes nothing."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _service, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _proof, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._lease import Refused
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


class Skipped(Exception):
    """This side is not eligible, and stays as it is; the message says why."""


class NotEligible(Skipped):
    """The ``paths`` do not carry TFO. ``begun``: the kernel was prepared for trying them; ``lost``: SYNs get lost by TFO,
    so what is under TFO now must come down."""

    def __init__(self, reasons: list[str], paths: list[dict[str, t.Any]], begun: bool, lost: bool) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.paths, self.begun, self.lost = reasons, paths, begun, lost


def refuse(request: Request, record: _record.Record) -> None:
    if request.side == "server" and record.killed:
        raise Refused(
            f"the kill switch is on since {record.killed['when']} ({record.killed['by']}): lift it with"
            " rollback -e rollback_scope=accept -e rollback_lift=true"
        )
    units = [_service.unit(service) for service in request.services]
    bits = 0
    for service in request.services:
        bits |= _record.BITS[(request.side, request.unit(service)["mode"])]
    if bits & record.refused:
        raise Refused("role tcp_fastopen keeps a bit off that this needs (tcp_fastopen_accept, _send: false)")
    for unit, entry in record.undone.items():
        if unit in units and entry["by"] != "lease" and not request.retry:
            raise Skipped(
                f"{unit}: taken off by {entry['by']} at {entry['when']} ({entry['why']}); -e rollout_retry=true tries again"
            )


def below(unit: str) -> _exec_start.Below:
    """What our drop-in repeats. Raises Skipped for units that cannot have one."""
    foreign = _drop_in.foreign(unit)
    if foreign:
        raise Skipped(f"{foreign} is not ours: take it away, or keep this host out")
    try:
        found = _exec_start.read(unit)[1]
    except _exec_start.Unfit as error:
        raise Skipped(f"{unit}: {error}") from None
    if found.own_flag:
        raise Skipped(f"{unit} has the flag by {found.setter} itself: take it out there, so that it can be undone")
    return found


def conditions(units: t.Iterable[str]) -> None:
    """Whether what is to be restarted would start again. Raises Skipped for what its own conditions keep down by now."""
    for unit in units:
        unmet = _systemd.unmet(unit)
        if unmet:
            raise Skipped(f"{unit}: a restart would leave it down, for its unit asks for what is not so now: {unmet}")


def judge_paths(request: Request, result: Outcome, begun: bool = False) -> None:
    """Whether every path of a client carries SYN data. Raises NotEligible."""
    result.paths, reasons = _proof.paths(request.services, request.planned_servers)
    if reasons:
        lost = any(path["verdict"] == "syn_dropped" for path in result.paths)
        raise NotEligible(reasons, result.paths, begun, lost)
