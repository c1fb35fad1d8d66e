# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a server fares that has stepped, by itself."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _fares


def look(*paths, own=0, proven=(), restarts=0, **counters):
    """What is kept of a look; paths as (port, verdict)."""
    return {
        "counters": counters,
        "services": [{"unit": "u", "state": "active", "restarts": restarts}],
        "own": own,
        "paths": [{"port": port, "verdict": verdict} for port, verdict in paths],
        "proven": [{"by": by, "port": 8388, "verdict": verdict} for by, verdict in proven],
    }


GOOD = (8388, "fast_open")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (look(GOOD), "took 0 SYNs with data, refused 0, queue overflow 0"),
        (
            look(GOOD, TCPFastOpenPassive=17, own=5, TCPFastOpenPassiveFail=3, TCPFastOpenListenOverflow=2),
            "took 12 SYNs with data, refused 3, queue overflow 2",
        ),
        (look(GOOD, TCPFastOpenPassive=2, own=5), "took 0 SYNs with data, refused 0, queue overflow 0"),
        (
            look(GOOD, ListenDrops=1, EstabResets=2, RetransSegs=3, OutSegs=9),
            "took 0 SYNs with data, refused 0, queue overflow 0; "
            "since its step: 1 SYNs dropped, 2 connections reset, 3 segments sent again",
        ),
        (
            look(GOOD, proven=[("ss2", "fast_open"), ("c1", "no_cookie")]),
            "took 0 SYNs with data, refused 0, queue overflow 0; from ss2 to port 8388: SYN data is taken; "
            "from c1 to port 8388: no_cookie (shown, not judged)",
        ),
    ],
)
def test_figures(now, said):
    """In one line, without the probes of our own; none of them speaks against the step."""
    found = _fares.since("ss1", look(own=0), now)
    assert (found["said"], found["against"], found["restarts"]) == (said, [], 0)


def test_probes_of_before():
    """What this run had sent before the first look is in neither figure."""
    found = _fares.since("ss1", look(own=3, TCPFastOpenPassive=3), look(GOOD, own=8, TCPFastOpenPassive=20))
    assert found["said"].startswith("took 12 SYNs with data")


def test_what_a_restart_resets_is_told_as_such():
    """Where the step has restarted a service, and only there."""
    found = _fares.since("ss1", {**look(), "restarted": True}, look(GOOD, EstabResets=2))
    assert found["said"].endswith("; its restart included: 2 connections reset")


@pytest.mark.parametrize(
    ("now", "against"),
    [
        (look(GOOD, (443, "unreachable")), ["ss1: nothing answers on port 443 any more"]),
        (look((8388, "data_refused")), ["ss1: port 8388 does not take SYN data any more (data_refused)"]),
        (look((8388, "data_refused"), TCPFastOpenListenOverflow=1), []),
        (look((8388, "unreachable"), TCPFastOpenListenOverflow=1), ["ss1: nothing answers on port 8388 any more"]),
    ],
)
def test_server_that_stops_answering(now, against):
    """Its own SYNs with data tell; one that met a full queue does not."""
    assert _fares.since("ss1", look(), now)["against"] == against


def test_restarts_are_told():
    """As by any look."""
    assert _fares.since("ss1", look(), look(restarts=1))["restarts"] == 1
