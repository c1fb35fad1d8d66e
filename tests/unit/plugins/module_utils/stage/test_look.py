# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a side of a host in memory."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _host
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _down, _look, _request, _stage

SERVICE = {
    "program": "ss-server",
    "name": "main",
    "server": ["::", "0.0.0.0"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": "s3cret-marker",
    "mode": "tcp_only",
}
LOCAL = {
    **SERVICE,
    "program": "ss-local",
    "server": ["203.0.113.7"],
    "server_host": "ss1",
    "local_address": "127.0.0.1",
    "local_port": 1080,
}
SERVER = _request.Request(
    _host.Wanted("server", [SERVICE], fast_open=True), "shadowsocks-libev", {"accept": True, "send": True}
)
CLIENT = _request.Request(
    _host.Wanted("client", [LOCAL], fast_open=True), "shadowsocks-libev", {"send": True}, probe_url="http://origin/"
)
BOTH = pytest.mark.parametrize(("request_", "stage"), [(SERVER, "accept"), (CLIENT, "send")], ids=["server", "client"])


@pytest.fixture(autouse=True)
def probe(fake_host, monkeypatch):
    """The kernel's facts of the host in memory."""
    monkeypatch.setattr(_probe, "gather", lambda: {"sysctl": _tfo_bits.describe(int(fake_host.sysctl()))})


@BOTH
def test_virgin(fake_host, request_, stage):
    """Everything differs, nothing is done, nothing is changed."""
    fake_host.verdicts[8388] = "no_cookie"
    before = fake_host.tree()
    seen = _look.look(request_, probe_paths=True)
    assert seen["stage"] == {"intended": "off", "actual": "off", "confirmed": False, "snapshot": False}
    assert (seen["done"], seen["side"]) == (False, request_.wanted.side)
    assert {one["what"] for one in seen["differs"]} >= {"file", "service"}
    assert seen["package"] == {
        "name": "shadowsocks-libev",
        "version": "3.3.5+ds-10",
        "binary": f"/usr/bin/{request_.binary}",
        "knows_fast_open": True,
        "packaged_unit": "loaded",
    }
    assert (seen["services"][0]["state"], seen["services"][0]["enabled"]) == ("inactive", False)
    assert (fake_host.tree(), fake_host.done) == (before, [])
    assert "s3cret-marker" not in str(seen)


@BOTH
def test_done(fake_host, request_, stage):
    """Proven with the same arguments, nothing differs, the paths are good."""
    _stage.converge(request_, check=False)
    seen = _look.look(request_, probe_paths=True)
    assert seen["stage"] == {"intended": stage, "actual": stage, "confirmed": True, "snapshot": True}
    assert (seen["done"], seen["differs"], seen["reasons"]) == (True, [], [])
    unit = f"{request_.wanted.services[0]['program']}@main.service"
    assert seen["services"] == [{"unit": unit, "state": "active", "enabled": True, "restarts": 0, "fast_open": True}]
    assert seen["package"]["packaged_unit"] == "masked"


@pytest.mark.parametrize("how", ["drift", "path", "arguments", "unconfirmed"])
def test_not_done(fake_host, how):
    """Any of it brings the host back into the rollout."""
    request = CLIENT
    fake_host.answers = how != "unconfirmed"
    _stage.converge(request, check=False)
    if how == "drift":
        (fake_host.config_dir / "ss-local-main.json").chmod(0o600)
    elif how == "path":
        fake_host.verdicts[8388] = "syn_dropped"
    elif how == "arguments":
        request = dataclasses.replace(request, kernel={"send": True, "accept": False})
    seen = _look.look(request, probe_paths=True)
    assert seen["done"] is False
    assert bool(seen["differs"]) is (how == "drift")
    assert bool(seen["reasons"]) is (how == "path")
    assert seen["stage"]["confirmed"] is (how in ("drift", "path"))


@BOTH
def test_without_probing(fake_host, request_, stage):
    """No packet is sent."""
    fake_host.probed.clear()
    seen = _look.look(request_, probe_paths=False)
    assert (seen["paths"], seen["reasons"], fake_host.probed) == ([], [], [])


def test_clients_are_asked_about_their_servers(fake_host):
    """Where a path leads is part of the answer."""
    (path,) = _look.look(CLIENT, probe_paths=True)["paths"]
    assert (path["host"], path["port"], path["server_hosts"]) == ("203.0.113.7", 8388, ["ss1"])


@pytest.mark.parametrize(
    ("version", "help_text", "why"),
    [(None, "", "is not installed"), ("3.3.5", "no such option", "/usr/bin/ss-server has no --fast-open")],
)
def test_package_differs(fake_host, version, help_text, why):
    """It comes first, before files and services."""
    fake_host.version, fake_host.help = version, help_text
    assert _look.look(SERVER, probe_paths=False)["differs"][0] == {
        "what": "package",
        "name": "shadowsocks-libev",
        "why": why,
    }


def test_broken(fake_host):
    """Due to run with TFO, and the kernel may not send: it exits at its next connection."""
    _stage.converge(CLIENT, check=False)
    (fake_host.root / "proc/sys/net/ipv4/tcp_fastopen").write_text("2\n")
    assert _look.look(CLIENT, probe_paths=False)["stage"]["actual"] == "broken"


def test_kernel_without_fast_open(fake_host, monkeypatch):
    """Whoever put the flag there, such a service cannot connect."""
    _stage.converge(CLIENT, check=False)
    monkeypatch.setattr(_probe, "gather", lambda: {"sysctl": None})
    assert _look.look(CLIENT, probe_paths=False)["stage"]["actual"] == "broken"


def test_after_the_way_down(fake_host):
    """Plain again, and still with a snapshot to go back to."""
    _stage.converge(CLIENT, check=False)
    _down.plain(dataclasses.replace(CLIENT, wanted=_host.Wanted("client", []), kernel=None), check=False)
    assert _look.look(CLIENT, probe_paths=True)["stage"] == {
        "intended": "off",
        "actual": "off",
        "confirmed": False,
        "snapshot": True,
    }
