# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks returned for the hosts of a wave, phase by phase, and what that makes of it."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    REVERT,
    ROLL_BACK,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import NO_CANARY, Wave

Result = t.Optional[t.Mapping[str, t.Any]]
"""What a task registered for a host: a module's result, or a failed, skipped or unreachable one; None where it did not run."""
Findings = t.Mapping[str, t.Mapping[str, t.Any]]
"""By host what the judge says of it: {verdict, reasons, summary}."""

STEPPED = ("stepped", "confirmed")
UNHEARD = {"verdict": INCONCLUSIVE, "reasons": ["no data: the judge says nothing of it"], "summary": ""}
UNDOES_ITSELF = "what is not confirmed there undoes itself when its lease ends"


def unreachable_before(wave: Wave, results: t.Mapping[str, Result]) -> None:
    """Who did not answer right before its step makes none, and is not lost by it."""
    for name, host in wave.hosts.items():
        if not host.outcome and lost(results.get(name)):
            host.end("unreachable", "unreachable before its step: it stays as it is")


def measured_before(wave: Wave, findings: Findings, on_now: t.Collection[str]) -> None:
    """Who does not make the step: clients that are worse with TCP Fast Open, or that nothing can be said of.

    Those that have it ``on_now``, from an earlier run, leave it.
    """
    for name, finding in findings.items():
        host, verdict = wave.hosts[name], finding["verdict"]
        if host.outcome:
            continue
        if verdict == REVERT and name in on_now:
            host.end("reverted", *finding["reasons"], said=finding["summary"])
            wave.revert.append(name)
            wave.remember.append(name)
        elif not finding["measured"] and name in on_now:
            host.end("inconclusive", "measured before its step", *finding["reasons"], said=finding["summary"])
            wave.revert.append(name)
        elif verdict == REVERT or not finding["measured"]:
            host.end("skipped", "measured before its step", *finding["reasons"], said=finding["summary"])
        else:
            host.said = finding["summary"]


def stepped(wave: Wave, results: t.Mapping[str, Result], check: bool, final: bool) -> None:
    """Each host's own step and proof. ``final``: nothing is measured after it, so that this decides."""
    for name, host in wave.hosts.items():
        if host.outcome:
            continue
        result = results.get(name)
        if check and result and result.get("skipped"):  # nothing runs on it that could be asked
            host.end("planned")
        elif lost(result):
            host.end("unreachable", f"lost in its step: {UNDOES_ITSELF}")
            host.since_step = not check
        elif not result or result.get("failed") or "outcome" not in result:
            host.end("failed", trouble(result))
        elif check:
            host.end("planned" if result["outcome"] in (*STEPPED, "planned") else result["outcome"], *result["reasons"])
        else:
            proven = result["outcome"] in STEPPED
            if wave.side == "client" and result["outcome"] == "failed":  # tried, and not proven
                wave.remember.append(name)
            host.end("stepped" if proven else result["outcome"], *result["reasons"], said=host.said if proven else "")
    if check:
        wave.verdict = PROMOTE
        if wave.canary and not wave.with_outcome("planned"):
            wave.conclude(unknown=[NO_CANARY])
        return
    wave.revert += wave.with_outcome("failed")
    if final or not wave.with_outcome("stepped") or any(wave.weigh()):
        wave.decide()


def unbaked(result: Result) -> list[str]:
    """Why nobody can say how real traffic fared, where the bake has not come to its end."""
    return [] if result and "seconds" in result else [f"it did not bake to the end: {trouble(result)}"]


def measured_after(
    wave: Wave,
    judgement: t.Mapping[str, t.Any],
    answers: t.Mapping[str, Result],
    servers: t.Mapping[str, t.Any],
    unknown: t.Sequence[str] = (),
) -> None:
    """Decide about the wave: by the judge, by requests through the running services, and by how the servers fared.

    ``answers`` is what each host of the wave answered last: a client its measurement, with the reasons against its running
    service, a server the look at it. ``servers`` is what happened on each server since, see _since and _fares, None where nobody knows.
    What is ``unknown`` beside that keeps it from being promoted.
    """
    unknown = list(unknown)
    for name in wave.with_outcome("stepped"):
        host, result = wave.hosts[name], answers.get(name) or {}
        if lost(result):
            host.end("unreachable", f"lost since its step: {UNDOES_ITSELF}")
            host.since_step = True
            continue
        if wave.side == "server":  # the judge speaks of its clients, one of which may be this very host
            host.said = (servers.get(name) or {}).get("said", "")
            continue
        finding = judgement["hosts"].get(name, UNHEARD)
        if result.get("reasons") or finding["verdict"] == REVERT:
            said = finding["summary"] if finding["verdict"] == REVERT else ""  # a good figure is not why
            host.end("reverted", *result.get("reasons", []), *finding["reasons"], said=said)
            wave.revert.append(name)
            wave.remember.append(name)
        elif finding["verdict"] == INCONCLUSIVE:
            host.end("inconclusive", *finding["reasons"], said=finding["summary"])
            wave.revert.append(name)
        else:
            host.said = finding["summary"]
    own = wave.with_outcome("unreachable") if wave.side == "server" else []
    against: list[str] = []
    unknown += ["the judge wants more requests, and nobody is asked again"] if judgement["measure"] else []
    for name, since in servers.items():
        if name in own:  # its budget decides
            continue
        if since is None:
            unknown.append(f"{name}: it cannot be reached any more")
        else:
            gone = f"{name}: its service was restarted or is gone since the step, see its journal"
            against += [gone] if since["restarts"] else []
            against += since.get("against", [])
    verdict, reasons = judgement["shared"]
    if verdict == ROLL_BACK:
        against += reasons
        if wave.side == "client":  # together their paths are bad, though none of them can be named alone
            wave.remember += wave.with_outcome("stepped")
    elif verdict == INCONCLUSIVE:
        unknown += reasons
    wave.decide(against, unknown)
    if wave.verdict == PROMOTE and wave.side == "server":
        wave.why = list(reasons)


def closed(wave: Wave, confirmed: t.Mapping[str, Result], reverted: t.Mapping[str, Result]) -> None:
    """What became of making the step last, and of taking it back; what is not proven plain is failed.

    What shows only here counts as well: over a budget, or with a canary in which nobody was promoted, the run stops.
    """
    for name in wave.confirm:
        result, host = confirmed.get(name), wave.hosts[name]
        if lost(result):
            host.end("unreachable", f"lost while its step was made to last: {UNDOES_ITSELF}")
            host.since_step = True
        elif (
            result and result.get("outcome") == "reverted"
        ):  # the host's own guard took it off since, and proved it plain
            host.end("reverted", *result["reasons"])
        elif not result or result.get("failed") or result.get("outcome") != "confirmed":
            host.end("failed", f"could not be made to last: {trouble(result)}")
    for name, result in reverted.items():
        host = wave.hosts[name]
        if not result or result.get("skipped"):
            continue
        if lost(result):
            host.end("unreachable", f"not reached to be taken back: {UNDOES_ITSELF}", *host.reasons)
            host.since_step = True
        elif result.get("failed") or result.get("outcome") != "plain":
            host.end("failed", f"not proven plain: {trouble(result)}", *host.reasons)
        elif host.outcome == "failed":  # in its step, or while that was made to last: what runs there is known now
            host.end("reverted", *host.reasons)
    if not wave.stop and any(wave.weigh()):
        wave.conclude()


def lost(result: Result) -> bool:
    """Whether the host was unreachable."""
    return bool(result and result.get("unreachable"))


def trouble(result: Result) -> str:
    """Why there is nothing good to say of a host."""
    if not result:
        return "nothing was returned"
    return "; ".join(result.get("reasons") or [str(result.get("msg") or result.get("outcome", "the task failed"))])
