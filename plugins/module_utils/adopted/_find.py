# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Shadowsocks processes of this network namespace, whoever started them, and everything else that listens for TCP."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _config, _settings
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _ascii,
    _ss_arguments,
    _ss_config,
    _ss_processes,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _listeners, _process

_CONTAINER = re.compile(
    r"/(?:(?:docker|libpod|libpod-payload|crio|cri-containerd|buildah|nerdctl)[-/][0-9a-f]{12}"
    r"|libpod_parent/|lxc(?:/|\.payload[./])|machine\.slice/|kubepods|payload/)"
)
"""What Docker, podman, Kubernetes, LXC and systemd-nspawn call the control groups of their containers."""

_MANAGED = ("manager-address", "manager-addr")
"""Options by which a manager starts its servers."""


class Found(t.NamedTuple):
    """One process of Shadowsocks.

    ``argv`` and ``settings`` are without a --fast-open at the end, which may be our own drop-in's: ``flagged``. Without
    ``settings`` it is not understood, and ``why`` says what is in the way; ``switched``: its arguments or its config have
    TFO on all the same. ``unit`` is '' without one, and in a ``container``, whose units are not this host's. ``managed``:
    a manager has started it. ``changed``: its config is newer than itself. ``sockets`` are its TCP listeners.
    """

    pid: int
    program: str
    family: str
    role: str
    argv: tuple[str, ...]
    unit: str = ""
    container: bool = False
    managed: bool = False
    flagged: bool = False
    settings: t.Optional[_settings.Settings] = None
    why: str = ""
    switched: bool = False
    changed: bool = False
    sockets: tuple[_listeners.Holder, ...] = ()


def look(proc: str = "/proc") -> tuple[list[Found], list[_listeners.Holder]]:
    """The processes of Shadowsocks, and all listeners for TCP, theirs too."""
    looked = (_found(proc, *one) for one in _ss_processes.running(proc))
    found = sorted(one for one in looked if one is not None)
    sockets = _listeners.tcp([one.pid for one in found], proc)
    return [one._replace(sockets=tuple(s for s in sockets if s.pid == one.pid)) for one in found], sockets


def _found(proc: str, pid: str, argv: list[str], command: _ss_arguments.Command) -> t.Optional[Found]:
    """None where it has ended meanwhile."""
    flagged = command.flag and argv[-1] == _exec_start.FLAG
    own = argv[:-1] if flagged else argv
    container = _in_container(proc, pid)
    found = Found(
        pid=int(pid),
        program=command.program,
        family=command.family,
        role=command.role,
        argv=tuple(own),
        unit="" if container else _listeners.named(int(pid), proc)[1],
        container=container,
        managed=any(name in _MANAGED for name, _value in command.options) and command.role == "server",
        flagged=flagged,
    )
    process = _process.read(found.pid, proc)
    if process is None:
        return None
    try:
        settings, changed = _config.settings(found.pid, own, proc=proc)
    except _settings.NotUnderstood as error:
        return found._replace(why=str(error), switched=_switched(proc, pid, command))
    return found._replace(settings=settings, changed=process.older_than(changed))


def _switched(proc: str, pid: str, command: _ss_arguments.Command) -> bool:
    """Whether a process that is not understood has TFO on, as far as can be seen."""
    if command.flag:
        return True
    try:
        path = _ss_processes.default_config(proc, pid, command) if command.default else command.config
        raw = _ss_processes.read(_ss_processes.place(proc, pid, path))[0] if path else b""
    except (OSError, ValueError):
        return False
    return bool(_ss_config.fast_open(raw, truthy=command.family == _ss_arguments.PYTHON))


def _in_container(proc: str, pid: str) -> bool:
    """By its control group, seen from that of this host's first process: the host may be a container itself."""
    home = _groups(proc, "1")
    for hierarchy, path in _groups(proc, pid).items():
        above = re.sub(r"/init\.scope$", "", home.get(hierarchy, ""))
        below = path[len(above) :] if above and path.startswith(f"{above}/") else path
        if _CONTAINER.search(f"{below}/"):
            return True
    return False


def _groups(proc: str, pid: str) -> dict[str, str]:
    """Hierarchy to path (cgroups(7)); one path under the empty name where there is but one hierarchy."""
    try:
        lines = _ascii.lines(_ascii.read(f"{proc}/{pid}/cgroup"))
    except OSError:
        return {}
    return {one[1]: one[2] for one in (line.split(":", 2) for line in lines) if len(one) == 3}
