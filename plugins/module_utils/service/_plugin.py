# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin of a service (SIP003): a program that it starts beside itself, without which nothing goes through.

No service can be asked about it. One whose plugin ends at its start ends too, or runs on and listens: ss-local does that
where its child has died before it looks after children (src/local.c), and sslocal waits for it for seconds.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary, _twice

_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What ProtectHome=true and PrivateTmp=true in our units hide (systemd.exec(5))."""


def of(config: t.Mapping[str, t.Any]) -> str:
    """The plugin of a config, '' for none: libev has one, rust one a server."""
    servers = config.get("servers")
    parts = [config, *(servers if isinstance(servers, list) else [])]
    found = [part.get("plugin") for part in parts if isinstance(part, dict)]
    return next((one for one in found if isinstance(one, str) and one), "")


def folders(unit: str) -> str:
    """The PATH of a unit: systemd's own, unless a drop-in of somebody has another. Raises SystemdError."""
    found = [value.strip("\"'") for name, value, _source in _twice.variables(unit) if name == "PATH"]
    return found[-1] if found else _binary.PATH


def refusal(plugin: str, path: str) -> str:
    """Why nobody can start it, '' where somebody can. ``path`` are the folders in which its service looks for a name;
    both implementations start it in /, and libev looks there, too (src/plugin.c)."""
    there = _there(plugin, path)
    if any(map(_is_executable, there)):
        return ""
    if there:
        return f"{there[0]} is not executable"
    return f"{plugin} is not on this host" if "/" in plugin else f"{plugin} is in none of {path}"


def hidden(plugin: str, path: str) -> str:
    """Why the service of a unit of ours may not see it although it is there, '' where that is not so."""
    file = next(filter(_is_executable, _there(plugin, path)), "")
    if not file:
        return ""
    real = os.path.realpath(file)
    if any(real.startswith(f"{folder}/") for folder in _HIDDEN):
        return f"{real} is in a folder that the unit hides from it: put it elsewhere, for example in /usr/local/bin"
    parts = [real[:at] for at in range(1, len(real) + 1) if real[at : at + 1] in ("/", "")]
    closed = next((part for part in parts if not os.stat(part).st_mode & stat.S_IXOTH), "")
    return f"{closed} is closed to the user of the unit" if closed else ""


def running(pid: int, proc: str = "/proc") -> set[int]:
    """The living children of a service's main process (proc(5): state and parent are what follows the name)."""
    found: set[int] = set()
    if not pid:  # the parent of the machine's first process
        return found
    for name in filter(str.isdigit, os.listdir(proc)):
        try:
            fields = _ascii.words(_ascii.read(f"{proc}/{name}/stat").rpartition(")")[2])
        except OSError:
            continue
        if fields[1:2] == [str(pid)] and not re.match("[ZXx]", fields[0]):
            found.add(int(name))
    return found


def _there(plugin: str, path: str) -> list[str]:
    where = ["/"] if "/" in plugin else [*path.split(":"), "/"]
    return [file for file in (os.path.join(folder, plugin) for folder in where) if os.path.isfile(file)]


def _is_executable(file: str) -> bool:
    return bool(os.stat(file).st_mode & 0o111) and not os.statvfs(file).f_flag & os.ST_NOEXEC
