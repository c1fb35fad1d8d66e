# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge a step of the rollout on the controller; the module of the same name documents it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge import _lines, _measurement, _verdict
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import STEP, UNACCEPTABLE_SHARE
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _policy
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._controller_action import ControllerAction

ARGUMENTS = {
    "stage": {"type": "str", "choices": ["accept", "send"], "default": "send"},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "clients": {"type": "dict", "required": True},
    "before": {"type": "dict", "default": {}},
    "servers": {"type": "dict", "default": {}},
    "confidence": {"type": "float", "default": 0.95},
    "probe_requests": {"type": "int", "default": 100},
    "max_error_share": {"type": "float", "default": 0.05},
    "max_slowdown_ms": {"type": "float", "default": 20.0},
    "max_reverted_share": {"type": "float", "default": 0.1},
    "earlier": {"type": "dict", "default": {}},
    "last": {"type": "bool", "default": False},
}


class ActionModule(ControllerAction):
    """Read the measurements and judge them; no host is contacted."""

    ARGUMENTS = ARGUMENTS

    def act(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The verdict; it fails only for arguments that cannot be read: what a verdict leads to is the playbook's."""
        try:
            verdict = _verdict.judge(
                arguments["stage"],
                list(dict.fromkeys(arguments["hosts"])),
                {name: _measurement.client(value, name) for name, value in arguments["clients"].items()},
                {name: _measurement.client(value, name) for name, value in arguments["before"].items()},
                {name: _measurement.server(value, name) for name, value in arguments["servers"].items()},
                policy(arguments),
                (int(arguments["earlier"].get("judged", 0)), int(arguments["earlier"].get("bad", 0))),
                last=arguments["last"],
            )
        except _measurement.MeasurementError as error:
            raise AnsibleActionFail(str(error)) from None
        return {**verdict, "lines": _lines.lines(verdict), "details": _lines.lines(verdict, details=True)}


def policy(arguments: dict[str, t.Any]) -> Policy:
    """The operator's limits; raises AnsibleActionFail for one that makes no sense, with the range that does."""
    ranges = {
        "confidence": (0.5, 0.9999),
        "probe_requests": (STEP, 100_000),
        "max_error_share": (0.0, UNACCEPTABLE_SHARE / 2),
        "max_slowdown_ms": (0.0, 60_000.0),
        "max_reverted_share": (0.0, 1.0),
    }
    for name, (least, most) in ranges.items():
        if not least <= arguments[name] <= most:
            raise AnsibleActionFail(f"{name} must be between {least:g} and {most:g}, not {arguments[name]:g}.")
    return _policy.of(arguments, prefix="")
