# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleError

from ansible_collections.fastopen.shadowsocks.plugins.action import tfo_verdict
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_verdict as documentation
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy

GOOD = {
    "plain": {"ok": 15, "failed": 0, "ttfb_ms": [200 + n for n in range(15)], "counters": {"TCPSynRetrans": 0}},
    "fast_open": {
        "ok": 15,
        "failed": 0,
        "ttfb_ms": [100 + n for n in range(15)],
        "counters": {"TCPFastOpenActive": 15},
    },
    "network": "dsl",
}


def run(check_mode: bool = False, **arguments: Any) -> tuple[dict[str, Any], list[str]]:
    """The plugin's result at the last look, and its lines for people."""
    arguments.setdefault("last", True)
    task = mock.Mock(args=arguments, async_val=0, check_mode=check_mode, diff=False)
    plugin = tfo_verdict.ActionModule(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    result = plugin.run(task_vars={})
    return result, result["lines"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_verdict_is_returned_and_told(check_mode: bool) -> None:
    result, shown = run(check_mode, hosts=["c1"], clients={"c1": [GOOD]})
    assert (result["verdict"], result["changed"]) == ("promote", False)
    assert shown[0] == "verdict: promote"
    assert "c1: promote: gains 100.0 ms (207.0 → 107.0), 0 of 15 failed" in shown
    assert not any("odds" in line for line in shown)


def test_odds_and_limits_are_details() -> None:
    result, _shown = run(hosts=["c1"], clients={"c1": [GOOD]})
    shown = result["details"]
    assert all(any(reason in line for line in shown) for reason in result["hosts"]["c1"]["reasons"])
    assert any("odds" in line for line in shown)


def test_returns_exactly_what_is_documented() -> None:
    result, _shown = run(hosts=["c1"], clients={"c1": GOOD})
    documented = yaml.safe_load(documentation.RETURN)
    assert set(result) - {"changed"} == set(documented)
    kinds = {"str": str, "int": int, "list": list, "dict": dict, "float": float}
    for name, about in documented.items():
        assert isinstance(result[name], kinds[about["type"]])
        if "contains" in about:
            assert set(result[name]) == set(about["contains"])


def test_takes_exactly_the_documented_options() -> None:
    documented = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    described = {
        name: {key: value for key, value in about.items() if key != "description"} for name, about in documented.items()
    }
    assert described == tfo_verdict.ARGUMENTS


def test_defaults_are_those_of_the_judge() -> None:
    defaults = {name: about.get("default") for name, about in tfo_verdict.ARGUMENTS.items()}
    assert tfo_verdict.policy(defaults) == Policy()


def test_a_host_given_twice_counts_once() -> None:
    result, _shown = run(hosts=["c1", "c1"], clients={"c1": GOOD})
    assert result["reasons"] == ["1 of 1 clients are fine"]


def test_every_input_reaches_the_judge() -> None:
    broken = {**GOOD, "plain": {"ok": 0, "failed": 30}}
    arguments = {"hosts": ["c1"], "clients": {"c1": GOOD, "out": GOOD}, "stage": "accept"}
    before = {"c1": GOOD, "out": GOOD}
    assert run(**arguments)[0]["verdict"] == "inconclusive"
    assert run(**arguments, before=before)[0]["verdict"] == "promote"
    assert run(**{**arguments, "clients": {"c1": broken, "out": GOOD}}, before=before)[0]["verdict"] == "roll_back"
    assert run(**arguments, before=before, servers={"ss1": {"restarts": 1}})[0]["verdict"] == "roll_back"
    first = {"hosts": ["c1"], "clients": {"c1": GOOD}, "last": False}
    assert run(**first, probe_requests=25)[0]["measure"] == {"c1": 10}
    assert run(**first, probe_requests=15)[0]["measure"] == {}
    worse = {**GOOD, "fast_open": {"ok": 0, "failed": 15}}
    many = {"hosts": ["c1", "c2"], "clients": {"c1": GOOD, "c2": worse}}
    assert run(**many)[0]["verdict"] == "promote"
    assert run(**many, earlier={"judged": 1, "bad": 1})[0]["verdict"] == "roll_back"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hosts": ["c1"]}, "missing required arguments: clients"),
        ({"hosts": ["c1"], "clients": {}, "stage": "off"}, "value of stage must be one of: accept, send"),
        ({"hosts": ["c1"], "clients": {}, "probe_request": 5}, "Unsupported parameters"),
        ({"hosts": ["c1"], "clients": {"c1": {"plain": {"ok": 1}}}}, "ttfb_ms holds 0 times"),
        ({"hosts": ["c1"], "clients": {}, "before": {"c1": 1}}, "c1, measurement 1: expected a dictionary"),
        ({"hosts": ["c1"], "clients": {}, "servers": {"ss1": 1}}, "ss1: expected a dictionary"),
        ({"hosts": ["c1"], "clients": {}, "confidence": 1.0}, "confidence must be between 0.5 and 0.9999, not 1"),
        ({"hosts": ["c1"], "clients": {}, "probe_requests": 4}, "probe_requests must be between 5 and"),
        ({"hosts": ["c1"], "clients": {}, "max_error_share": 0.2}, "max_error_share must be between 0 and 0.1"),
        ({"hosts": ["c1"], "clients": {}, "max_slowdown_ms": -1}, "max_slowdown_ms must be between 0 and"),
        ({"hosts": ["c1"], "clients": {}, "max_reverted_share": 10}, "max_reverted_share must be between 0 and 1"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleError, match=message) as caught:
        run(**arguments)
    assert isinstance(caught.value, AnsibleActionFail)
