# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from a host."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _host, _service

SERVICE = {
    "program": "ss-local",
    "name": "main",
    "server": ["203.0.113.7"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": "s3cret",
    "mode": "tcp_only",
    "local_address": "127.0.0.1",
    "local_port": 1080,
}
WANTED = _host.Wanted("client", [SERVICE], fast_open=True)
UNIT = "ss-local@main.service"
NOTHING = _host.Wanted("client", [])


@pytest.fixture
def deployed(fake_host):
    """A host brought to WANTED."""
    seen = _host.observe(WANTED)
    _apply.apply(_host.compare(WANTED, seen), WANTED, seen)
    return fake_host


def test_virgin(fake_host):
    """Nothing of ours, but the package's own server."""
    seen = _host.observe(WANTED)
    assert (seen.fast_open, seen.deployed, seen.names, seen.gid) == (False, False, frozenset(), None)
    assert set(seen.files.values()) == {None}
    assert seen.units["shadowsocks-libev.service"].active
    assert seen.units[UNIT].load_state == "not-found"
    assert seen.processes[UNIT] is None
    assert fake_host.done == []


def test_deployed(deployed):
    """Found without an inventory too: by configs and by what starts at boot."""
    for wanted in (WANTED, NOTHING):
        seen = _host.observe(wanted)
        assert (seen.fast_open, seen.deployed, seen.gid) == (True, True, deployed.group)
        assert seen.names == {("ss-local", "main")}
        assert seen.units[UNIT].active
        assert "--fast-open" in seen.processes[UNIT].argv
        assert _service.config_path("ss-local", "main") in seen.files


def test_the_other_side_is_not_read(deployed):
    """A host may have both, and each is brought along by itself."""
    seen = _host.observe(_host.Wanted("server", []))
    assert (seen.fast_open, seen.deployed, seen.names) == (False, False, frozenset())
    assert not [path for path in seen.files if "ss-local" in path]


@pytest.mark.parametrize("left", ["config", "link"])
def test_half_removed_instance_is_managed(deployed, left):
    """A run killed half-way leaves one of both; it must not be forgotten."""
    if left == "link":
        (deployed.config_dir / "ss-local-main.json").unlink()
    else:
        (deployed.unit_dir / "multi-user.target.wants" / UNIT).unlink()
    assert _host.observe(NOTHING).names == {("ss-local", "main")}


def test_names_with_dashes_and_dots(deployed):
    """A name is what stands between the program and the suffix."""
    deployed.put(deployed.config_dir / "ss-redir-a-b.c.json", "{}")
    deployed.put(deployed.config_dir / "other.json", "{}")
    assert _host.managed_names("client") == {("ss-local", "main"), ("ss-redir", "a-b.c")}


def test_running_services(deployed):
    """Read from the configs: enough to restart each and to ask it, and no secret."""
    assert _host.running_services("client", _host.observe(NOTHING)) == [
        {key: value for key, value in SERVICE.items() if key not in ("method", "password")}
    ]
    deployed._systemctl("disable", "--now", UNIT)
    assert _host.running_services("client", _host.observe(NOTHING)) == []
