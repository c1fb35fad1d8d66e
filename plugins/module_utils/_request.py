# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that tfo_host and tfo_stage share, and the request that they stand for."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _host, _service, _stage

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


def build(params: t.Mapping[str, t.Any]) -> _stage.Request:
    """The request out of a module's parameters.

    In listener mode ss-server runs without its flag and the kernel's 0x400 makes every later listener accept.
    """
    listener = params["side"] == "server" and params["fast_open_mode"] == "listener"
    kernel = params["kernel"]
    if kernel is not None and listener and params["fast_open"]:
        kernel = {**kernel, "all_listeners": True}
    return _stage.Request(
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
    )
