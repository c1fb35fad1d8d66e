# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which unit a name means, and whether it is one that a rollout can do anything about."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _systemd

_PROPERTIES = (
    "Id,LoadState,FragmentPath,DropInPaths,SourcePath,Transient,NeedDaemonReload,PrivateNetwork,"
    "NetworkNamespacePath,CanStart,CanStop,ExecStart"
)


class Unfit(Exception):
    """Nothing can be done for this unit; the message tells operators why, without the command line, which may hold a secret."""


def identify(unit: str) -> str:
    """The real Id of a unit that needs no drop-in, whatever its ExecStart is. Raises Unfit."""
    return show(unit)[1]["Id"]


def show(unit: str) -> tuple[str, dict[str, str]]:
    """What systemd says of a unit, as text and by property. Raises Unfit for one that we can do nothing about."""
    if not re.fullmatch(r"[\w:.\\@-]+", unit, re.ASCII) or "@." in f"{unit}.":
        raise Unfit(f"{unit} is not the name of a service; of a template, name an instance (name@instance.service)")
    text = _systemd.systemctl("show", f"--property={_PROPERTIES}", "--", unit)
    shown = dict(line.split("=", 1) for line in text.split("\n") if "=" in line)
    _check(unit, shown)
    return text, shown


def _check(unit: str, shown: t.Mapping[str, str]) -> None:
    """Raise Unfit for what is no unit file of a service in the host's own network namespace."""
    name, state, fragment = shown.get("Id", unit), shown.get("LoadState"), shown.get("FragmentPath", "")
    script = shown.get("SourcePath", "")
    namespace = shown.get("PrivateNetwork") == "yes" or shown.get("NetworkNamespacePath")
    kept = next((one for one in ("Start", "Stop") if shown.get(f"Can{one}") == "no"), "")
    for applies, why in (
        (state == "not-found", "there is no such unit"),
        (state == "masked", f"it is masked; systemctl unmask {name}, or leave it out"),
        (state != "loaded", f"systemd cannot load it ({state}); see systemd-analyze verify {name}"),
        (not name.endswith(".service"), "it is not a service"),
        (shown.get("Transient") == "yes", "it is transient and gone once it stops; start it from a unit file"),
        (script.startswith("/etc/init.d/"), f"it is made from the SysV script {script}; give it a unit file"),
        ("/generator.late/" in fragment, f"it is made from a SysV script ({fragment}); give it a unit file"),
        (fragment.startswith("/run/systemd/generator"), f"a generator makes it at every reload ({fragment})"),
        (not fragment, "it has no unit file"),
        (namespace, "it has a network namespace of its own, and with it a net.ipv4.tcp_fastopen of its own"),
        (kept, f"nobody may restart it (RefuseManual{kept}); take that away, or leave it out"),
    ):
        if applies:
            raise Unfit(f"{name}: {why}")
