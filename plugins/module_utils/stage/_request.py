# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of one side of a host, and what came of it: the terms that tfo_host and tfo_stage share."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _host, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel


@dataclasses.dataclass(frozen=True)
class Request:
    """What a stage is made of. ``kernel`` None leaves the kernel alone; ``probe_url`` '' fetches nothing."""

    wanted: _host.Wanted
    package: str
    kernel: t.Optional[dict[str, t.Any]] = None
    sysctl_file: str = "/etc/sysctl.d/99-tfo.conf"
    probe_url: str = ""
    planned_servers: t.Sequence[str] = ()
    confirm: bool = True

    @property
    def binary(self) -> str:
        """The program whose help tells whether the build knows TFO."""
        return "ss-server" if self.wanted.side == "server" else "ss-local"

    @property
    def fingerprint(self) -> str:
        """Digest of the request, for the record."""
        return _record.fingerprint(self.wanted, [self.kernel, self.sysctl_file])


@dataclasses.dataclass
class Outcome:
    """What came of it. ``outcome``: kept (nothing to prove), planned (check mode), proven, unproven,
    left (a client whose paths do not carry TFO, as it was), reverted (such a client that had TFO on)."""

    outcome: str = "kept"
    changed: bool = False
    reasons: list[str] = dataclasses.field(default_factory=list)
    differs: list[dict[str, str]] = dataclasses.field(default_factory=list)
    diff: list[dict[str, str]] = dataclasses.field(default_factory=list)
    paths: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    tunnels: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    counters: dict[str, int] = dataclasses.field(default_factory=dict)
    package: str = "kept"


KERNEL_SPEC: dict[str, t.Any] = {
    "accept": {"type": "bool"},
    "send": {"type": "bool"},
    "all_listeners": {"type": "bool"},
    "key": {"type": "str", "no_log": True},
    "max_syn_backlog": {"type": "int"},
    "syncookies": {"type": "int", "choices": [0, 1, 2]},
    "blackhole_timeout_seconds": {"type": "int"},
    "somaxconn": {"type": "int"},
}

SPEC: dict[str, t.Any] = {
    "side": {"type": "str", "required": True, "choices": list(_service.SIDES)},
    "instances": {"type": "list", "elements": "dict", "no_log": False},
    "services": {"type": "list", "elements": "dict", "options": _service.SERVICE_SPEC},
    "fast_open": {"type": "bool"},
    "fast_open_mode": {"type": "str", "choices": ["flag", "listener"], "default": "flag"},
    "limit_nofile": {"type": "int", "default": 65536},
    "package": {"type": "str", "default": "shadowsocks-libev"},
    "kernel": {"type": "dict", "options": KERNEL_SPEC},
    "sysctl_file": {"type": "path", "default": "/etc/sysctl.d/99-tfo.conf"},
    "probe_url": {"type": "str", "default": ""},
}


def build(params: t.Mapping[str, t.Any]) -> Request:
    """The request out of a module's parameters.

    In listener mode ss-server runs without its flag and the kernel's 0x400 makes every later listener accept.
    Raises TunnelError for a probe_url that could not be fetched, before anything is changed.
    """
    if params["probe_url"]:
        _tunnel.split(params["probe_url"])
    listener = params["side"] == "server" and params["fast_open_mode"] == "listener"
    kernel = params["kernel"]
    if kernel is not None and listener and params["fast_open"]:
        kernel = {**kernel, "all_listeners": True}
    return Request(
        wanted=_host.Wanted(
            side=params["side"],
            services=params["services"] or [],
            fast_open=params["fast_open"],
            flag=not listener,
            limit_nofile=params["limit_nofile"],
        ),
        package=params["package"],
        kernel=kernel,
        sysctl_file=params["sysctl_file"],
        probe_url=params["probe_url"],
        planned_servers=params.get("planned_servers", ()),
        confirm=params.get("confirm", True),
    )
