# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts make up a batch or a wave: as Ansible's ``serial`` cuts them."""

from __future__ import annotations

import typing as t

from ansible.utils.helpers import pct_to_int


def cut(
    hosts: t.Sequence[str], sizes: t.Sequence[t.Union[int, str]], together: t.Sequence[t.Sequence[str]] = ()
) -> list[list[str]]:
    """The waves of these hosts, as `serial` cuts them. A size is a number of hosts or a percentage of all; the last one is
    repeated.

    Hosts that go ``together`` are in one wave, with the first of them, which is larger for it then.
    """
    mates = {host: [one for one in group if one in hosts] for group in together for host in group}
    units = list(dict.fromkeys(tuple(mates.get(host, [host])) for host in hosts))
    waves: list[list[str]] = []
    while units:
        size = sizes[min(len(waves), len(sizes) - 1)]
        number = pct_to_int(size, len(hosts))
        wave: list[str] = []
        while units and len(wave) < number:
            wave += units.pop(0)
        waves.append(wave)
    return waves


def left(sizes: t.Sequence[int], hosts: t.Sequence[str], out: t.Container[str]) -> list[int]:
    """The sizes of the waves of these hosts, in their order, without those that are ``out``; none is 0, which would be all."""
    found, at = [], 0
    for size in sizes:
        found.append(sum(host not in out for host in hosts[at : at + size]))
        at += size
    return [number for number in found if number]
