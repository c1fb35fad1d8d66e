# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one look at every host to the plan of a rollout."""

from __future__ import annotations

import typing as t

Look = t.Mapping[str, t.Any]
"""What tfo_host returned for one side of one host."""

STAGES = {"server": "accept", "client": "send"}


def lines(looks: t.Mapping[str, t.Sequence[Look]]) -> list[str]:
    """The plan as text, one line a side of a host."""
    rows = []
    for host, sides in looks.items():
        for look in sides:
            stage = STAGES[look["side"]]
            if look["done"]:
                todo = f"{stage} already, confirmed"
            else:
                todo = f"{look['stage']['actual']} -> {stage}, {_todo(look)}"
            rows.append((host, look["side"], todo))
    width = max((len(host) for host, _side, _todo in rows), default=0)
    return [f"{host:<{width}}  {side}  {todo}" for host, side, todo in rows]


def _todo(look: Look) -> str:
    """What a step would do: nothing for a host that is skipped, else every thing by name."""
    if look["step"]["outcome"] == "skipped":
        return f"skipped: {'; '.join(look['reasons'])}"
    changes = ["deployed plain first"] if look["deployed"] == "no" else []
    changes += [f"{item['name']} {item['why']}" for item in look["step"]["differs"]]
    boot = look["fastopen"]["boot"]["file"]
    if boot is not None and not any(item["name"] == boot for item in look["step"]["differs"]):
        changes.append(f"{boot} stays as it is and decides at boot")
    return "; ".join(changes) or "to be proven"


def questions(looks: t.Mapping[str, t.Sequence[Look]], in_play: t.Container[str]) -> list[dict[str, t.Any]]:
    """Servers outside of the play whose clients got no fast open: they must be asked themselves.

    One {server, targets, clients} a server. A server that accepts has a bad path to that client, which is the wave's
    business; one that does not must be rolled out first.
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
    return [asked[server] for server in sorted(asked)]


def errors(looks: t.Mapping[str, t.Sequence[Look]]) -> list[str]:
    """What makes a rollout impossible on a host, whatever is done."""
    found = []
    for host, sides in looks.items():
        for look in sides:
            for problem in look["differs"]:
                if problem["what"] == "package" and "no --fast-open" in problem["why"]:
                    found.append(f"{host}: {problem['why']}: install a build with TCP Fast Open")
            if look["fastopen"]["sysctl"] is None:
                found.append(f"{host}: this kernel has no TCP Fast Open")
    return list(dict.fromkeys(found))


def senders(looks: t.Mapping[str, t.Sequence[Look]]) -> list[str]:
    """The clients that are measured before their step.

    Their kernel may send SYN data already (0x1): without it a client with --fast-open exits. Those that were taken off
    before, and are not to be tried again, are not.
    """
    return [host for host, sides in looks.items() if any(_is_sender(look) for look in sides)]


def _is_sender(look: Look) -> bool:
    undone = look["step"]["outcome"] == "skipped" and look["stage"].get("undone")
    return look["side"] == "client" and bool((look["fastopen"]["sysctl"] or {}).get("send")) and not undone


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
