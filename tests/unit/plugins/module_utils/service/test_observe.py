# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a host."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _deployment,
    _observe,
    _owned,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE

WANTED = _observe.Wanted("client", [CLIENT_SERVICE])
UNIT = "ss-local@main.service"
NOTHING = _observe.Wanted("client", [])


@pytest.fixture
def deployed(fake_host):
    """A host brought to WANTED."""
    seen = _observe.observe(WANTED)
    _apply.apply(_deployment.compare(WANTED, seen), WANTED, seen)
    return fake_host


def test_virgin(fake_host):
    """Nothing of ours, but the package's own server."""
    seen = _observe.observe(WANTED)
    assert (seen.owned, seen.gid) == ({}, None)
    assert set(seen.files.values()) == {None}
    assert seen.packaged.unit.active and not seen.packaged.touched
    assert seen.units[UNIT].load_state == "not-found"
    assert seen.processes[UNIT] is None
    assert fake_host.done == []


def test_systemd_that_is_too_old(fake_host):
    """Whoever looks is told, before anything is compared or written."""
    fake_host.systemd = 246
    with pytest.raises(_systemd.SystemdError, match="needs 247 or later"):
        _observe.observe(WANTED)


def test_deployed(deployed):
    """Found without an inventory too: by the record."""
    for wanted in (WANTED, NOTHING):
        seen = _observe.observe(wanted)
        assert seen.gid == deployed.group
        assert seen.owned == {UNIT: "main"}
        assert seen.units[UNIT].active
        assert seen.processes[UNIT].argv[0] == "/usr/bin/ss-local"
        assert _service.config_path("ss-local", "main") in seen.files


def test_the_other_side_is_not_read(deployed):
    """A host may have both, and each is brought along by itself."""
    seen = _observe.observe(_observe.Wanted("server", []))
    assert UNIT not in seen.units
    assert not [path for path in seen.files if "ss-local" in path]


def test_what_others_put_beside_is_not_ours(deployed):
    """Neither a config nor an enabled instance makes a service ours: our record does."""
    deployed.put(deployed.config_dir / "ss-redir-a-b.c.json", "{}")
    (deployed.unit_dir / "multi-user.target.wants/ss-local@theirs.service").symlink_to("/nowhere")
    seen = _observe.observe(NOTHING)
    assert (seen.owned, seen.others) == ({UNIT: "main"}, {"ss-local@theirs.service"})
    assert "ss-local@theirs.service" not in seen.units


def test_running_instance_of_somebody_keeps_our_template(deployed):
    """Started by hand, and not for every boot: our last instance goes, and the unit that theirs runs from stays."""
    theirs = "ss-local@theirs.service"
    deployed._systemctl("start", theirs)
    wanted = dataclasses.replace(NOTHING, prune=True)
    seen = _observe.observe(wanted)
    assert (seen.others, theirs in seen.units) == ({theirs}, False)
    plan = _deployment.compare(wanted, seen)
    assert plan.stop == [UNIT]
    assert _service.unit_path("ss-local") not in plan.remove


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"units": []}', '{"units": {"a": 1}}', '{"units": {"a": ""}}', "\xff"]
)
def test_damaged_record(deployed, content):
    """Nothing is guessed; the message says what to do."""
    deployed.put(_owned.path(), content)
    with pytest.raises(_owned.OwnedError, match="is damaged: .* Restore it, or remove it"):
        _observe.observe(NOTHING)


def test_drop_in_of_the_stage_is_read_only_where_its_instance_goes(deployed):
    """While the instance stays it is nobody's business here."""
    paths = _observe.fast_open_paths(UNIT)
    assert paths == [f"{folder}/{UNIT}.d/zz-fastopen.conf" for folder in (deployed.unit_dir, deployed.run_unit_dir)]
    assert not set(paths) & set(_observe.observe(WANTED).files)
    assert set(paths) <= set(_observe.observe(NOTHING).files)
