# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill switch: at once, sticky, and honest about what it cannot do."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
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
    assert "(ops@desk): lift it with rollback -e rollback_scope=accept -e rollback_lift=true" in refused.reasons[0]
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
    assert (planned.differs, planned.diff) == (real.differs, real.diff)
    assert [(one["before"], one["after"]) for one in real.diff] == [
        ("net.ipv4.tcp_fastopen = 3\n", "net.ipv4.tcp_fastopen = 1\n"),  # at run time
        ("net.ipv4.tcp_fastopen = 3\n", ""),  # for the boot, whose default is 1
    ]


@pytest.mark.parametrize("state", ["stepped", "confirmed"])
@pytest.mark.parametrize("name", ["record.json", "lease.json"])
def test_damaged_files_of_ours(server, state, name):
    """0x2 goes off first, now and for the boot, and stays off; that something may be left is said, once."""
    server.ask("stepped", "server")
    if state == "confirmed":
        server.ask("confirmed", "server")
    folder = server.host.state_dir if name == "record.json" else server.host.run_dir
    server.host.put(folder / name, "{")
    result = server.ask("killed", "server", run="")
    assert (result.outcome, server.host.sysctl()) == ("failed", "1")
    assert server.boot() in (None, "1")  # without the record nobody knows what the line was before
    assert f"{name} is damaged" in result.reasons[0]
    assert _record.load().killed is not None
    server.ask("plain", "server", run="")
    assert server.ask("stepped", "server", run="run2").outcome == "refused"
    assert (server.flagged("server"), server.host.sysctl()) == (False, "1")


def test_kernel_that_cannot_be_set(server, monkeypatch):
    """Failed, but sticky, and off at the next boot."""

    def refuse(*_arguments):
        raise PermissionError(30, "Read-only file system")

    server.ask("present", "server")
    monkeypatch.setattr(_proc, "write_sysctl", refuse)
    result = server.ask("killed", "server", run="")
    assert (result.outcome, server.host.sysctl(), server.boot()) == ("failed", "3", None)
    assert "/proc/sys/net must be writable" in result.reasons[0]
    assert _record.load().killed is not None


def test_who_switched_first(server):
    """The second call neither changes by whom nor when; without a name it is the operator."""
    server.ask("killed", "server", run="", who="")
    first = _record.load().killed
    assert first["by"] == "operator"
    server.ask("killed", "server", run="", who="ops@desk")
    assert _record.load().killed == first


def test_lift_in_check_mode(server):
    """It stays on."""
    server.ask("killed", "server", run="")
    planned = server.ask("lifted", "server", run="", check=True)
    assert (planned.outcome, planned.changed, _record.load().killed is None) == ("planned", True, False)
