# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of one side brought to what is wanted, on one path for check mode and the real run."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _deployment,
    _service,
    _systemd,
)

EXPECTED = (_apply.ApplyError, _systemd.SystemdError, OSError)
"""The failures that the module reports as its own message."""

SPEC: dict[str, t.Any] = {
    "side": {"type": "str", "required": True, "choices": list(_service.SIDES)},
    "instances": {"type": "list", "elements": "dict", "no_log": False},
    "services": {"type": "list", "elements": "dict", "options": _service.SERVICE_SPEC},
    "limit_nofile": {"type": "int", "default": 65536},
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was not as wanted, {what, name, why} each, and the same as Ansible's diff."""

    changed: bool
    differs: list[dict[str, str]]
    diff: list[dict[str, str]]


def build(params: t.Mapping[str, t.Any]) -> _deployment.Wanted:
    """What is wanted, out of a module's parameters."""
    return _deployment.Wanted(params["side"], params["services"] or [], params["limit_nofile"])


def deploy(wanted: _deployment.Wanted, check: bool, before_restart: t.Optional[t.Callable[[], None]] = None) -> Outcome:
    """Remove every difference, or with ``check`` only name them; ``before_restart`` as in _apply.apply."""
    seen = _deployment.observe(wanted)
    plan = _deployment.compare(wanted, seen)
    if not check:
        _apply.apply(plan, wanted, seen, before_restart)
    return Outcome(bool(plan.differs), plan.differs, _apply.diff(plan, seen))
