# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that share an address: one batch and one cookie key, or none of them."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _together, _waves

ONE, OTHER, BACKUP = "0123", "4567", "89ab"


def look(keys=(ONE,), done=False, outcome="planned", side="server"):
    """What tfo_host returned of it."""
    return [{"side": side, "cookie_keys": list(keys), "done": done, "step": {"outcome": outcome}}]


@pytest.mark.parametrize(
    ("addresses", "together"),
    [
        ({"ss1": ["a"], "ss2": ["b"], "ss3": []}, []),
        ({"ss1": ["a"], "ss2": ["b"], "ss3": ["a"]}, [["ss1", "ss3"]]),
        ({"ss1": ["a"], "ss2": ["b"], "ss3": ["b", "a"]}, [["ss1", "ss2", "ss3"]]),
        ({"ss1": ["a"], "ss2": ["a", "b"], "ss3": ["b"]}, [["ss1", "ss2", "ss3"]]),
        ({"ss1": [], "ss2": []}, []),
    ],
)
def test_groups(addresses, together):
    """By any address, also by way of a third one."""
    assert _together.groups(addresses) == together


@pytest.mark.parametrize(
    ("looks", "refused", "against"),
    [
        ({"ss1": look(), "ss2": look()}, [], {}),
        ({"ss1": look([ONE, BACKUP]), "ss2": look([BACKUP, ONE])}, [], {}),
        ({"ss1": look([ONE, BACKUP]), "ss2": look([BACKUP])}, [], {"ss1": "cookie key", "ss2": "cookie key"}),
        ({"ss1": look(), "ss2": look([OTHER])}, [], {"ss1": "cookie key", "ss2": "cookie key"}),
        ({"ss1": look([]), "ss2": look([])}, [], {"ss1": "cookie key", "ss2": "cookie key"}),
        ({"ss1": look(), "ss2": look([OTHER], done=True)}, [], {"ss1": "cookie key"}),
        ({"ss1": look(done=True), "ss2": look([OTHER], done=True)}, [], {}),
        ({"ss1": look(), "ss2": look([], outcome="skipped")}, [], {}),
        ({"ss1": look([]), "ss2": look([], outcome="skipped")}, [], {}),
        ({"ss1": look()}, [], {"ss1": "ss2 is not in this run"}),
        ({"ss1": look(), "ss2": look(side="client")}, [], {"ss1": "ss2 is not in this run"}),
        ({"ss1": look(), "ss2": look()}, ["ss2"], {"ss1": "ss2 is refused"}),
    ],
)
def test_refusals(looks, refused, against):
    """Who has a step to make is refused, and told beside whom and why."""
    addresses = {"ss1": ["203.0.113.1"], "ss2": ["203.0.113.1", "other"]}
    found = _together.refusals([["ss1", "ss2"]], addresses, looks, refused)
    assert list(found) == list(against)
    assert all(why in found[host] for host, why in against.items())
    assert all("clients reach it at 203.0.113.1 as they reach ss" in why for why in found.values())


def test_one_batch():
    """They are in that of the first of them; one that no batch is to have does not count."""
    together = [["ss1", "ss3"], ["ss2", "gone"]]
    assert _waves.cut(["ss1", "ss2", "ss3", "ss4"], [1, "100%"], together) == [["ss1", "ss3"], ["ss2", "ss4"]]
    assert _waves.cut(["ss1", "ss2", "ss3", "ss4"], ["50%"], together) == [["ss1", "ss3"], ["ss2", "ss4"]]
