# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a host."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _deployment, _service
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE

WANTED = _deployment.Wanted("client", [CLIENT_SERVICE])
UNIT = "ss-local@main.service"
NOTHING = _deployment.Wanted("client", [])


@pytest.fixture
def deployed(fake_host):
    """A host brought to WANTED."""
    seen = _deployment.observe(WANTED)
    _apply.apply(_deployment.compare(WANTED, seen), WANTED, seen)
    return fake_host


def test_virgin(fake_host):
    """Nothing of ours, but the package's own server."""
    seen = _deployment.observe(WANTED)
    assert (seen.names, seen.gid) == (frozenset(), None)
    assert set(seen.files.values()) == {None}
    assert seen.units["shadowsocks-libev.service"].active
    assert seen.units[UNIT].load_state == "not-found"
    assert seen.processes[UNIT] is None
    assert fake_host.done == []


def test_deployed(deployed):
    """Found without an inventory too: by configs and by what starts at boot."""
    for wanted in (WANTED, NOTHING):
        seen = _deployment.observe(wanted)
        assert seen.gid == deployed.group
        assert seen.names == {("ss-local", "main")}
        assert seen.units[UNIT].active
        assert seen.processes[UNIT].argv[0] == "/usr/bin/ss-local"
        assert _service.config_path("ss-local", "main") in seen.files


def test_the_other_side_is_not_read(deployed):
    """A host may have both, and each is brought along by itself."""
    seen = _deployment.observe(_deployment.Wanted("server", []))
    assert seen.names == frozenset()
    assert not [path for path in seen.files if "ss-local" in path]


@pytest.mark.parametrize("left", ["config", "link"])
def test_half_removed_instance_is_managed(deployed, left):
    """A run killed half-way leaves one of both; it must not be forgotten."""
    if left == "link":
        (deployed.config_dir / "ss-local-main.json").unlink()
    else:
        (deployed.unit_dir / "multi-user.target.wants" / UNIT).unlink()
    assert _deployment.observe(NOTHING).names == {("ss-local", "main")}


def test_names_with_dashes_and_dots(deployed):
    """A name is what stands between the program and the suffix."""
    deployed.put(deployed.config_dir / "ss-redir-a-b.c.json", "{}")
    deployed.put(deployed.config_dir / "other.json", "{}")
    assert _deployment.managed_names("client") == {("ss-local", "main"), ("ss-redir", "a-b.c")}


def test_drop_in_of_the_stage_is_read_only_where_its_instance_goes(deployed):
    """While the instance stays it is nobody's business here."""
    paths = _service.fast_open_paths("ss-local", "main")
    assert paths == [f"{folder}/{UNIT}.d/zz-fastopen.conf" for folder in (deployed.unit_dir, deployed.run_unit_dir)]
    assert not set(paths) & set(_deployment.observe(WANTED).files)
    assert set(paths) <= set(_deployment.observe(NOTHING).files)
