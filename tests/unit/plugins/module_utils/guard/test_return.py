# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back, where somebody was faster than the guard: between what it has seen and the lock on the host."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _return
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _lock, _record

UNIT = "ss-local@main.service"


def take_off(stage, **change):
    """What a rollout had confirmed and the guard took off, and what is known of it."""
    stage.ask("present", "client", **change)
    entry = _record.load().units[UNIT]
    _down.down(_down.Descent("guard", "SYNs get lost", units=[UNIT], memory="add"), check=False)
    stage.host.done.clear()
    return entry


@pytest.mark.parametrize(
    ("undone", "is_intended"),
    [
        ({"by": "guard", "intended": "send"}, True),
        ({"by": "guard", "intended": "off"}, False),
        ({"by": "lease", "intended": "send"}, False),
        (None, False),
    ],
)
def test_what_may_come_back(undone, is_intended):
    """What a rollout had confirmed and the guard itself took off; nothing that anybody else did, or has forgotten."""
    record = _record.Record(undone={UNIT: {"side": "client", "when": "w", "why": "y", **undone}} if undone else {})
    assert _return.is_intended(record, UNIT) is is_intended


def test_rollback_meanwhile(client):
    """What an operator has decided stands."""
    entry = take_off(client)
    client.ask("plain", "client", run="")
    assert "somebody else has decided" in _return.come_back(UNIT, entry)
    assert (client.flagged("client"), client.host.sysctl()) == (False, "1")


def test_claim_meanwhile(client):
    """It is the run's to step on this host."""
    entry = take_off(client)
    client.ask("claimed", "client", run="run2")
    assert _return.come_back(UNIT, entry).startswith("claimed by run run2")
    assert (client.flagged("client"), client.lease()["run"]) == (False, "run2")


def test_change_meanwhile(client, monkeypatch):
    """Another call holds the host's lock: nothing is changed beside it."""
    monkeypatch.setattr(_lock, "SECONDS", 0.05)
    entry = take_off(client)
    with _lock.hold(), pytest.raises(_record.RecordError, match="is held"):
        _return.come_back(UNIT, entry)
    assert not client.flagged("client")


def test_unit_that_has_the_flag_itself_by_now(client):
    """Its owner's: said, and nothing of ours is put over it."""
    entry = take_off(client)
    template = client.host.unit_dir / "ss-local@.service"
    template.write_text(template.read_text().replace("/usr/bin/ss-local", "/usr/bin/ss-local --fast-open"))
    client.host._systemctl("daemon-reload")
    assert "has the flag by" in _return.come_back(UNIT, entry)
    assert (client.places("client"), client.lease()) == ([], {})


def test_line_stays_in_its_file(both):
    """A site keeps it in a file of its own name; one that comes back does not move it to ours."""
    file = "/etc/sysctl.d/98-site.conf"
    both.ask("present", "server", sysctl_file=file)
    entry = take_off(both, sysctl_file=file)
    assert _return.come_back(UNIT, entry) == ""
    line = json.loads((both.host.state_dir / "record.json").read_text())["line"]
    assert (both.flagged("client"), line["file"]) == (True, file)
