# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and control data never share a result: whatever a password is, what a play reads back is as it was (field: A1, A2)."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deploy, _observe, _secrets
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _answers, _pair, _temporary
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_host, tfo_service, tfo_tunnel
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, SERVER_SERVICE

PLUGIN = {"plugin": "v2ray-plugin", "plugin_opts": "server"}


@pytest.mark.parametrize("secret", ["123", "8388", "server", "true", "a", "ok", "main"])
def test_look(fake_host, run_module, monkeypatch, secret):
    """Sides, units, ports, states and booleans."""
    monkeypatch.setattr(_probe, "observe", lambda: {"sysctl": {"value": 1123, "send": True, "accept": False}})
    service = {**SERVER_SERVICE, **PLUGIN, "password": secret}
    _deploy.deploy(_observe.Wanted("server", [service]), check=False)
    answer = run_module(tfo_host.main, side="server", services=[service])
    assert (answer["side"], answer["fastopen"]["sysctl"]["value"], answer["deployed"]) == ("server", 1123, "yes")
    assert answer["services"][0]["unit"] == "ss-server@main.service"
    arguments = answer.get("invocation", {}).get(
        "module_args", {}
    )  # from ansible-core 2.21 on only where it is configured
    assert arguments.get("secrets") in (None, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")
    changed = run_module(tfo_service.main, side="server", services=[{**service, "timeout_seconds": 8388}])
    assert [one["name"] for one in changed["differs"]][-1] == "ss-server@main.service"


def test_measurement(fake_host, run_module, monkeypatch):
    """Times, counts and counters with the password in their digits."""
    answers = _answers.Answers(ok=2, ttfb_ms=[1123.123, 123.0], counters={"RetransSegs": 123})
    paths = [_answers.Path("main", "203.0.113.7", dict.fromkeys(_answers.ARMS, answers))]
    monkeypatch.setattr(_pair, "measure", lambda *_arguments: (paths, True))
    service = {**CLIENT_SERVICE, "password": "123"}
    answer = run_module(tfo_tunnel.main, url="http://origin/", services=[service])
    for arm in _answers.ARMS:
        assert (answer[arm]["ttfb_ms"], answer[arm]["counters"]) == ([1123.123, 123.0], {"RetransSegs": 123})


def test_client_that_is_not_installed_has_nothing_to_tell(fake_host, run_module, monkeypatch):
    """No error: a host that runs nothing yet may be asked as a witness (field: B14)."""

    def missing(*_arguments):
        raise _temporary.Missing("ss-local is not installed")

    monkeypatch.setattr(_pair, "measure", missing)
    answer = run_module(tfo_tunnel.main, url="http://origin/", services=[CLIENT_SERVICE])
    assert "failed" not in answer
    assert [(answer[arm]["ok"], answer[arm]["failed"], answer[arm]["errors"]) for arm in _answers.ARMS] == [
        (0, 0, ["ss-local is not installed"])
    ] * 2


@pytest.mark.parametrize(
    ("services", "secrets"),
    [([SERVER_SERVICE], ""), ([], "W3t9XQ=="), ([SERVER_SERVICE], "%"), ([SERVER_SERVICE], "bnVsbA==")],
)
def test_parts_that_do_not_belong_together(services, secrets):
    """Whoever fills them in by hand is told what to give."""
    with pytest.raises(_secrets.SecretsError, match="out of instances: give those"):
        _secrets.join(services, secrets)


def test_text_of_another_program():
    """What it writes about its config is shown without the secrets of that."""
    config = {"password": "p$w", "plugin_opts": None, "method": "x"}
    assert _secrets.hidden("bad p$w in x, p$w", config) == "bad ******** in x, ********"
    server = {"servers": [{"password": "key", "users": [{"name": "ann", "password": "hers"}]}], "acl": "/x"}
    assert _secrets.hidden("key of ann: hers in /x", server) == "******** of ann: ******** in /x"
