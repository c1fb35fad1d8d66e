# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of one side of a host, and what came of it: the terms of tfo_stage and of the program on the host."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _resolve
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel


@dataclasses.dataclass(frozen=True)
class Request:
    """``services`` are ours and adopted ones; ``unfit`` says which adopted ones are not among them, and why. ``own`` are the
    adopted units that have fast_open by their own config.

    ``mode`` is that of servers; None leaves it to what runs them. ``run`` '' is nobody's rollout: it claims nothing.
    ``lease_seconds`` count from the call that renews the lease.

    ``memory``: whether a way down adds the units to those that later runs leave alone, keeps those as they are, or
    forgets them. ``yield_to_claim``: it leaves a host alone that another run holds.
    """

    side: str
    services: t.Sequence[t.Mapping[str, t.Any]] = ()
    unfit: t.Sequence[str] = ()
    own: t.Sequence[str] = ()
    mode: t.Optional[str] = None
    sysctl_file: str = _switch.FILE
    probe_url: str = ""
    run: str = ""
    who: str = ""
    lease_seconds: float = 600.0
    take_over: str = ""
    retry: bool = False
    planned_servers: t.Sequence[str] = ()
    judge_paths: bool = True
    why: str = ""
    memory: str = "keep"
    yield_to_claim: bool = False

    def unit(self, service: t.Mapping[str, t.Any]) -> _record.Unit:
        """What the record keeps of a service, so that the way down needs no inventory. No secret is in it."""
        server = self.side == "server"
        port = _service.tcp_port(service)
        mode = (self.mode or _implementations.of(service).fast_open_mode) if server else "flag"
        return {
            "side": self.side,
            "mode": service.get("fast_open_mode") or mode,
            "program": service["program"],
            "address": service["server"][0] if server else service.get("local_address") or "127.0.0.1",
            "port": port,
            "url": self.probe_url if service["program"] == "ss-local" and port is not None else "",
            "servers": [] if server else self._servers(_service.unit(service)),
            "ipv6_first": bool(service.get("ipv6_first")),
        }

    def _servers(self, unit: str) -> list[list[t.Any]]:
        """Where a client's connections go: [address, port] each; an adopted one may have several."""
        mine = [service for service in self.services if _service.unit(service) == unit]
        found = {(address, service["server_port"]) for service in mine for address in service["server"]}
        return [list(one) for one in sorted(found)]


@dataclasses.dataclass
class Outcome:
    """What came of it.

    ``outcome``: stepped (proven, waits for its confirmation), confirmed, plain (proven so), reverted (was under TFO, is
    plain now), skipped (not eligible: plain as before), refused (nothing changed, the operator must act first), failed
    (what runs now is not proven), planned (check mode), claimed, released, killed, lifted.
    """

    outcome: str
    changed: bool = False
    reasons: list[str] = dataclasses.field(default_factory=list)
    differs: list[dict[str, str]] = dataclasses.field(default_factory=list)
    diff: list[dict[str, str]] = dataclasses.field(default_factory=list)
    paths: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    tunnels: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    counters: dict[str, int] = dataclasses.field(default_factory=dict)

    def note(self, what: str, name: str, why: str) -> None:
        """Keep one thing that is not as wanted."""
        self.differs.append({"what": what, "name": name, "why": why})
        self.changed = True


SPEC: dict[str, t.Any] = {
    "side": {"type": "str", "required": True, "choices": list(_service.SIDES)},
    "instances": {"type": "list", "elements": "dict", "no_log": False},
    "services": {"type": "list", "elements": "dict", "options": _service.SERVICE_SPEC},
    "adopted": _resolve.SPEC,
    "fast_open_mode": {"type": "str", "choices": ["flag", "listener"]},
    "sysctl_file": {"type": "path", "default": _switch.FILE},
    **_secrets.SPEC,
}


def build(params: t.Mapping[str, t.Any]) -> Request:
    """The request out of a module's parameters.

    Raises TunnelError for a probe_url that could not be fetched, before anything is changed.
    """
    if params.get("probe_url"):
        _tunnel.split(params["probe_url"])
    adopted = _resolve.resolve(params["side"], params["adopted"])
    return Request(
        side=params["side"],
        services=[*_secrets.join(params["services"], params["secrets"]), *adopted.services],
        unfit=adopted.reasons,
        own=adopted.own,
        mode=params["fast_open_mode"],
        **{key: params[key] for key in ("sysctl_file", "probe_url") if key in params},
        **{key: params[key] for key in _OPTIONS if params.get(key) is not None},
    )


_OPTIONS = (
    "run",
    "who",
    "lease_seconds",
    "take_over",
    "retry",
    "planned_servers",
    "judge_paths",
    "why",
    "memory",
    "yield_to_claim",
)
