# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One wave of clients, or batch of servers with its witnesses: measured and judged as a rollout does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Mapping, Sequence

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _verdict
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._client import judge_client
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._measurement import Client, client, server
from _situation import Way

POLICY = Policy()
Ways = Sequence[Way]


@dataclass
class Measured:
    """The ways of a client, and what was measured on them so far."""

    ways: Ways
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, requests: int, after: bool, random: Random, plain_only: bool = False) -> None:
        """So many requests of each kind, shared out among the ways."""
        paths = []
        for number, way in enumerate(self.ways):
            share = requests // len(self.ways) + (number < requests % len(self.ways))
            path = way.measure(share, after, random)
            paths.append({"name": f"w{number}", "server": f"s{number}", "plain": path["plain"]})
            if not plain_only:
                paths[-1]["fast_open"] = path["fast_open"]
        (self.after if after else self.before).append({"paths": paths})

    def requests(self) -> int:
        """Of the kind that was judged."""
        return sum(
            max(_requests(path["plain"]), _requests(path.get("fast_open")))
            for one in self.after
            for path in one["paths"]
        )


def judge_wave(clients: Mapping[str, Measured], random: Random, earlier: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    """Two looks at a wave of clients that have fast open."""
    for one in clients.values():
        one.measure(_verdict.first_requests(len(one.ways), POLICY), True, random)
    for last in (False, True):
        result = _verdict.judge("send", list(clients), _read(clients, True), {}, {}, POLICY, earlier, last)
        for name, more in result["measure"].items():
            clients[name].measure(more, True, random)
        if not result["measure"]:
            break
    return result


def judge_batch(
    witnesses: Mapping[str, Measured],
    controls: Mapping[str, Measured],
    random: Random,
    servers: Mapping[str, Any],
) -> dict[str, Any]:
    """Two looks at a batch of servers that have stepped, by plain requests before and after."""
    everybody = {**witnesses, **controls}
    for after in (False, True):
        for one in everybody.values():
            one.measure(_verdict.first_requests(len(one.ways), POLICY), after, random, plain_only=True)
    seen = {name: server(value, name) for name, value in servers.items()}
    for last in (False, True):
        now, before = _read(everybody, True), _read(everybody, False)
        result = _verdict.judge("accept", list(witnesses), now, before, seen, POLICY, (0, 0), last)
        for name, more in result["measure"].items():
            everybody[name].measure(more, True, random, plain_only=True)
        if not result["measure"]:
            break
    return result


def judge_one(one: Measured, size: int, random: Random) -> str:
    """Two looks at a single client of a wave of ``size``: its own verdict."""
    one.measure(_verdict.first_requests(len(one.ways), POLICY), True, random)
    finding = judge_client(read(one, True), POLICY, size)
    if finding.more:
        one.measure(finding.more, True, random)
        finding = judge_client(read(one, True), POLICY, size, last=True)
    return finding.verdict


def read(one: Measured, after: bool) -> Client:
    """What was measured, as the judge reads it."""
    return client(one.after if after else one.before, "client")


def _read(clients: Mapping[str, Measured], after: bool) -> dict[str, Client]:
    return {name: read(one, after) for name, one in clients.items()}


def _requests(arm: Any) -> int:
    return arm["ok"] + arm["failed"] if arm else 0
