# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one look at every host to the plan of a rollout."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _waves

Look = t.Mapping[str, t.Any]
"""What tfo_host returned for one side of one host."""

STAGES = {"server": "accept", "client": "send"}
NO_COOKIES = {
    "server": ("accept_without_cookie", "accept_without_cookie_without_accept"),
    "client": ("send_without_cookie",),
}
"""The problems of a host that a step of each side makes real, see kernel/_problems.py."""


def lines(looks: t.Mapping[str, t.Sequence[Look]], waves_of: t.Mapping[str, t.Sequence[str]]) -> list[str]:
    """The plan as text: one line a side of a host, in the order of the waves, then those that are in none."""
    order = {(_side(name), host): name for name, hosts in waves_of.items() for host in hosts}
    sides = {(look["side"], host): look for host, seen in looks.items() for look in seen}
    rows = []
    for key in [*order, *(key for key in sides if key not in order)]:
        look, stage = sides[key], STAGES[key[0]]
        todo = f"{stage} already, confirmed" if look["done"] else f"{look['stage']['actual']} -> {stage}, {_todo(look)}"
        rows.append((order.get(key, "-"), key[1], key[0], todo))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    listed = ["  " + "  ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[3]]) for row in rows]
    return ["Plan", *listed]


def _side(wave: str) -> str:
    """Servers come in batches, clients as the canary and in waves, see ``waves``."""
    return "server" if wave.startswith("batch") else "client"


def smallest_harm(waves_of: t.Mapping[str, t.Sequence[str]], of_clients: t.Callable[[int], float]) -> dict[str, float]:
    """By wave of clients the share of SYNs lost in addition that it can exclude with all of its requests."""
    return {name: of_clients(len(hosts)) for name, hosts in waves_of.items() if _side(name) == "client"}


def harm_lines(harm: t.Mapping[str, float]) -> list[str]:
    """That, as text: less would not show."""
    told = [f"{name} {share:.0%}" for name, share in harm.items()]
    return [f"  an extra loss of SYNs with data shows from about: {', '.join(told)}"] if told else []


def _todo(look: Look) -> str:
    """What a step would do: nothing for a host that is skipped, else every thing by name."""
    if _is_skipped(look):
        return f"skipped: {'; '.join(look['reasons'])}"
    changes = ["deployed plain first"] if look["deployed"] == "no" else []
    changes += [f"{item['name']} {item['why']}" for item in look["step"]["differs"]]
    boot = look["fastopen"]["boot"]["file"]
    if boot is not None and not any(item["name"] == boot for item in look["step"]["differs"]):
        changes.append(f"{boot} stays as it is and decides at boot")
    return "; ".join(changes) or "to be proven"


def listeners(looks: t.Mapping[str, t.Sequence[Look]]) -> dict[str, str]:
    """By host with a step to make who else will accept SYN data there in listener mode."""
    told = {}
    for host, sides in looks.items():
        named = [
            f"{one['program'] or 'a process'} on {one['address']} port {one['port']}"
            + (f" ({one['unit']})" if one["unit"] else "")
            for look in sides
            if not look["done"] and not _is_skipped(look)
            for one in look["listeners"]
        ]
        if named:
            told[host] = f"bit 0x400 is for all: from its next start on SYN data is accepted by {', '.join(named)}"
    return told


def by_hand(looks: t.Mapping[str, t.Sequence[Look]]) -> list[str]:
    """Bits that somebody else has set, which do away with cookies beside a step that is made: what each means."""
    return [
        f"  {host}: {problem['message']} {problem['remedy']}"
        for host, sides in looks.items()
        for look in sides
        if not look["done"] and not _is_skipped(look)
        for problem in look["fastopen"]["problems"]
        if problem["code"] in NO_COOKIES[look["side"]]
    ]


def has_server(looks: t.Mapping[str, t.Sequence[Look]]) -> bool:
    """Whether a server is among these."""
    return any(look["side"] == "server" for sides in looks.values() for look in sides)


def _is_skipped(look: Look) -> bool:
    return look["step"]["outcome"] == "skipped"


def passed(looks: t.Mapping[str, t.Sequence[Look]], canary: t.Container[str]) -> dict[str, list[str]]:
    """By host the sides that no wave is to have: in their stage already, or not eligible as far as can be seen now.

    A canary that is not eligible stays: that nobody is left of the canary is to be found out.
    """
    found = {}
    for host, sides in looks.items():
        for look in sides:
            waits = look["side"] == "client" and host in canary
            if look["done"] or look.get("unproven") or (_is_skipped(look) and not waits):
                found.setdefault(host, []).append(look["side"])
    return found


def outside(
    sides: t.Mapping[str, t.Sequence[str]],
    looks: t.Mapping[str, t.Sequence[Look]],
    out: t.Mapping[str, t.Collection[str]],
) -> list[dict[str, str]]:
    """All {host, side} that are to be in no wave: ``out``, see ``passed``, and of ``sides`` those that were not looked at."""
    taken = {
        (host, look["side"]) for host, seen in looks.items() for look in seen if look["side"] not in out.get(host, [])
    }
    return [
        {"host": host, "side": side} for host, named in sides.items() for side in named if (host, side) not in taken
    ]


def waves(
    looks: t.Mapping[str, t.Sequence[Look]],
    out: t.Mapping[str, t.Collection[str]],
    canary: t.Container[str],
    batches: t.Sequence[t.Union[int, str]],
    client_waves: t.Sequence[t.Union[int, str]],
    together: t.Sequence[t.Sequence[str]] = (),
    order: t.Iterable[str] = (),
) -> dict[str, list[str]]:
    """The hosts of each batch and wave by its name, in the order in which they come, cut from those that are left.

    ``out`` are the sides that no wave is to have, see ``passed``; ``together`` servers of one batch, see _together; ``order``
    are the clients as their group has them, and so their play: a host that is a server as well comes earlier in ``looks``.
    """
    servers, clients = (
        [
            host
            for host, sides in looks.items()
            if any(look["side"] == side for look in sides) and side not in out.get(host, [])
        ]
        for side in ("server", "client")
    )
    places = {host: place for place, host in enumerate(order)}
    clients.sort(key=lambda host: places.get(host, len(places)))
    canaries = [host for host in clients if host in canary]
    others = [host for host in clients if host not in canary]
    return {
        **{f"batch {number}": hosts for number, hosts in enumerate(_waves.cut(servers, batches, together), 1)},
        **({"canary": canaries} if canaries else {}),
        **{f"wave {number}": hosts for number, hosts in enumerate(_waves.cut(others, client_waves), 1)},
    }


def canary_done(looks: t.Mapping[str, t.Sequence[Look]], canary: t.Container[str]) -> bool:
    """Whether a canary client was promoted by an earlier run, so that something has been learnt; also of one that is to be
    deployed first, and runs on as it was promoted."""
    sides = [look for host in looks if host in canary for look in looks[host] if look["side"] == "client"]
    return any(
        look["done"]
        or look["step"]["outcome"] == "confirmed"
        or (look["deployed"] == "differs" and look["stage"]["state"] == "confirmed")
        for look in sides
    )


def questions(looks: t.Mapping[str, t.Sequence[Look]], in_play: t.Container[str]) -> dict[str, list[dict[str, t.Any]]]:
    """Servers outside of the play whose clients got no fast open: they must be asked themselves.

    By the host that asks, one {server, targets, clients} a server. A server that accepts has a bad path to that client,
    which is the wave's business; one that does not must be rolled out first.
    """
    asked: dict[str, dict[str, t.Any]] = {}
    for host, sides in looks.items():
        for path in (path for look in sides if look["side"] == "client" for path in look["paths"]):
            if path["verdict"] == "fast_open":
                continue
            for server in path.get("server_hosts", []):
                if server in in_play:
                    continue
                entry = asked.setdefault(server, {"server": server, "targets": [], "clients": []})
                target = {"host": path["host"], "port": path["port"]}
                entry["targets"] += [target] if target not in entry["targets"] else []
                entry["clients"] += [host] if host not in entry["clients"] else []
    by_host: dict[str, list[dict[str, t.Any]]] = {}
    for server in sorted(asked):
        by_host.setdefault(asked[server]["clients"][0], []).append(asked[server])
    return by_host


def is_sender(look: Look) -> bool:
    """Whether this client is measured before its step.

    Its kernel may send SYN data already (0x1): without it a client with --fast-open exits. One that was taken off before,
    and is not to be tried again, is not.
    """
    undone = look["step"]["outcome"] == "skipped" and look["stage"].get("undone")
    return look["side"] == "client" and bool((look["fastopen"]["sysctl"] or {}).get("send")) and not undone


def is_on_by_us(look: Look) -> bool:
    """Whether this client sends, and a rollout can take it back. It cannot where the flag is the unit's own: such a client
    is skipped, with nothing of ours on it."""
    own = _is_skipped(look) and look["stage"]["state"] == "plain"
    return look["stage"]["actual"] != "off" and not own


OTHER_SERVERS = 2
"""Servers outside of a run whose clients are its control, where it has any."""
WITNESSES = 2
"""Clients of one server that are asked whether its plain traffic suffers."""


def witnesses(
    clients: t.Iterable[str],
    instances: t.Callable[[str], t.Sequence[t.Mapping[str, t.Any]]],
    servers: t.Collection[str],
) -> dict[str, list[str]]:
    """For each of these servers the clients that shall witness its plain traffic, the first ones of ``clients``.

    ``instances`` gives the client instances of a client, inside or outside of the limit; it is asked only while a server
    wants for a witness, so that nobody else's variables are evaluated.
    """
    found: dict[str, list[str]] = {server: [] for server in servers}
    for client in clients:
        if all(len(chosen) >= WITNESSES for chosen in found.values()):
            break
        for server in {str(instance.get("server")) for instance in instances(client)} & set(found):
            if len(found[server]) < WITNESSES:
                found[server].append(client)
    return found


def provers(
    looks: t.Mapping[str, t.Sequence[Look]],
    out: t.Mapping[str, t.Collection[str]],
    witnesses_of: t.Mapping[str, t.Sequence[str]],
    targets: t.Callable[[str, str], list[dict[str, t.Any]]],
) -> dict[str, dict[str, t.Any]]:
    """By server with a step to make and without a witness another host of the run, which sends SYNs with data to it.

    The first one does so for all others: targets are probed at the same time. ``targets`` gives where a server, its first
    argument, is reached by that host.
    """
    found = {}
    for host in looks:
        other = next((name for name in looks if name != host), None)
        if witnesses_of.get(host) == [] and "server" not in out.get(host, ()) and other:
            found[host] = {"host": other, "targets": targets(host, other)}
    return {host: prover for host, prover in found.items() if prover["targets"]}
