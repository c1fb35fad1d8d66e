# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that one Shadowsocks service consists of, as text. Pure: nothing here reads or writes.

A service is a mapping with ``program`` (ss-server, ss-local, ss-redir, ss-tunnel), ``name``, ``server`` (list),
``server_port``, ``method``, ``password`` and optional keys; SERVICE_SPEC lists all but the secrets, which come apart.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation._implementation import Implementation

CONFIG_DIR = "/etc/shadowsocks"
UNIT_DIR = "/etc/systemd/system"
RUN_UNIT_DIR = "/run/systemd/system"
GROUP = "shadowsocks"
SIDES = {"server": ("ss-server",), "client": ("ss-local", "ss-redir", "ss-tunnel")}

SERVICE_SPEC: dict[str, t.Any] = {
    "implementation": {
        "type": "str",
        "choices": list(_implementations.BY_NAME),
        "default": _implementations.DEFAULT,
    },
    "program": {"type": "str", "required": True, "choices": [p for side in SIDES.values() for p in side]},
    "name": {"type": "str", "required": True},
    "instance": {"type": "str", "required": True},
    "server": {"type": "list", "elements": "str", "required": True},
    "server_port": {"type": "int", "required": True},
    "server_host": {"type": "str"},
    "method": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "tcp_only"},
    "timeout_seconds": {"type": "int", "default": 300},
    "local_address": {"type": "str"},
    "local_port": {"type": "int"},
    "tunnel_address": {"type": "str"},
    "plugin": {"type": "str"},
    "nameserver": {"type": "str"},
    "acl": {"type": "str"},
    "reuse_port": {"type": "bool", "default": False},
    "workers": {"type": "int"},
}

_TITLES = {
    "ss-server": "Shadowsocks server",
    "ss-local": "Shadowsocks SOCKS5 client",
    "ss-redir": "Shadowsocks transparent client",
    "ss-tunnel": "Shadowsocks tunnel",
}


class File(t.NamedTuple):
    """A file that must be there: its text, its mode, and its group ('' is root's)."""

    text: str
    mode: int
    group: str = ""
    secret: bool = False


def unit(service: t.Mapping[str, t.Any]) -> str:
    """The systemd unit of a service: ``ss-server@main.service``, or that of somebody else which is adopted."""
    return service.get("unit") or f"{service['program']}@{service['name']}.service"


def parts(unit: str) -> tuple[str, str]:
    """Program and name of a unit."""
    program, _at, name = unit[: -len(".service")].partition("@")
    return program, name


def port(service: t.Mapping[str, t.Any]) -> int:
    """Where it listens."""
    return service["server_port"] if service.get("local_port") is None else service["local_port"]


def tcp_port(service: t.Mapping[str, t.Any]) -> t.Optional[int]:
    """Where it listens for TCP; None where it carries UDP only."""
    return None if service["mode"] == "udp_only" else port(service)


def protocols(service: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """What it listens for."""
    return {"tcp_only": ("tcp",), "udp_only": ("udp",)}.get(service["mode"], ("tcp", "udp"))


def addresses(service: t.Mapping[str, t.Any]) -> list[str]:
    """What it binds."""
    return list(service["server"]) if service.get("local_port") is None else [service["local_address"]]


def unit_path(program: str) -> str:
    """The template unit that all services of a program share."""
    return f"{UNIT_DIR}/{program}@.service"


def started(template: bytes) -> str:
    """The base name of the binary that a template unit of ours starts; '' where it is none."""
    found = re.search(rb"^ExecStart=(\S+)", template, re.MULTILINE)
    return os.path.basename(found[1].decode(errors="replace")) if found else ""


def config_path(program: str, name: str) -> str:
    """The config that ``%p-%i.json`` in the unit stands for."""
    return f"{CONFIG_DIR}/{program}-{name}.json"


def acl_path(program: str, name: str) -> str:
    """The access list beside the config."""
    return f"{CONFIG_DIR}/{program}-{name}.acl"


def drop_in_path(program: str, name: str) -> str:
    """The drop-in that refuses to start a service whose access list cannot be read."""
    return f"{UNIT_DIR}/{program}@{name}.service.d/acl.conf"


def drop_in_text(acl: str) -> str:
    """A missing list would only be logged, and the server would run without it.

    The check runs as the service's own user, so a list that it may not read stops it too.
    """
    return f"[Service]\nExecStartPre=/usr/bin/test -r {acl}\n"


def config_text(service: t.Mapping[str, t.Any]) -> str:
    """The JSON config. ``fast_open`` is not in it: the stage's drop-in alone decides, and what a config says cannot be
    undone by it (a flag or a key that is true means on), so a change of stage never touches a file with a password.
    """
    acl = None if service.get("acl") is None else acl_path(service["program"], service["name"])
    return json.dumps(_implementations.of(service).config(service, acl), indent=4) + "\n"


def files(
    services: t.Sequence[t.Mapping[str, t.Any]],
    limit_nofile: int,
    paths: t.Mapping[str, str],
    capable: t.Container[str] = (),
) -> dict[str, File]:
    """Every file of these services, path to File. No service of a program, no unit of it.

    ``paths`` are the files that the programs are; ``capable`` programs get capabilities whether or not these need them.
    """
    wanted: dict[str, File] = {}
    for service in services:
        program, name = service["program"], service["name"]
        wanted[config_path(program, name)] = File(config_text(service), 0o640, GROUP, secret=True)
        if service.get("acl") is not None:
            path = acl_path(program, name)
            wanted[path] = File(service["acl"].rstrip("\n") + "\n", 0o640, GROUP)
            wanted[drop_in_path(program, name)] = File(drop_in_text(path), 0o644)
    for program in sorted({service["program"] for service in services}):
        mine = [service for service in services if service["program"] == program]
        needed = program in capable or any(map(needs_capabilities, mine))
        text = unit_text(program, limit_nofile, paths[program], needed, _implementations.of(mine[0]))
        wanted[unit_path(program)] = File(text, 0o644)
    return wanted


def needs_capabilities(service: t.Mapping[str, t.Any]) -> bool:
    """Whether it listens on a port below 1024, or takes UDP transparently (IP_TRANSPARENT, ip(7))."""
    udp = service.get("mode") in ("tcp_and_udp", "udp_only")
    return port(service) < 1024 or (service["program"] == "ss-redir" and udp)


def unit_text(
    program: str,
    limit_nofile: int,
    path: str,
    capable: bool = False,
    implementation: Implementation = _implementations.BY_NAME[_implementations.DEFAULT],
) -> str:
    """The template unit of a program; systemd-analyze security rates it 1.3, ss-redir's 1.5, and 0.1 more if `capable`.

    Debian's binaries carry file capabilities, and the kernel refuses to start them where these are not in the bounding
    set (capabilities(7)); without ambient ones the process has none all the same (NoNewPrivileges). It never gives up: at
    boot a name may not resolve yet, and systemd's limit of five starts would end it for good (systemd.unit(5)). Its memory
    holds the password, so none of it is ever dumped.
    """
    capabilities = "CAP_NET_BIND_SERVICE CAP_NET_ADMIN" if program == "ss-redir" else "CAP_NET_BIND_SERVICE"
    ambient = capabilities if capable else ""
    command = " ".join(implementation.command(path, f"{CONFIG_DIR}/%p-%i.json"))
    return f"""\
# Managed by Ansible (fastopen.shadowsocks). Local changes belong in a drop-in: systemctl edit {program}@
[Unit]
Description={_TITLES[program]} %i
Documentation={implementation.manual.format(implementation.binaries[program])}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart={command}
Restart=on-failure
RestartSec=1
LimitCORE=0
LimitNOFILE={limit_nofile}
DynamicUser=true
SupplementaryGroups={GROUP}
AmbientCapabilities={ambient}
CapabilityBoundingSet={capabilities}
KeyringMode=private
LockPersonality=true
MemoryDenyWriteExecute=true
PrivateDevices=true
PrivateTmp=true
ProcSubset=pid
ProtectClock=true
ProtectControlGroups=true
ProtectHome=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077

[Install]
WantedBy=multi-user.target
"""
