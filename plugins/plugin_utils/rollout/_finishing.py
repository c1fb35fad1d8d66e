# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run, told to all that listen: the journal, its page, rollout_notify_url."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _written
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import (
    _before,
    _end,
    _journal,
    _metrics,
    _refusals,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import (
    ControllerAction,
    registered,
)


@dataclasses.dataclass(frozen=True)
class Ending:
    """``found``: every side of every host. ``amiss``: by host why it is neither promoted nor skipped for a reason, of those that
    are left to fail for it.

    ``stopped``: where the run stopped, '' where it did not, and the ``verdict`` there; ``advice`` is what to do next.
    """

    found: t.Sequence[_end.Side]
    amiss: t.Mapping[str, str]
    advice: t.Sequence[str]
    stopped: str = ""
    verdict: str = ""

    @property
    def told(self) -> dict[str, str]:
        """What is amiss with all hosts, also with those that have failed, or were lost, before: they have no side."""
        return {**{one.host: f"{one.outcome}: {one.why}" for one in self.found if not one.side}, **self.amiss}


class FinishingAction(ControllerAction):
    """An action that may end a run."""

    def finish(
        self, task_vars: dict[str, t.Any], told: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any], ending: Ending
    ) -> list[str]:
        """Tell of it; the lines say where its page is. ``told`` are the run's variables, of ``plan`` it takes ``run``,
        ``started`` and ``journal``."""
        hosts = [one._asdict() for one in ending.found]
        event = {"hosts": hosts, "amiss": ending.told, "stopped": ending.stopped, "next": ending.advice}
        self.keep(plan["journal"], {"step": "end", **event})
        self.notify(
            task_vars,
            "finished",
            f"stopped at {ending.stopped}" if ending.stopped else "finished",
            verdict=ending.verdict,
            outcomes=_end.counts(ending.found),
            reasons=[f"{host}: {why}" for host, why in ending.told.items()],
            following=" ".join(ending.advice),
        )
        self.export_metrics(told["rollout_textfile_directory"], lambda: self._metrics(plan, ending))
        return _written.lines(plan["journal"])

    @staticmethod
    def gone(task_vars: dict[str, t.Any], plan: t.Mapping[str, t.Any], left: t.Sequence[str]) -> list[_end.Side]:
        """The hosts that left the run before its waves."""
        found = []
        for host in (host for host in task_vars["ansible_play_hosts_all"] if host not in left):
            seen, undeployable = registered(task_vars, host, "__rollout_seen", "__rollout_undeployable")
            why = _refusals.bare(host, plan.get("refused", {}).get(host, ""))
            if undeployable:
                found.append(_end.Side(host, "", "failed", _before.NOT_DEPLOYED))
            elif not why and host in plan.get("undeployed", ()):
                found.append(_end.Side(host, "", "unreachable", _end.LOST_DEPLOYING))
            else:
                found.append(_end.gone(host, seen, why))
        return found

    @staticmethod
    def _metrics(plan: t.Mapping[str, t.Any], ending: Ending) -> _metrics.Metrics:
        return _metrics.Metrics(
            plan["run"],
            plan["started"],
            _end.counts(ending.found),
            _journal.now(),
            _end.exit_status(ending.found, ending.told),
        )
