# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package's own server between a mask and somebody's service."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _deploy,
    _observe,
    _packaged,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import SERVER_SERVICE

WANTED = _observe.Wanted("server", [SERVER_SERVICE])


def mask(host):
    """The mask is there, but systemd has not been told yet."""
    (host.unit_dir / _packaged.UNIT).symlink_to(os.devnull)
    host.told[_packaged.UNIT] = {"LoadState": "loaded", "FragmentPath": f"{host.lib_unit_dir}/{_packaged.UNIT}"}


def test_mask_that_systemd_has_not_read(fake_host):
    """An installation was killed in between: the next run masks and stops the server, and takes it for nobody's."""
    mask(fake_host)
    assert _packaged.UNIT in fake_host.running
    seen = _observe.observe(WANTED)
    assert (seen.packaged.touched, seen.packaged.masked) == ("", True)
    assert _deploy.deploy(WANTED, check=True).refused == []
    _deploy.deploy(WANTED, check=False)
    assert f"mask --now {_packaged.UNIT}" in fake_host.done
    assert _packaged.UNIT not in fake_host.running


def test_mask_that_was_there_stays(fake_host):
    """It is not for us to take away."""
    mask(fake_host)
    fake_host.broken.add("ss-server@main.service")
    with pytest.raises(_apply.ApplyError):
        _deploy.deploy(WANTED, check=False)
    assert os.readlink(fake_host.unit_dir / _packaged.UNIT) == os.devnull


def test_unit_that_came_in_place_of_the_mask(fake_host):
    """Also where systemd still takes it for masked."""
    fake_host.put(fake_host.unit_dir / _packaged.UNIT, "[Service]\nExecStart=/opt/mine\n")
    fake_host.told[_packaged.UNIT] = {"LoadState": "masked"}
    assert "is a unit of somebody else" in _observe.observe(WANTED).packaged.touched


def test_drop_in_for_every_service(fake_host):
    """A container's manager puts it there for all, so it makes the package's server nobody's."""
    fake_host.told[_packaged.UNIT] = {"DropInPaths": "/run/systemd/system/service.d/zzz-lxc-service.conf"}
    assert _observe.observe(WANTED).packaged.touched == ""
    assert _deploy.deploy(WANTED, check=True).refused == []
