# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _gate
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import plain


class ActionModule(ActionBase):
    """Judge a wave by its hosts' __rollout_stage, and after the measurement by that; no host is contacted."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Optional[dict[str, t.Any]] = None) -> dict[str, t.Any]:
        """Collect the results of the wave, show what they come to, and return the verdict."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            {
                "side": {"type": "str", "required": True, "choices": ["server", "client"]},
                "step": {"type": "str", "required": True},
                "hosts": {"type": "list", "elements": "str", "required": True},
                "before": {"type": "dict", "default": {}},
                "after": {"type": "dict"},
                "servers": {"type": "dict", "default": {}},
                "max_unreachable_share": {"type": "float", "default": 0.1},
                "max_reverted_share": {"type": "float", "default": 0.1},
                "final": {"type": "bool", "default": False},
            }
        )
        hostvars = task_vars["hostvars"]
        side, step, before = arguments["side"], arguments["step"], plain(arguments["before"])
        looks = {host: self._look(hostvars[host], side) for host in arguments["hosts"]}
        wave = [host for host, look in looks.items() if not look["done"]]
        results = {host: self._result(hostvars[host], looks[host]) for host in wave}
        share = arguments["max_unreachable_share"]
        on_now = [host for host in wave if looks[host]["stage"]["actual"] not in ("off", "accept")]
        canary = step == "canary" and not self._canary_done(task_vars, side)
        final, check = arguments["final"], self._task.check_mode
        budget = self._budget(task_vars, side, arguments)
        judgement = _gate.judge(step, results, before, check, on_now, share, final, canary, budget)
        if arguments["after"] is not None:
            clients = judgement.stepped if side == "client" else []
            asked = {host: plain(hostvars[host].get("__rollout_tunnel", {})) for host in clients}
            judgement = _gate.judge_measured(
                step, judgement, plain(arguments["after"]), asked, plain(arguments["servers"]), share, canary, budget
            )
        Display().display(judgement.msg)
        return {
            "changed": False,
            "side": side,
            **judgement._asdict(),
            "servers": self._servers(side, judgement.stepped, looks),
            "earlier": {"judged": budget.judged, "bad": budget.bad},
        }

    @staticmethod
    def _budget(task_vars: dict[str, t.Any], side: str, arguments: dict[str, t.Any]) -> _gate.Budget:
        """How many may be bad, with what the run has seen so far. Servers restart for everybody: none of them may."""
        if side == "server":
            return _gate.Budget(strict=True)
        others = [host for host in task_vars["groups"].get("shadowsocks_clients", []) if host not in arguments["hosts"]]
        gates = {host: plain(task_vars["hostvars"][host].get("__rollout_gate") or {}) for host in others}
        judged, bad = _gate.earlier({host: gate for host, gate in gates.items() if gate.get("side") == "client"})
        return _gate.Budget(arguments["max_reverted_share"], judged, bad)

    @staticmethod
    def _canary_done(task_vars: dict[str, t.Any], side: str) -> bool:
        """Whether a canary was promoted in an earlier run: then something has been learnt."""
        seen = [
            plain(task_vars["hostvars"][host].get("__rollout_seen")) for host in task_vars["groups"].get("canary", [])
        ]
        looks = [look for one in seen if one for look in one["results"]]
        return any(look["side"] == side and look["done"] for look in looks)

    @staticmethod
    def _look(variables: t.Any, side: str) -> dict[str, t.Any]:
        return next(plain(look) for look in variables["__rollout_seen"]["results"] if look["side"] == side)

    def _result(self, variables: t.Any, look: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the step came to; in check mode a host on which nothing is deployed yet could not be asked."""
        if self._task.check_mode and look["deployed"] == "no":
            return {"outcome": "planned"}
        return plain(variables["__rollout_stage"])

    @staticmethod
    def _servers(side: str, stepped: list[str], looks: dict[str, dict[str, t.Any]]) -> list[str]:
        if side == "server":
            return stepped
        paths = [path for host in stepped for path in looks[host]["paths"]]
        return sorted({server for path in paths for server in path.get("server_hosts", [])})
