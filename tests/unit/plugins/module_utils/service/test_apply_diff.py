# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diff of a plan: what a person may see of it, and no secret."""

from __future__ import annotations

import dataclasses
import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _deploy,
    _deployment,
    _diff,
    _exec_start,
    _observe,
    _owned,
    _service,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER, SERVER_SERVICE

WANTED = _observe.Wanted("server", [SERVER_SERVICE])
GONE = dataclasses.replace(WANTED, services=[], prune=True)
UNIT = "ss-server@main.service"

FILES = {
    "ours": _service.config_text({**SERVER_SERVICE, "plugin": "p", "plugin_opts": f"key={MARKER}"}),
    "blanks and a number": '{"server_port" : 8388, "password" : 4711471147, "method": "aes-256-gcm"}',
    "several ports": '{"port_password": {"8388": "' + MARKER + '}", "8389": "' + MARKER + '"}, "mode": "tcp_only"}',
    "one line": '{"password":"' + MARKER + '","key":"' + MARKER + '","timeout":60}',
    "quotes": '{"password": "a\\"' + MARKER + '", "timeout": 60}',
    "cut short": '{"timeout": 60, "password": "' + MARKER + " " + MARKER,
    "no JSON": 'password: "x"',
}


@pytest.mark.parametrize("before", FILES.values(), ids=FILES)
def test_diff_shows_no_secret(fake_host, before):
    """Whoever wrote the config that is replaced, and when it is removed too."""
    fake_host.put(f"{fake_host.config_dir}/ss-server-main.json", before, 0o640)
    _owned.store({UNIT: "main"})
    for wanted in (WANTED, GONE):
        seen = _observe.observe(wanted)
        shown = _diff.diff(_deployment.compare(wanted, seen), seen)
        assert MARKER not in str(shown)
        assert "4711471147" not in str(shown)
        assert any(one["before_header"].endswith("ss-server-main.json") for one in shown)


def test_diff_tells_a_new_password(fake_host):
    """Masked on both sides, it would look like no change."""
    _deploy.deploy(WANTED, check=False)
    wanted = dataclasses.replace(WANTED, services=[{**SERVER_SERVICE, "password": "other"}])
    seen = _observe.observe(wanted)
    config, services = _diff.diff(_deployment.compare(wanted, seen), seen)
    assert config["before"] + "(a masked value changes)\n" == config["after"]
    assert '"password": "********"' in config["after"]
    assert services["after"] == f"{UNIT}: reads a file that changes: it is restarted\n"


def test_diff_of_a_drop_in_shows_no_command(fake_host):
    """It repeats somebody's own command, which may hold a password."""
    _deploy.deploy(WANTED, check=False)
    own = f"[Service]\nExecStart=\nExecStart=/usr/bin/ss-server -p 8388 -k {MARKER}\n"
    fake_host.put(fake_host.unit_dir / f"{UNIT}.d/mine.conf", own)
    fake_host._systemctl("daemon-reload")
    _unit, below = _exec_start.read(UNIT)
    drop_in = fake_host.unit_dir / f"{UNIT}.d/zz-fastopen.conf"
    fake_host.put(drop_in, _exec_start.drop_in(below, "server"), below.mode)
    assert MARKER in drop_in.read_text()
    gone = GONE
    seen = _observe.observe(gone)
    shown = _diff.diff(_deployment.compare(gone, seen), seen)
    assert str(drop_in) in [one["before_header"] for one in shown]
    assert MARKER not in str(shown)


def test_diff_shows_nothing_of_somebody_else(fake_host):
    """Check mode names what is in the way; a command line or a config of any kind may hold a password."""
    fake_host.put(fake_host.unit_dir / "ss-server@.service", f"[Service]\nExecStart=/opt/ss-server -k {MARKER}\n")
    fake_host.put(f"{fake_host.config_dir}/ss-server-main.json", f'{{"users": {{"bob": "{MARKER}"}}}}', 0o640)
    seen = _observe.observe(WANTED)
    shown = _diff.diff(_deployment.compare(WANTED, seen), seen)
    before = {os.path.basename(one["before_header"]): one["before"] for one in shown}
    assert before["ss-server@.service"] == before["ss-server-main.json"] == _diff.NOT_SHOWN
    assert MARKER not in str([one["before"] for one in shown])


def test_diff_of_other_changes(fake_host):
    """Plain text line by line; attributes and services in words."""
    _deploy.deploy(WANTED, check=False)
    os.chmod(f"{fake_host.config_dir}/ss-server-main.json", 0o600)
    wanted = dataclasses.replace(WANTED, limit_nofile=99)
    seen = _observe.observe(wanted)
    unit, services = _diff.diff(_deployment.compare(wanted, seen), seen)
    assert "LimitNOFILE=65536" in unit["before"]
    assert "LimitNOFILE=99" in unit["after"]
    assert "is 0600" in services["after"]
    wanted = dataclasses.replace(WANTED)
    os.chmod(f"{fake_host.config_dir}/ss-server-main.json", 0o640)
    seen = _observe.observe(wanted)
    assert _diff.diff(_deployment.compare(wanted, seen), seen) == []
