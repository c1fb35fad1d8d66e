# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill switch: at once, sticky, and honest about what it cannot do."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record

UNIT = "ss-server@main.service"


def test_confirmed(server):
    """0x2 is off now and at boot, nothing restarts, and the second time nothing changes."""
    server.ask("present", "server")
    pids = dict(server.host.running)
    result = server.ask("killed", "server", run="")
    assert (result.outcome, result.changed) == ("killed", True)
    assert (server.host.sysctl(), server.boot(), server.host.running) == ("1", None, pids)
    again = server.ask("killed", "server", run="")
    assert (again.outcome, again.changed) == ("killed", False)


def test_plain(server):
    """Also where nothing of ours is: it stays off."""
    assert server.ask("killed", "server", run="").outcome == "killed"
    assert server.ask("stepped", "server").outcome == "refused"
    assert server.observe() == server.plain


def test_stepped(server):
    """What is not confirmed comes down with it."""
    server.ask("stepped", "server")
    assert server.ask("killed", "server", run="").outcome == "killed"
    assert server.observe() == server.plain


def test_sticky_until_lifted(server):
    """A step is refused by name, whatever it tries; lifting switches nothing on."""
    server.ask("present", "server")
    server.ask("killed", "server", run="", who="ops@desk")
    refused = server.ask("stepped", "server", retry=True)
    assert refused.outcome == "refused"
    assert "the kill switch is on since" in refused.reasons[0]
    assert "(ops@desk): lift it with -e rollback_scope=accept -e rollback_lift=true" in refused.reasons[0]
    lifted = server.ask("lifted", "server", run="")
    assert (lifted.outcome, lifted.changed, server.host.sysctl()) == ("lifted", True, "1")
    assert server.ask("lifted", "server", run="").changed is False
    assert server.ask("stepped", "server").outcome == "stepped"
    assert server.ask("confirmed", "server").outcome == "confirmed"
    assert (server.host.sysctl(), server.boot()) == ("3", "3")


def test_client_on_the_same_host(both):
    """It goes on to send, and may step."""
    both.ask("present", "server")
    both.ask("killed", "server", run="")
    assert both.ask("present", "client").outcome == "confirmed"
    assert both.ask("plain", "client", run="").outcome == "plain"
    assert both.host.sysctl() == "1"


@pytest.mark.parametrize(("name", "outcome"), [("10-vendor.conf", "killed"), ("zz-vendor.conf", "failed")])
def test_file_that_would_bring_it_back_at_boot(server, name, outcome):
    """One before ours is overruled; one after ours is named, and 0x2 is off until then all the same."""
    server.host.put(server.host.root / f"etc/sysctl.d/{name}", "net.ipv4.tcp_fastopen = 3\n")
    server.ask("present", "server")
    result = server.ask("killed", "server", run="")
    assert (result.outcome, server.host.sysctl()) == (outcome, "1")
    assert (server.boot(), f"/etc/sysctl.d/{name}" in str(result.reasons)) == (
        ("1", False) if outcome == "killed" else ("3", True)
    )
    assert _record.load().killed is not None


def test_it_cannot_be_kept(server, monkeypatch):
    """A full disk: off, and said that it will not last."""

    def full(_record_):
        raise OSError(28, "No space left on device")

    server.ask("present", "server")
    monkeypatch.setattr(_record, "store", full)
    result = server.ask("killed", "server", run="")
    assert (result.outcome, server.host.sysctl()) == ("failed", "1")
    assert "cannot be kept" in result.reasons[0]


def test_check_mode(server):
    """It tells what it would do."""
    server.ask("present", "server")
    before = server.observe()
    planned = server.ask("killed", "server", check=True, run="")
    assert (planned.outcome, server.observe()) == ("planned", before)
    real = server.ask("killed", "server", run="")
    assert planned.differs == real.differs
