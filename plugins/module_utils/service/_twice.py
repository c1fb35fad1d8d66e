# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A flag for TCP Fast Open that a variable brings into a command line, beside the one of our drop-in.

shadowsocks-rust ends with status 2 where it is given a switch twice, as --tcp-fast-open and as --fast-open too (clap);
shadowsocks-libev does not mind. A drop-in repeats variables as they are written, and cannot know what they will be.
"""

from __future__ import annotations

import glob
import re
import shlex
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _systemd

PROGRAMS = ("ssserver", "sslocal", "ssservice")
_FLAG = re.compile(r"(?<!\S)[\"']?--(?:tcp-)?fast-open[\"']?(?!\S)")
_VARIABLE = re.compile(r"(?<!\$)\$(?:\{(\w+)\}|(\w+))", re.ASCII)


def setter(unit: str, below: _exec_start.Below) -> str:
    """Where the flag comes from at the unit's next start, as words; '' where no variable brings it. Raises SystemdError."""
    used = {braced or bare for braced, bare in _VARIABLE.findall(below.exec_start)}
    if below.program not in PROGRAMS or not used:
        return ""
    where: dict[str, str] = {}
    for name, value, source in variables(unit):  # the last one counts (systemd.exec(5))
        where[name] = source if _FLAG.search(value) else ""
    return next((f"{name} in {where[name]}" for name in sorted(used) if where.get(name)), "")


def variables(unit: str) -> t.Iterator[tuple[str, str, str]]:
    """Name, value and source of each variable: those of the unit itself, then those of files as they are by now."""
    shown = _systemd.systemctl("show", "--property=Environment,EnvironmentFiles", "--", unit).split("\n")
    for line in shown:
        if line.startswith("Environment="):
            for name, equals, value in (word.partition("=") for word in _split(line.partition("=")[2])):
                if equals:
                    yield name, value, "its unit"
    for line in shown:
        if line.startswith("EnvironmentFiles="):
            for path in sorted(glob.glob(line.partition("=")[2].rpartition(" (")[0])):
                for name, equals, value in (one.partition("=") for one in _lines(path)):
                    if equals:
                        yield name.strip(), value, path


def _split(text: str) -> list[str]:
    """The words, as systemctl quotes them."""
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _lines(path: str) -> list[str]:
    """The assignments of an environment file; one that cannot be read keeps the unit from starting, flag or not."""
    try:
        text = _ascii.read(path)
    except OSError:
        return []
    return [line for line in text.replace("\\\n", "").split("\n") if not line.lstrip().startswith(("#", ";"))]
