# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a fleet from one look at every host: intended against real stage, with reasons."""

from __future__ import annotations

import typing as t

FOREIGN = "has fast_open by its owner's config: foreign, no rollback takes it off"
GONE = "it left the run in an earlier play, see above"
COLUMNS = ("host", "side", "intended", "actual", "state", "paths")


def rows(seen: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """One row a side of a host. ``seen`` is each host's registered loop over its sides, or what Ansible has instead.

    ``state`` is ok, drift, foreign (as intended, beside a service with fast_open by its owner's config) or unreachable;
    ``drift`` holds the reasons, ``foreign`` those services, ``problems`` what the host's kernel says.
    """
    found = []
    for host, registered in seen.items():
        results = registered.get("results") or [registered]
        for result in results:
            if "stage" in result:
                found.append(_row(host, result))
            else:
                state = "unreachable" if result.get("unreachable") else "failed"
                found.append(_without_look(host, result.get("__rollout_side", "?"), state, str(result.get("msg", ""))))
    return found


def wrong(audited: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """The hosts that audit_strict fails for: drift, what could not be seen, and every problem of severity error."""
    severe = [row["host"] for row in audited if any(problem["severity"] == "error" for problem in row["problems"])]
    return sorted({*severe, *(row["host"] for row in audited if row["state"] not in ("ok", "foreign"))})


def _row(host: str, look: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    intended, actual = look["stage"]["intended"], look["stage"]["actual"]
    drift = []
    if intended != actual and (intended != "off" or not look["own_fast_open"]):
        drift.append(f"intended {intended}, but {_runs(look)}")
    drift += [f"{item['name']} {item['why']}" for item in look["differs"]]
    drift += look["foreign"]
    drift += [f"{unit} was deployed, and is not listed any more" for unit in look["left"]]
    drift += look["stage"]["problems"]
    drift += [f"{one['name']} {one['why']}" for one in look["step"]["differs"] if one["what"] == "mode"]
    boot = look["fastopen"]["boot"]
    if intended != "off" and boot["agrees"] is False:
        drift.append(
            f"the next boot sets net.ipv4.tcp_fastopen to {boot['value']}, by {boot['file'] or 'the kernel itself'}"
        )
    drift += [f"{unit} {_taken_off(one)}" for unit, one in look["stage"]["undone"].items() if one["intended"] != "off"]
    if intended != "off" and look["step"]["outcome"] != "refused":  # that another run holds it is no drift
        drift += look["reasons"]
    return {
        "host": host,
        "side": look["side"],
        "intended": intended,
        "actual": actual,
        "state": "drift" if drift else "foreign" if look["own_fast_open"] else "ok",
        "drift": drift,
        "foreign": [f"{unit} {FOREIGN}" for unit in look["own_fast_open"]],
        "problems": [*_problems(look), *_named(look)],
        "paths": look["paths"],
        "services": look["services"],
        "package": look["package"],
        "fastopen": look["fastopen"],
    }


def _runs(look: t.Mapping[str, t.Any]) -> str:
    """A server of which some instances accept is not off."""
    refusing = [str(path["port"]) for path in look["paths"] if path["verdict"] != "fast_open"]
    if look["side"] == "server" and 0 < len(refusing) < len(look["paths"]):
        return f"not on port {', '.join(refusing)}"
    return f"{look['stage']['actual']} runs"


def _taken_off(one: t.Mapping[str, str]) -> str:
    return f"was taken off by {one['by']} at {one['when']}: {one['why']}"


def _problems(look: t.Mapping[str, t.Any]) -> list[t.Mapping[str, t.Any]]:
    """What is wrong with the host's kernel; that 0x2 is off is none where the kill switch keeps it off."""
    meant = ("accept_off",) if look["stage"]["kill_switch"] else ()
    return [problem for problem in look["fastopen"]["problems"] if problem["code"] not in meant]


def _named(look: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    """What the host's guard saw and cannot mend, units that were taken off and are meant to be plain, and a kill switch that
    is on, as problems."""
    told = (look["stage"]["guard"] or {"named": {}})["named"]
    named = [*told.get(look["side"], []), *told.get("watch", [])]
    found = [{"code": "guard", "severity": "warning", **one} for one in named]
    for unit, one in look["stage"]["undone"].items():
        if one["intended"] == "off":
            again = one["by"] == "lease"  # nobody found it bad, see _eligible.refuse
            remedy = (
                "The next rollout tries it again." if again else "-e rollout_retry=true lets a rollout try it again."
            )
            message = f"{unit} {_taken_off(one)}"
            found.append({"code": "undone", "severity": "info", "message": message, "remedy": remedy})
    killed = look["stage"]["kill_switch"] if look["side"] == "server" else None
    if killed:
        found.append(
            {
                "code": "kill_switch",
                "severity": "info",
                "message": f"bit 0x2 is kept off since {killed['when']}, by {killed['by']}.",
                "remedy": "rollback -e rollback_scope=accept -e rollback_lift=true lets rollouts set it again.",
            }
        )
    return found


def _without_look(host: str, side: str, state: str, why: str) -> dict[str, t.Any]:
    return {
        "host": host,
        "side": side,
        "intended": "?",
        "actual": "?",
        "state": state,
        "drift": [why],
        "foreign": [],
        "problems": [],
        "paths": [],
        "services": [],
        "package": {},
        "fastopen": {},
    }


def table(audited: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """The rows as text, drift and problems indented below their row."""
    cells = [[_cell(row, column) for column in COLUMNS] for row in audited]
    widths = [max(len(line[n]) for line in [list(COLUMNS), *cells]) for n in range(len(COLUMNS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(COLUMNS, widths)).rstrip()]
    for row, line in zip(audited, cells):
        lines.append("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
        lines += [f"    {reason}" for reason in (*row["drift"], *row["foreign"])]
        lines += [f"    {p['code']}: {p['message']} -> {p['remedy']}" for p in row["problems"]]
    return lines


def _cell(row: t.Mapping[str, t.Any], column: str) -> str:
    if column != "paths":
        return str(row[column])
    return ", ".join(f"{path['host']}:{path['port']} {path['verdict']}" for path in row["paths"]) or "-"
