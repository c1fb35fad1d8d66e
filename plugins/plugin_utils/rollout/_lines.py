# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A wave in an operator's words: lines to show as its phases end, and details for those who ask for more."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import Wave

SHOWN_HOSTS = 10
"""How many hosts of one outcome are named before they are only counted."""

PLAIN, STAYS, PASSED_OVER = "plain TCP again", "what was promoted stays", "passed over"


def begun(wave: Wave) -> list[str]:
    """Its heading."""
    return [f"{wave.name}: {named(list(wave.hosts))}"]


def measured(wave: Wave) -> list[str]:
    """What the step promises, and who does not make it."""
    promised = _by_host(wave, "measured", ("",)) if any(host.said for host in wave.hosts.values()) else []
    return promised + _by_host(wave, "", ("skipped", "unreachable", "inconclusive", "reverted"))


def stepped(wave: Wave, bake_seconds: float) -> list[str]:
    """How many made it, and who did not."""
    made, all_hosts = wave.with_outcome("stepped", "promoted", "planned"), len(wave.hosts)
    word = "planned" if wave.with_outcome("planned") else "stepped"
    bakes = "" if wave.verdict else f", baking {bake_seconds:g} s"
    lines = [f"  {word}   {len(made)} of {all_hosts}{bakes}"] if made else []
    return lines + _by_host(wave, "", ("failed", "unreachable", "refused", "skipped", "reverted"), named_before=True)


def asked_again(wave: Wave) -> list[str]:
    """Who makes more requests, so that it can be decided."""
    asks = [ask for some in wave.ask.values() for ask in some]
    if not asks:
        return ["  not clear yet, and nobody can be asked once more"]
    most, asked = max(ask["requests"] for ask in asks), sorted({ask["host"] for ask in asks})
    return [f"  not clear yet, up to {most} more requests of each kind: {named(asked)}"]


def now(wave: Wave) -> str:
    """What is so on the hosts of a wave that stopped its run. Who is reverted or inconclusive had made the step, in this run
    or an earlier one."""
    if wave.with_outcome("promoted", "planned"):
        return STAYS
    unknown = [name for name, host in wave.hosts.items() if host.outcome == "failed" or host.since_step]
    if unknown:
        return f"not all of it is proven plain ({named(unknown)})"
    return PLAIN if wave.with_outcome("reverted", "inconclusive") else "nobody made the step"


def decided(wave: Wave) -> list[str]:
    """The verdict, and why. That a wave goes on is said by its hosts."""
    lines = [f"  {'because' if wave.stop else 'seen':<9} {why}" for why in wave.why]
    if wave.stop:
        return [f"  {wave.verdict}: {now(wave)}, and the run stops here", *lines]
    return ([] if wave.with_outcome("promoted", "planned") else [f"  {PASSED_OVER}: nobody in it was promoted"]) + lines


def closed(wave: Wave) -> list[str]:
    """The verdict, why, and what became of each host."""
    outcomes = dict.fromkeys(host.outcome for host in wave.hosts.values())
    return decided(wave) + _by_host(wave, "", tuple(outcomes))


def told(wave: Wave) -> str:
    """What became of it, in a sentence that begins with its name."""
    if not wave.stop:
        return "is done" if wave.with_outcome("promoted") else f"is {PASSED_OVER}"
    how = now(wave)
    bad = "is bad" if how == STAYS else "was rolled back"
    verdict = "is undecided" if wave.verdict == "inconclusive" else bad
    return f"{verdict}{'' if how == PLAIN else f', {how}'}, and the run stops"


def _by_host(wave: Wave, word: str, outcomes: tuple[str, ...], named_before: bool = False) -> list[str]:
    """A line a host of these outcomes; where many were promoted, or only measured, one line for all of them."""
    lines = []
    for outcome in outcomes:
        names = wave.with_outcome(outcome)
        if outcome in ("", "promoted") and len(names) > SHOWN_HOSTS:
            lines.append(
                f"  {word or outcome:<9} {len(names)} hosts, the first: {wave.hosts[names[0]].said}".rstrip(": ")
            )
            continue
        for name in names:
            host = wave.hosts[name]
            if not named_before or not host.said:
                because = host.because()
                lines.append(f"  {word or outcome:<9} {name}{': ' if because else ''}{because}")
    return lines


def details(wave: Wave) -> list[str]:
    """Every reason of every host, with odds and counters."""
    return [f"    {name}: {reason}" for name, host in wave.hosts.items() for reason in host.reasons]


def named(names: t.Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - SHOWN_HOSTS
    return ", ".join(names[:SHOWN_HOSTS]) + (f" and {more} more" if more > 0 else "")
