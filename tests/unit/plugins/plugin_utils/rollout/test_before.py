# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a run before its first wave."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _before, _end

ASK = {"__rollout_ask": {"server": "ss1", "clients": ["c1", "c2"]}}
OUTSIDE = "server ss1 does not accept SYN data yet and is outside of this run's limit"


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"paths": [{"verdict": "fast_open"}]}, ""),
        ({"skipped": True}, ""),
        ({"paths": [{"verdict": "fast_open"}, {"verdict": "no_cookie"}]}, f"{OUTSIDE}. Run first: ansible-playbook"),
        ({"unreachable": True, "msg": "no route"}, "server ss1 is outside of this run's limit, and could not be asked"),
        ({"failed": True, "msg": "no python"}, "server ss1 is outside of this run's limit, and could not be asked"),
    ],
)
def test_clients_before_their_servers(result, told):
    """Who is told of is each of its clients; a server that does not tell is none that accepts."""
    against = _before.without_servers({"c1": {"results": [{**ASK, **result}]}, "c2": {"skipped": True}, "c3": None})
    assert sorted(against) == (["c1", "c2"] if told else [])
    assert all(why.startswith(told) for why in against.values())


def test_client_before_several_servers():
    """All of them are named at once, whoever asked them."""
    closed = {"paths": [{"verdict": "no_cookie"}]}
    ss2 = {"__rollout_ask": {"server": "ss2", "clients": ["c1"]}, **closed}
    ss3 = {"__rollout_ask": {"server": "ss3", "clients": ["c1"]}, "failed": True, "msg": "no python"}
    against = _before.without_servers({"c1": {"results": [{**ASK, **closed}, ss2]}, "c2": {"results": [ss3]}})
    first = "Run first: ansible-playbook fastopen.shadowsocks.rollout --limit"
    unasked = "server ss3 is outside of this run's limit, and could not be asked whether it accepts SYN data: no python"
    assert against["c1"] == f"{OUTSIDE}; {OUTSIDE.replace('ss1', 'ss2')}; {unasked}. {first} ss1,ss2"
    assert against["c2"] == f"{OUTSIDE}. {first} ss1"


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ({"outcome": "claimed"}, None),
        ({"skipped": True}, None),
        (None, None),
        ({"outcome": "refused", "reasons": ["claimed by run r0"]}, "claimed by run r0"),
        ({"failed": True, "msg": "disk full"}, "disk full"),
        ({"unreachable": True, "msg": "no route"}, None),
    ],
)
def test_who_is_not_held(claim, why):
    """By another run, or not at all; whom the run has lost is its wave's to name."""
    assert _before.not_held({"c1": claim}) == ({"c1": why} if why else {})


def test_sides():
    """Others are as they were, and so is a side that has its stage."""
    found = [_end.Side("c1", "server", "promoted", "before this run")]
    found += [_end.Side(host, "client", "refused", _end.NOT_REACHED) for host in ("c1", "c2", "c3", "c4")]
    against = {"c1": "claimed", "c2": "disk full", "c3": _before.NOT_DEPLOYED}
    ended = _before.sides(found, against)
    assert [one.outcome for one in ended] == ["promoted", "refused", "refused", "failed", "refused"]
    assert [one.why for one in ended[1:]] == ["claimed", "disk full", _before.NOT_DEPLOYED, _end.NOT_REACHED]


@pytest.mark.parametrize(("side", "outcome"), [("client", "refused"), ("server", "skipped")])
def test_client_before_its_server_is_refused(side, outcome):
    """Its look has skipped it, for a path without cookies, which is not the path's fault; its server side is as it was."""
    found = [_end.Side("c1", side, "skipped", "no_cookie"), _end.Side("c2", "client", "skipped", "no_cookie")]
    ended = _before.sides(found, {"c1": OUTSIDE}, {"c1": OUTSIDE})
    assert [(one.outcome, one.why == OUTSIDE) for one in ended] == [(outcome, side == "client"), ("skipped", False)]


def test_client_that_was_skipped_and_is_held_by_another_run():
    """Its path is why it was left out, whoever has it."""
    found = [_end.Side("c1", "client", "skipped", "no_cookie")]
    assert _before.sides(found, {"c1": "claimed"}) == found
