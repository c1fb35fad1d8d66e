# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How the services of a side are deployed."""

    DOCUMENTATION = r"""
options:
  limit_nofile:
    description: The units' C(LimitNOFILE).
    type: int
    default: 65536
  absent:
    description: The instances that are to go. Filled in on the controller from O(instances); do not set it.
    type: list
    elements: str
    default: []
  prune:
    description: Whether deployed instances that are not listed go as well.
    type: bool
    default: false
  packaged:
    description:
      - Whether the package's own server is kept from listening, as long as nobody has touched it. Once its config, its unit or
        its defaults are somebody's own, it is never masked; while it is in use, the deployment is refused.
    type: bool
    default: true
  by_apt:
    description: Whether programs that are missing are to be installed by apt. A host without apt is refused then.
    type: bool
    default: false
  archive:
    description:
      - By architecture the checksum of the archive that M(fastopen.shadowsocks.tfo_archive) is to have installed. Where its
        binaries are other ones, that is told as a difference.
    type: dict
    default: {}
"""
