# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services are restarted and waited for, and of those that do not come up the operator learns what may be told."""

from __future__ import annotations

import itertools
import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _owned, _process, _restart

OURS, THEIRS = "ss-server@main.service", "office.service"


@pytest.fixture
def units(fake_host):
    """One unit of ours, one of somebody else."""
    for unit in (OURS, THEIRS):
        fake_host.put(fake_host.lib_unit_dir / unit, "[Service]\nExecStart=/usr/bin/ss-server -c /nowhere\n")
        fake_host._systemctl("start", unit)
    _owned.store({OURS: "main"})
    fake_host.put(fake_host.config_dir / "ss-server-main.json", '{"password": "ERROR"}')
    return fake_host


def test_words_of_a_service_that_dies(units):
    """Ours are shown without its secrets; whatever somebody else's wrote may be one."""
    units.broken = {OURS, THEIRS}
    assert _restart.restart({OURS: None, THEIRS: None}) == [
        f"{THEIRS} does not come up: journalctl --unit {THEIRS} on that host tells why",
        f"{OURS} does not come up: ********: the last words",
    ]


def test_service_that_may_not_make_its_namespace(units):
    """systemd says so by its exit status, whosever service it is; its own last words are of an earlier start."""
    units.broken = {OURS, THEIRS}
    units.told = {unit: {"ExecMainStatus": "226"} for unit in (OURS, THEIRS)}
    for words in _restart.restart({OURS: None, THEIRS: None}):
        assert "does not come up: 226/NAMESPACE: " in words and "allow nesting" in words


def test_words_where_the_record_is_damaged(units):
    """Then nothing tells whose it is."""
    units.put(_owned.path(), "{")
    units.broken = {OURS}
    assert "the last words" not in _restart.restart({OURS: None})[0]


@pytest.mark.parametrize(("sub_state", "reasons"), [("running", 0), ("start-pre", 0), ("auto-restart", 1), ("dead", 1)])
def test_slow_start(units, monkeypatch, sub_state, reasons):
    """One that still starts is waited for; one that has died is not."""
    asked = itertools.count()
    monkeypatch.setattr(_restart, "SLOW_START_SECONDS", 5.0)
    monkeypatch.setattr(_restart, "START_SECONDS", 0.0)
    monkeypatch.setattr(_process, "listening", lambda port: next(asked) > 1)
    units.told[THEIRS] = {"SubState": sub_state}
    shown = units._show

    def show(unit, properties):
        if next(asked) > 1:
            units.told.pop(THEIRS, None)
        return shown(unit, properties)

    monkeypatch.setattr(units, "_show", show)
    assert len(_restart.restart({THEIRS: 443})) == reasons


def test_never_listens(units):
    """A limit stands behind everything."""
    assert len(_restart.restart({THEIRS: 443})) == 1


WORKERS = [f"ss-server@main-{number}.service" for number in (1, 2, 3)]


@pytest.fixture
def workers(fake_host):
    """Three that listen on one port, and what is said of each restart: how many listen there then."""
    for unit in WORKERS:
        config = fake_host.config_dir / f"{unit[len('ss-server@'):-len('.service')]}.json"
        fake_host.put(config, json.dumps({"server_port": 8388}))
        fake_host.put(fake_host.unit_dir / unit, f"[Service]\nExecStart=/usr/bin/ss-server -c {config}\n")
        fake_host._systemctl("start", unit)
    fake_host.done.clear()
    return fake_host


def restarts(host):
    """The restarts in their order."""
    return [words for words in host.done if words.startswith("restart")]


def test_units_that_share_a_port_take_turns(workers):
    """So that something listens there all the time; all others go with the first."""
    workers.put(workers.lib_unit_dir / THEIRS, "[Service]\nExecStart=/usr/bin/ss-server -c /nowhere\n")
    assert _restart.restart({THEIRS: None, **{unit: 8388 for unit in WORKERS}}) == []
    assert restarts(workers) == [f"restart {THEIRS} {WORKERS[0]}", f"restart {WORKERS[1]}", f"restart {WORKERS[2]}"]


@pytest.mark.parametrize(("go_on", "restarted"), [(False, 2), (True, 3)])
def test_one_that_does_not_come_up_is_the_last(workers, monkeypatch, go_on, restarted):
    """That another one listens on its port proves nothing of it; on the way down everyone has its turn."""
    listeners, known = workers.listeners, workers.running[WORKERS[1]]
    monkeypatch.setattr(
        _process,
        "listeners",
        lambda port: listeners(port) - {workers.running[WORKERS[1]]} | {known},  # it runs, and is deaf
    )
    (reason,) = _restart.restart({unit: 8388 for unit in WORKERS}, go_on=go_on)
    assert reason.startswith(f"{WORKERS[1]} does not come up")
    assert len(restarts(workers)) == restarted
