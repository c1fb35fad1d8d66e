# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look of the guard while somebody else is at work on the host: its attempts are made outside of the lock."""

from __future__ import annotations

import time

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _attempts, _run, _state
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Pair
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lock, _record

LOST = Pair(0.0, False, True)


def look(monkeypatch, meanwhile=lambda: None):
    """A suspicion over a path that loses SYNs with data, and what the guard says of it."""
    said = []

    def pairs(_target, count, _client=None):
        meanwhile()
        return "198.51.100.2", [LOST._replace(at=time.time())] * count

    monkeypatch.setattr(_attempts, "pairs", pairs)
    assert _run.run(_run.Asked("suspicion"), said.append) == 0
    return said


def test_rollback_between_proof_and_way_down(client, monkeypatch):
    """It is plain by the operator's word: the guard restarts nothing, counts no revert, and has nothing to bring back."""
    client.ask("present", "client")

    def rollback():
        client.ask("plain", "client", run="")
        client.host.done.clear()

    assert "plain, and proven so" not in str(look(monkeypatch, rollback))
    assert [line for line in client.host.done if line.startswith("restart ")] == []
    machine = _state.load().machine
    assert (machine.taken, machine.reverts, _record.load().undone) == ({}, 0, {})


def test_lock_that_is_not_to_be_had(client, monkeypatch):
    """A call hangs in the middle of its work, say: SYNs get lost meanwhile, so the guard acts, and says so."""
    monkeypatch.setattr(_lock, "SECONDS", 0.05)
    client.ask("present", "client")
    with _lock.hold():
        said = look(monkeypatch)
    assert any(line.startswith("going on without the lock: ") for line in said)
    assert (client.flagged("client"), client.host.sysctl()) == (False, "1")
