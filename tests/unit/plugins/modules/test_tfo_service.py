# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around a deployment: its answer, check and diff mode, its failures."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deploy, _observe
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_service
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_SERVICE,
    MARKER,
    SERVER_SERVICE,
)

SERVICES = {"server": SERVER_SERVICE, "client": CLIENT_SERVICE}
UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


@pytest.mark.parametrize("side", SERVICES)
def test_deployed_and_removed(fake_host, run_module, side):
    """Each run says what was not as wanted, and a second one finds nothing; TCP Fast Open is not its business."""
    answers = [
        run_module(tfo_service.main, side=side, services=[SERVICES[side]]),
        run_module(tfo_service.main, side=side, services=[SERVICES[side]]),
    ]
    assert UNITS[side] in fake_host.running
    assert (fake_host.sysctl(), fake_host.probed) == ("1", [])
    answers += [run_module(tfo_service.main, side=side, prune=True) for _run in range(2)]
    assert UNITS[side] not in fake_host.running
    assert not fake_host.config_dir.exists()
    assert [answer["changed"] for answer in answers] == [True, False, True, False]
    assert [bool(answer["differs"]) for answer in answers] == [True, False, True, False]
    documented = set(yaml.safe_load(tfo_service.RETURN))
    for answer in answers:
        assert set(answer) - {"changed", "diff", "invocation"} == documented
        assert MARKER not in str(answer)


@pytest.mark.parametrize("change", [{"services": [{**SERVER_SERVICE, "timeout_seconds": 60}]}, {"absent": ["main"]}])
def test_check_mode(fake_host, run_module, change):
    """It changes nothing, and says and shows what the real run then says and shows."""
    run_module(tfo_service.main, side="server", services=[SERVER_SERVICE])
    before, fake_host.done = fake_host.tree(), []
    planned = run_module(tfo_service.main, check=True, side="server", **change)
    assert (fake_host.tree(), fake_host.done) == (before, [])
    done = run_module(tfo_service.main, side="server", **change)
    assert planned["changed"] is True
    assert [planned[key] for key in ("differs", "diff", "steps")] == [done[key] for key in ("differs", "diff", "steps")]
    assert any("restarted" in step or "stopped" in step for step in planned["steps"])
    assert fake_host.tree() != before


def test_limit_of_files(fake_host, run_module):
    """The one option that is not an instance's."""
    run_module(tfo_service.main, side="server", services=[SERVER_SERVICE], limit_nofile=99)
    assert "LimitNOFILE=99\n" in (fake_host.unit_dir / "ss-server@.service").read_text()


def test_before_restart_is_not_for_check_mode(fake_host):
    """The hook writes."""
    calls = []
    wanted = _observe.Wanted("server", [SERVER_SERVICE])
    for check in (True, False):
        _deploy.deploy(wanted, check, lambda: calls.append(fake_host.tree()))
    assert len(calls) == 1


def test_service_that_does_not_come_up(fake_host, run_module):
    """A message with the journal's last words, and no password."""
    fake_host.broken.add(UNITS["server"])
    answer = run_module(tfo_service.main, side="server", services=[SERVER_SERVICE])
    assert (answer["failed"], answer["msg"]) == (
        True,
        f"{UNITS['server']} does not come up: ERROR: the last words; files are put back, and what ran before runs again",
    )
    assert MARKER not in str(answer)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": "both"}, "value of side must be one of: server, client"),
        ({"side": "server", "services": [{"name": "main"}]}, "missing required arguments"),
        ({"side": "server", "fast_open": True}, "Unsupported parameters"),
        ({"side": "server", "secrets": "W3t9XQ=="}, "services and secrets are filled in on the controller"),
    ],
)
def test_bad_arguments(fake_host, run_module, arguments, message):
    """Refused by the argument spec, before any service is touched."""
    before = fake_host.tree()
    answer = run_module(tfo_service.main, **arguments)
    assert answer["failed"] is True
    assert message in answer["msg"]
    assert (fake_host.tree(), fake_host.done) == (before, [])
