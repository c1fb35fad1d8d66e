# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every host that was kept is as it was found: kernel, files, units, packages, listeners, each compared by itself."""

from __future__ import annotations

import _state


def test_hosts_are_as_found() -> None:
    names = _state.kept()
    assert names, "no host was kept to compare with"
    differences = []
    for name in names:
        before, now = _state.found(name), _state.read(name)
        for kind, was in before.items():
            is_now = now[kind]
            if isinstance(was, list):
                was, is_now = dict.fromkeys(was, "there"), dict.fromkeys(is_now, "there")
            for key in sorted({*was, *is_now}):
                if was.get(key) != is_now.get(key):
                    differences.append(f"{name}: {kind}: {key}: was {was.get(key)}, is {is_now.get(key)}")
    assert not differences, "\n".join(["not as found:", *differences])
