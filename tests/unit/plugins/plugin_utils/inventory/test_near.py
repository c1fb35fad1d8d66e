# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that were meant."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._near import hint, mistyped


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("rollout_client_wave", "rollout_client_waves"),
        ("rollout_clinet_waves", "rollout_client_waves"),
        ("rollout_max_slowdown", "rollout_max_slowdown_ms"),
        ("rollout_bake", "rollout_bake_seconds"),
        ("ss_server_instance", "ss_server_instances"),
        ("ss_client_instnaces", "ss_client_instances"),
        ("rollout_client_waves", None),
        ("ss_server_port", None),
        ("ss_server_password", None),
        ("rollout_ticket", None),
        ("tcp_fastopen_note", None),
    ],
)
def test_mistyped(name, meant):
    """A slip is refused; a name of somebody's own is not."""
    assert mistyped(name, _variables.names()) == meant


def test_no_two_variables_are_a_slip_apart():
    """Else one could not be written without being taken for the other."""
    names = _variables.names() - {"ss_server_fast_open"}  # begins as its mode does
    assert {name: mistyped(name, names - {name}) for name in names if mistyped(name, names - {name})} == {}


def test_hint():
    """The nearest, if any is near."""
    assert hint("passwrd", ["password", "port"]) == "; did you mean password?"
    assert hint("zzz", ["password", "port"]) == ""
