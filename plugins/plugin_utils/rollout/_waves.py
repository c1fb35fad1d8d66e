# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts make up a batch or a wave: as Ansible's ``serial`` cuts them."""

from __future__ import annotations

import typing as t


def cut(hosts: t.Sequence[str], sizes: t.Sequence[t.Union[int, str]]) -> list[list[str]]:
    """The waves of these hosts. A size is a number of hosts or a percentage of all; the last one is repeated."""
    waves: list[list[str]] = []
    left = list(hosts)
    while left:
        size = sizes[min(len(waves), len(sizes) - 1)]
        number = (
            max(1, int(len(hosts) * int(size[:-1]) / 100)) if isinstance(size, str) and size[-1] == "%" else int(size)
        )
        waves.append(left[:number])
        left = left[number:]
    return waves
