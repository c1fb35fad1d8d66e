# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's parameters as a request."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _request

PARAMS = {
    "side": "server",
    "services": None,
    "fast_open": True,
    "fast_open_mode": "flag",
    "limit_nofile": 65536,
    "package": "shadowsocks-libev",
    "kernel": {"accept": True, "send": True},
    "sysctl_file": "/etc/sysctl.d/99-tfo.conf",
    "probe_url": "",
}


@pytest.mark.parametrize(
    ("change", "flag", "kernel"),
    [
        pytest.param({}, True, {"accept": True, "send": True}, id="flag"),
        pytest.param(
            {"fast_open_mode": "listener"}, False, {"accept": True, "send": True, "all_listeners": True}, id="listener"
        ),
        pytest.param(
            {"fast_open_mode": "listener", "fast_open": False},
            False,
            {"accept": True, "send": True},
            id="listener, going down",
        ),
        pytest.param({"fast_open_mode": "listener", "kernel": None}, False, None, id="listener without the kernel"),
        pytest.param(
            {"fast_open_mode": "listener", "side": "client"},
            True,
            {"accept": True, "send": True},
            id="clients have no listener mode",
        ),
    ],
)
def test_fast_open_mode(change, flag, kernel):
    """In listener mode 0x400 takes the place of the flag."""
    request = _request.build({**PARAMS, **change})
    assert (request.wanted.flag, request.kernel) == (flag, kernel)


@pytest.mark.parametrize(("side", "binary"), [("server", "ss-server"), ("client", "ss-local")])
def test_binary(side, binary):
    """ss-tunnel knows the option without naming it in its help, so it is never asked."""
    assert _request.build({**PARAMS, "side": side}).binary == binary


def test_fingerprint_covers_the_kernel():
    """A stage is confirmed for these settings only; what is probed with is no part of it."""
    one = _request.build(PARAMS)
    assert one.fingerprint == _request.build({**PARAMS, "probe_url": "http://origin/"}).fingerprint
    for change in ({"kernel": {"accept": True}}, {"sysctl_file": "/etc/sysctl.d/50-x.conf"}, {"fast_open": None}):
        assert one.fingerprint != _request.build({**PARAMS, **change}).fingerprint
