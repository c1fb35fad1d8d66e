# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up in one call, for a role and for the guard: claim, step, proof, confirmation; what is not proven comes down again."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _confirm,
    _down,
    _eligible,
    _lease,
    _record,
    _up,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def present(request: Request, check: bool) -> Outcome:
    """Step, proof and confirmation in one, for a role, under a claim of its own; what is not proven comes down at once."""
    _lease.claim(request, check)
    try:
        try:
            result = _up.step(request, check)
        except _eligible.NotEligible as skipped:
            return not_eligible(request, skipped, check)
        if result.outcome == "stepped":
            result.changed = True
            if check:
                result.outcome = "planned"
                return result
            confirmed = _confirm.confirm(request, check)
            result.outcome, result.reasons = confirmed.outcome, [*result.reasons, *confirmed.reasons]
        if result.outcome == "failed":
            descent = _down.Descent("rollout", "; ".join(result.reasons), [request.side])
            result.reasons += _down.down(descent, check).reasons
        return result
    finally:
        _lease.release(request, check)


def not_eligible(request: Request, skipped: _eligible.NotEligible, check: bool) -> Outcome:
    """A client whose paths do not carry TFO stays plain; one that is under TFO and loses its SYNs by it comes down."""
    result = Outcome("skipped", reasons=skipped.reasons, paths=skipped.paths)
    under = any(entry["side"] == "client" for entry in _record.load().units.values())
    if not skipped.begun and not (under and skipped.lost):
        return result
    undone = _down.down(_down.Descent("rollout", str(skipped), [request.side]), check)
    result.reasons += undone.reasons
    if undone.outcome == "failed":
        result.outcome = "failed"
    elif not skipped.begun:
        result.outcome, result.changed, result.diff = "reverted", True, undone.diff
    return result
