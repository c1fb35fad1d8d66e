# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the kernel that runs here, and print what was seen: a line of JSON a section, behind the word SEEN."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable

import _cases
import _probes
import _settings
from _wire import Wire, joined
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc

SYSCTL = {
    "send": True,
    "accept": True,
    "all_listeners": True,
    "key": f"{_settings.K1},{_settings.K2}",
    "somaxconn": 8192,
}


def told(section: str, value: object) -> None:
    """One section; at once, so that the time of each can be seen."""
    print("SEEN", json.dumps({section: value}), flush=True)


def modules(wire: Wire) -> dict:
    """What the collection's own modules answer, run as on any host."""
    _probes.write(wire.server, tcp_fastopen=1)
    changed = wire.server.module("tfo_sysctl", **SYSCTL)
    probed = wire.server.module("tfo_probe")
    restored = wire.server.module("tfo_sysctl", state="restored")
    return {"changed": changed, "probed": probed["fastopen"], "restored": restored}


def main() -> None:
    """All sections."""
    told("kernel", {"release": os.uname().release, "python": platform.python_version()})
    told("modes", _settings.modes())
    told("first_namespace", _settings.defaults(None))
    told("options", _settings.options())
    told("nobody", _settings.nobody())
    with joined() as wire:
        server = wire.server.name
        told("unset_key", _settings.defaults(server)[_proc.FASTOPEN_KEY])
        _cases.set_up(wire)
        told("drawn_key", _settings.defaults(server)[_proc.FASTOPEN_KEY] != "-".join(["0" * 8] * 4))
        told("bits", _settings.kept(server, _proc.FASTOPEN, _settings.BITS))
        told("keys", _settings.kept(server, _proc.FASTOPEN_KEY, _settings.KEYS))
        sections: dict[str, Callable[[Wire], object]] = {"sock_diag": _probes.diagnosed, "modules": modules}
        for case in _cases.cases(wire):
            told(f"case {case.pop('case')}", case)
        for name, section in sections.items():
            told(name, section(wire))
        told("raw", {end.name.split("-")[1]: _settings.raw(end.name) for end in (wire.client, wire.server)})
    told("end", True)


if __name__ == "__main__":
    main()
