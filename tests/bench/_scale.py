# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the cost of a rollout grows: 100 hosts against 25, and 40 clients that are taken back against 10."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from _plays import Bench, fleet
from _steps import DEPLOY, PING, ROLLBACK, ROLLOUT, SPOIL, Cost, growth
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal

FORKS = 20
FEW, SPOILED = 25, 2
"""One host that goes wrong is no reason to take a wave back; two are, where no share is allowed."""
FEW_CLIENTS, CLIENTS = 10, 40
ONE_WAVE = json.dumps({"rollout_client_waves": ["100%"], "rollout_max_reverted_share": 0})


def run(scale: bool, measured: bool) -> Iterator[str]:
    """The lines of the result, as they come."""
    with fleet("scale") as (hosts, url, scratch):
        few, many = (Bench(scratch, part, FORKS, url) for part in (hosts[:FEW], hosts))
        first = [_first(few)] if scale else []
        if scale:
            few.measure(ROLLBACK)
        first.append(_first(many))
        if scale:
            yield f"\n{f'First rollout, forks={FORKS}':30}{f'{FEW} hosts':14}{f'{len(hosts)} hosts':14}growth"
            yield growth("wall", first[0].wall, first[1].wall, "s", most=4.2)
            yield growth("controller CPU", first[0].cpu, first[1].cpu, "s")
            yield growth("its greatest process", first[0].peak, first[1].peak, "MiB")
        many.play(ROLLBACK.playbook, "--limit", "shadowsocks_clients")
        if scale:
            names = many.clients
            sizes = (names[: FEW_CLIENTS + SPOILED], names[FEW_CLIENTS + SPOILED :][: CLIENTS + SPOILED])
            less, more = (_taken_back(many, clients) for clients in sizes)
            yield f"\n{f'A wave taken back':30}{f'{FEW_CLIENTS} clients':14}{f'{CLIENTS} clients':14}growth"
            yield growth("from its verdict to its end", less, more, "s", most=2.5)
        if measured:
            yield from _measured(many, many.clients[-CLIENTS:])


def _first(bench: Bench) -> Cost:
    """What the first rollout over these hosts costs, from plain Shadowsocks."""
    bench.play(PING)  # opens the connections
    bench.play(DEPLOY.playbook)  # where the few are among the many, not all of them are fresh
    return bench.measure(ROLLOUT)


def _taken_back(bench: Bench, clients: Sequence[str]) -> float:
    """How long a wave of them takes to go back, because the last ones cannot make their step; in seconds."""
    bench.play(SPOIL, "--limit", ",".join(clients[-SPOILED:]))
    bench.play(ROLLOUT.playbook, "--limit", ",".join(clients), "-e", ONE_WAVE, passes=False)
    events = {event["what"]: event for event in _events(bench) if event.get("step") == "wave"}
    decided, closed = events["stepped"], events["closed"]
    back = [name for name in decided["revert"] if closed["hosts"][name]["outcome"] != "failed"]
    if closed["verdict"] != "roll_back" or len(set(back) - set(clients[-SPOILED:])) != len(clients) - SPOILED:
        bench.stop(f"the wave came to {closed['verdict']}, and {len(back)} of {len(clients)} clients back")
    print(".", end="", flush=True)
    return (datetime.fromisoformat(closed["time"]) - datetime.fromisoformat(decided["time"])).total_seconds()


def _measured(bench: Bench, clients: Sequence[str]) -> Iterator[str]:
    """What a rollout over plain clients takes that measures each of them, and bakes for no time."""
    limit = ("--limit", ",".join(clients), "-e", json.dumps({"rollout_client_waves": ["100%"]}))
    cost = bench.measure(ROLLOUT, *limit, "-e", json.dumps({"rollout_probe_requests": 100}))
    yield f"\nMeasured rollout of {len(clients)} clients, 100 requests of each kind, without baking: {cost.wall:.0f} s"


def _events(bench: Bench) -> list[dict]:
    """What the last rollout has kept."""
    return _journal.read(_journal.newest(str(bench.reports), "rollout")).events
