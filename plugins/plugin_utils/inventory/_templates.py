# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's templates, evaluated with the variables of one host."""

from __future__ import annotations

import typing as t

from ansible.template import Templar
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Template


def evaluation(loader: t.Any) -> t.Callable[[t.Mapping[str, t.Any]], Template]:
    """What makes a Template out of a host's variables. ``loader`` is Ansible's, of the running action."""
    return lambda variables: Templar(loader=loader, variables=dict(variables)).template
