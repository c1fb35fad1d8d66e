# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of one side brought to what is wanted, on one path for check mode and the real run."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _archive,
    _binary,
    _deployment,
    _diff,
    _foreign,
    _observe,
    _owned,
    _packaged,
    _secrets,
    _service,
    _systemd,
)


class Refused(Exception):
    """Something of somebody else is in the way; the message has a line for each. Nothing was changed."""


EXPECTED = (Refused, _apply.ApplyError, _archive.ArchiveError, _owned.OwnedError, _systemd.SystemdError, OSError)
"""The failures that the module reports as its own message."""

SPEC: dict[str, t.Any] = {
    "side": {"type": "str", "required": True, "choices": list(_service.SIDES)},
    "instances": {"type": "list", "elements": "dict", "no_log": False},
    "services": {"type": "list", "elements": "dict", "options": _service.SERVICE_SPEC},
    "absent": {"type": "list", "elements": "str", "default": []},
    "prune": {"type": "bool", "default": False},
    "limit_nofile": {"type": "int", "default": 65536},
    "packaged": {"type": "bool", "default": True},
    "by_apt": {"type": "bool", "default": False},
    "archive": {"type": "dict", "default": {}},
    **_secrets.SPEC,
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was not as wanted, {what, name, why} each, and the same as Ansible's diff.

    ``refused`` are the lines of what is in the way, ``steps`` what happens to things that are there already, ``missing``
    the binaries that are not installed, or not from the wanted archive, ``left`` the deployed units that nobody lists any more,
    ``taken_off`` the clients that lost TFO with their old server, each with why.
    """

    changed: bool
    differs: list[dict[str, str]]
    diff: list[dict[str, str]]
    refused: list[str]
    steps: list[str]
    missing: list[str]
    left: list[str]
    taken_off: list[str] = dataclasses.field(default_factory=list)


def build(params: t.Mapping[str, t.Any]) -> _observe.Wanted:
    """What is wanted, out of a module's parameters."""
    services = _secrets.join(params["services"], params["secrets"])
    return _observe.Wanted(
        side=params["side"],
        services=services,
        limit_nofile=params["limit_nofile"],
        absent=params["absent"],
        prune=params["prune"],
        packaged=params["packaged"] and any(map(_has_packaged, services)),
        by_apt=params["by_apt"],
        archive=params["archive"],
    )


def _has_packaged(service: t.Mapping[str, t.Any]) -> bool:
    return _implementations.of(service).name == _packaged.IMPLEMENTATION


def deploy(wanted: _observe.Wanted, check: bool, before_restart: t.Optional[t.Callable[[], None]] = None) -> Outcome:
    """Remove every difference, or with ``check`` only name them; ``before_restart`` as in _apply.apply.

    Raises Refused, before anything is changed, and ApplyError.
    """
    seen = _observe.observe(wanted)
    plan = _deployment.compare(wanted, seen)
    refused = _foreign.refusals(wanted, seen)
    if not check:
        if refused:
            raise Refused("Nothing was changed on this host. In the way of the deployment:\n" + "\n".join(refused))
        _apply.apply(plan, wanted, seen, before_restart)
    steps = [f"{step['name']} {step['why']}" for step in plan.differs if not step["why"].startswith("is missing")]
    binaries = {_implementations.of(one).binaries[one["program"]] for one in wanted.services}
    other = _archive.difference(wanted.archive) if binaries else ""
    missing = sorted(binary for binary in binaries if other or _binary.find(binary) is None)
    steps += [f"{path} {other}" for path in map(_binary.find, missing) if path]
    return Outcome(bool(plan.differs), plan.differs, _diff.diff(plan, seen), refused, steps, missing, plan.left)
