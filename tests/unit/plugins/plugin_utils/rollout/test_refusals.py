# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a rollout before it begins."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _refusals

BUILD = {"what": "package", "name": "x", "why": "/usr/bin/ss-local has no --fast-open"}
CONFIG = {"what": "file", "name": "/etc/shadowsocks/a.json", "why": "has other content"}

OLD_KERNEL = {"sysctl": None}


def look(side="client", **changes):
    """What tfo_host returned."""
    told = {
        "side": side,
        "deployed": "yes",
        "differs": [],
        "foreign": [],
        "reasons": [],
        "step": {"outcome": "planned"},
        "fastopen": {"sysctl": {"value": 1}},
    }
    return {**told, **changes}


def refused(*reasons):
    """A step that is refused."""
    return look(step={"outcome": "refused"}, reasons=list(reasons))


@pytest.mark.parametrize(
    ("sides", "told", "expected"),
    [
        ([look()], {}, []),
        ([look()], {"ss_client_fast_open": True, "ss_client_state": "present"}, []),
        ([look()], {"ss_server_fast_open": False}, []),
        ([look()], {"ss_client_fast_open": None}, []),
        ([look()], {"ss_client_fast_open": False}, ["ss_client_fast_open is false"]),
        (
            [look(), look("server")],
            {"ss_client_fast_open": False, "ss_server_state": "absent"},
            ["ss_client_fast_open is false, ss_server_state is absent"],
        ),
    ],
)
def test_kept_out(sides, told, expected):
    """What the inventory says of the sides that the host has, and no other."""
    lines = _refusals.kept_out("h", sides, told)
    assert [line.partition(", and a rollout")[0] for line in lines] == [f"h: {against}" for against in expected]
    assert all("--limit 'all:!h'" in line for line in lines)


@pytest.mark.parametrize(
    ("side", "lines", "alone"),
    [
        (look(), [], []),
        (look(reasons=["no benefit"], step={"outcome": "skipped"}), [], []),
        (refused("run r holds it: -e rollout_take_over=r"), ["h: run r holds it: -e rollout_take_over=r"], []),
        (refused("killed"), [], ["killed"]),
        (look(foreign=["x.service is somebody else's"]), [], ["x.service is somebody else's"]),
        (look(deployed="no", differs=[BUILD]), [], [BUILD["why"]]),
        (look(deployed="no", differs=[CONFIG]), [], []),
        (
            look(deployed="differs", differs=[CONFIG, CONFIG]),
            [],
            ["deployed otherwise than the inventory says (/etc/shadowsocks/a.json): run playbook deploy first"],
        ),
        (look(deployed="differs", differs=[BUILD]), [], [BUILD["why"]]),
        (look(deployed="no", differs=[CONFIG], fastopen=OLD_KERNEL), [], ["this kernel has no TCP Fast Open"]),
        (look(reasons=["plugin"], step={"outcome": "skipped"}, fastopen=OLD_KERNEL), [], []),
    ],
)
def test_held_or_refused_alone(side, lines, alone):
    """A claim is everybody's business, the rest is the host's own."""
    assert (_refusals.held("h", [side]), _refusals.refusals([side])) == (lines, alone)


def test_twins():
    """Two names of one machine are named; of two machines, or where nobody knows, they are not."""
    machines = {"a": "m1", "b": "m2", "c": ""}
    assert _refusals.twins({**machines, "d": ""}) == []
    (line,) = _refusals.twins({**machines, "e": "m2"})
    assert line.startswith("b, e are names of one machine: leave one of them")
