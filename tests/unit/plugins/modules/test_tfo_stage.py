# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around a stage: its states, its answer, its failures."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_stage

pytestmark = pytest.mark.usefixtures("fake_host")
MARKER = "s3cret-marker"
SERVICE = {
    "program": "ss-local",
    "name": "main",
    "server": ["203.0.113.7"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": MARKER,
    "local_address": "127.0.0.1",
    "local_port": 1080,
}
UP = {
    "side": "client",
    "services": [SERVICE],
    "fast_open": True,
    "kernel": {"send": True, "accept": True},
    "probe_url": "http://origin/",
}


def test_all_the_way(fake_host, run_module):
    """Snapshot, up, up again, plain, restored: each says whether it changed something, and leaves no trace."""
    before = fake_host.tree()
    answers = [
        run_module(tfo_stage.main, side="client", state="snapshot"),
        run_module(tfo_stage.main, **UP),
        run_module(tfo_stage.main, **UP),
        run_module(tfo_stage.main, side="client", state="plain", probe_url="http://origin/"),
        run_module(tfo_stage.main, side="client", state="restored"),
    ]
    assert [answer["changed"] for answer in answers] == [True, True, False, True, True]
    assert [answer["outcome"] for answer in answers] == ["kept", "proven", "proven", "proven", "kept"]
    assert fake_host.tree() == before
    documented = set(yaml.safe_load(tfo_stage.RETURN))
    for answer in answers:
        assert set(answer) - {"changed", "diff", "invocation"} == documented
        assert MARKER not in str(answer)


@pytest.mark.parametrize("state", ["present", "snapshot", "plain", "restored"])
def test_check_mode(fake_host, run_module, state):
    """No state changes anything."""
    if state in ("plain", "restored"):
        run_module(tfo_stage.main, **UP)
    before, fake_host.done = fake_host.tree(), []
    arguments = UP if state == "present" else {"side": "client"}
    assert run_module(tfo_stage.main, check=True, state=state, **arguments)["changed"] is True
    assert (fake_host.tree(), fake_host.done) == (before, [])


def test_confirmed_later(run_module):
    """Two tasks, the judgement between them."""
    assert run_module(tfo_stage.main, confirm=False, **UP)["outcome"] == "proven"
    assert _record.read_stage("client")["confirmed"] is False
    run_module(tfo_stage.main, side="client", state="confirmed")
    assert _record.read_stage("client")["confirmed"] is True


def test_planned_servers(fake_host, run_module):
    """In check mode the client of a server that this run brings along is planned, not left."""
    fake_host.verdicts[8388] = "no_cookie"
    arguments = {**UP, "services": [{**SERVICE, "server_host": "ss1"}]}
    assert run_module(tfo_stage.main, check=True, **arguments)["outcome"] == "left"
    assert run_module(tfo_stage.main, check=True, planned_servers=["ss1"], **arguments)["outcome"] == "planned"


def test_service_that_does_not_come_up(fake_host, run_module):
    """A message with the journal's last words, and no password."""
    fake_host.broken.add("ss-local@main.service")
    answer = run_module(tfo_stage.main, **UP)
    assert answer["failed"] is True
    assert answer["msg"] == "ss-local@main.service does not come up: ERROR: the last words"
    assert MARKER not in str(answer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({**UP, "probe_url": "https://origin/"}, "must be http://"),
        ({**UP, "kernel": {"send": True, "all_listeners": True}}, "all_listeners"),
        ({**UP, "kernel": {"send": True, "somaxconn": 0}}, "somaxconn is 0"),
        ({**UP, "state": "off"}, "value of state must be one of"),
    ],
)
def test_bad_arguments(fake_host, run_module, arguments, message):
    """Said as a message that names the argument, before any service is touched."""
    before = fake_host.tree()
    answer = run_module(tfo_stage.main, **arguments)
    assert answer["failed"] is True
    assert message in answer["msg"]
    assert (fake_host.tree(), fake_host.done) == (before, [])
