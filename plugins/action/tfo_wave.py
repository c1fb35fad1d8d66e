# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import dataclasses
import traceback
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import (
    INCONCLUSIVE,
    PROMOTE,
    ROLL_BACK,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import (
    _journal,
    _lines,
    _metrics,
    _phases,
    _status,
    _times,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import (
    ControllerAction,
    registered,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._measured import Measured
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._run import Run
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._wave import NO_CANARY, Wave

EVENTS = {PROMOTE: "step_done", INCONCLUSIVE: "inconclusive", ROLL_BACK: "rolled_back"}
"""By verdict the notification."""
KEPT = ("name", "side", "verdict", "why", "stop", "hosts", "confirm", "revert")
"""What the journal keeps of a wave."""
PHASES = ("begin", "measured", "stepped", "judged", "judged_again", "closed")


class ActionModule(ControllerAction):
    """Move a wave on by what its hosts have returned since; whatever goes wrong in here, its hosts go back."""

    ARGUMENTS = {"at": {"type": "str", "required": True, "choices": list(PHASES)}}

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The wave as it is now."""
        at, batch = arguments["at"], list(task_vars["ansible_play_batch"])
        run = Run(task_vars, batch, task_vars["__rollout_side"], self._task.check_mode)
        if at == "begin":
            wave, measured = run.wave(task_vars["__rollout_kind"], batch), Measured()
            report: list[str] = []
        else:
            (kept,) = registered(task_vars, batch[0], "__rollout_wave")
            wave, measured, report = Wave.load(kept), Measured(**kept["measured"]), kept["report"]
        ended, settled = at == "closed", bool(wave.verdict) and at != "closed"
        try:
            lines = getattr(self, f"_{at}")(run, wave, measured)
        except Exception as error:  # our own bug must not leave a wave on
            lines = self._given_up(at, wave, error)
        if not settled and not (wave.stop and not wave.verdict):
            self.keep(run.journal, self._event(at, run, wave, measured))
        if ended or (at == "begin" and wave.verdict):
            self._tell(task_vars, wave)
            self.export_metrics(run.variables["rollout_textfile_directory"], lambda: self._metrics(run))
        return {
            **dataclasses.asdict(wave),
            "measured": {} if ended else dataclasses.asdict(measured),
            "lines": lines,
            "report": [*report, *lines],
            "details": _lines.details(wave) if ended else [],
            "bake_seconds": run.variables["rollout_bake_seconds"],
        }

    def _begin(self, run: Run, wave: Wave, measured: Measured) -> list[str]:
        """Whom to measure before the step."""
        if wave.stop:
            return []
        if run.lacks_canary(wave):
            wave.conclude(unknown=[NO_CANARY])
            return [*_lines.begun(wave), *_lines.decided(wave)]
        if run.judged:
            wave.ask, wave.watch = run.first_asks(wave), run.watchers(wave)
        return _lines.begun(wave)

    def _measured(self, run: Run, wave: Wave, measured: Measured) -> list[str]:
        """Who makes the step."""
        measured.hear_before(run, wave)
        _phases.unreachable_before(wave, measured.answers_before(wave))
        if wave.side == "client":
            _phases.measured_before(wave, measured.findings_before(run, wave), run.on_now(wave))
        wave.ask, wave.watch = {}, {}
        return _lines.measured(wave)

    def _stepped(self, run: Run, wave: Wave, measured: Measured) -> list[str]:
        """What the step came to, and whom to measure after it."""
        if wave.verdict:  # given up before its step
            return []
        _phases.unreachable_before(wave, run.results(wave, "__rollout_answer"))
        results = run.results(wave, "__rollout_stage")
        _phases.stepped(wave, results, self._task.check_mode, not run.judged)
        if wave.side == "server":
            measured.stepped(results)
        if not wave.verdict:
            wave.ask, wave.watch, wave.prove = run.asks_after(wave), run.watchers(wave), run.provers(wave)
        return _lines.stepped(wave, run.variables["rollout_bake_seconds"])

    def _judged(self, run: Run, wave: Wave, measured: Measured, last: bool = False) -> list[str]:
        """The verdict, or whom to ask once more."""
        if wave.verdict:
            return []
        measured.hear_after(run, wave)
        judgement = measured.judgement(run, wave, last)
        measured.judged = {key: judgement[key] for key in ("coverage", "pooled", "control") if key in judgement}
        if judgement["measure"] and not last:
            wave.ask, wave.watch = run.more_asks(wave, judgement["measure"]), run.watchers(wave)
            return _lines.asked_again(wave)
        _phases.measured_after(
            wave, judgement, measured.answers(wave), measured.since(wave), _phases.unbaked(run.bake(wave))
        )
        wave.watch, wave.prove = {}, []
        return []

    def _judged_again(self, run: Run, wave: Wave, measured: Measured) -> list[str]:
        """The verdict."""
        return self._judged(run, wave, measured, last=True)

    def _closed(self, run: Run, wave: Wave, measured: Measured) -> list[str]:
        """How it ended."""
        if not self._task.check_mode:
            _phases.closed(wave, run.results(wave, "__rollout_confirmed"), run.results(wave, "__rollout_reverted"))
        return _lines.closed(wave)

    def _given_up(self, at: str, wave: Wave, error: Exception) -> list[str]:
        """Nobody knows any more: who is stepped, or may be, goes back, also where it was to be promoted just now.

        At the beginning nothing has been done, so that all are as they were; at the end everything has, so that who was
        confirmed or taken back is not proven to be what it was to become.
        """
        said = f"this is a bug of the collection, please report it: {type(error).__name__}: {error}"
        self._display.vvv("".join(traceback.format_exception(error)))
        wave.ask, wave.watch, wave.prove = {}, {}, []
        if at == "closed":
            for name in {*wave.confirm, *wave.revert}:
                wave.hosts[name].end("failed", "what became of it is not known", *wave.hosts[name].reasons)
        elif at != "begin":
            for name in wave.with_outcome("", "promoted"):
                wave.hosts[name].end("stepped")
        wave.decide(unknown=[said])
        return [f"{wave.name}: {said}"]

    def _tell(self, task_vars: dict[str, t.Any], wave: Wave) -> None:
        """Notify of how a wave has ended: whoever was stepped is confirmed, or taken back, by now."""
        self.notify(
            task_vars,
            EVENTS[wave.verdict],
            f"{wave.name} {_lines.told(wave)}",
            wave=wave.name,
            side=wave.side,
            verdict=wave.verdict,
            outcomes=collections.Counter(host.outcome for host in wave.hosts.values()),
            reasons=wave.why,
        )

    @staticmethod
    def _metrics(run: Run) -> _metrics.Metrics:
        """How the hosts of all waves have ended so far, by the journal."""
        status = _status.of(_journal.read(run.journal), _times.moment(_journal.now()))
        counts = {outcome: len(hosts) for outcome, hosts in status.outcomes.items()}
        return _metrics.Metrics(status.run, status.started, counts)

    def _event(self, at: str, run: Run, wave: Wave, measured: Measured) -> dict[str, t.Any]:
        """What the journal keeps of a phase."""
        content = dataclasses.asdict(wave)
        event = {"step": wave.kind, "what": at, **{key: content[key] for key in KEPT}}
        if at == "stepped" and not wave.verdict:
            event["bake_seconds"] = run.variables["rollout_bake_seconds"]
        if wave.verdict and at != "closed":
            event["measured"] = dataclasses.asdict(measured)
        return event
