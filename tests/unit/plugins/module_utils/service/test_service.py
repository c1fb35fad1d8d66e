# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of configs and units."""

from __future__ import annotations

import configparser
import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _service
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, MARKER, SERVER_SERVICE

PATHS = {program: f"/usr/bin/{program}" for program in ("ss-server", "ss-local", "ss-redir", "ss-tunnel")}


@pytest.mark.parametrize(
    ("service", "shown"),
    [
        pytest.param(SERVER_SERVICE, {"server": ["::", "0.0.0.0"], "server_port": 8388}, id="server on every address"),
        pytest.param(
            {**SERVER_SERVICE, "server": ["203.0.113.7"]},
            {"server": "203.0.113.7"},
            id="one address is a string, not a list",
        ),
        pytest.param(
            CLIENT_SERVICE, {"server": "203.0.113.7", "local_address": "127.0.0.1", "local_port": 1080}, id="client"
        ),
        pytest.param({**SERVER_SERVICE, "mode": "udp_only"}, {"mode": "udp_only"}, id="mode"),
        pytest.param({**SERVER_SERVICE, "timeout_seconds": 60}, {"timeout": 60}, id="time-out"),
        pytest.param({**SERVER_SERVICE, "reuse_port": True}, {"reuse_port": True}, id="a worker shares its port"),
        pytest.param({**SERVER_SERVICE, "ipv6_first": True}, {"ipv6_first": True}, id="IPv6 before IPv4"),
        pytest.param(
            {**SERVER_SERVICE, "plugin": "obfs-server", "plugin_opts": "obfs=http"},
            {"plugin": "obfs-server", "plugin_opts": "obfs=http"},
            id="plugin",
        ),
        pytest.param({**SERVER_SERVICE, "nameserver": "9.9.9.9"}, {"nameserver": "9.9.9.9"}, id="nameserver"),
        pytest.param(
            {**CLIENT_SERVICE, "program": "ss-tunnel", "tunnel_address": "192.0.2.1:53"},
            {"tunnel_address": "192.0.2.1:53"},
            id="tunnel",
        ),
        pytest.param(
            {**SERVER_SERVICE, "acl": "[white_list]"},
            {"acl": "/etc/shadowsocks/ss-server-main.acl"},
            id="access list by path",
        ),
    ],
)
def test_config(service, shown):
    """The config says what the service says, in shadowsocks-libev's words."""
    config = json.loads(_service.config_text(service))
    assert {key: config[key] for key in shown} == shown
    assert (config["method"], config["password"]) == ("aes-256-gcm", MARKER)


def test_config_leaves_out_what_was_not_given():
    """Only known keys are written, and never fast_open: that is the stage's drop-in."""
    assert set(json.loads(_service.config_text(SERVER_SERVICE))) == {
        "server",
        "server_port",
        "method",
        "password",
        "mode",
        "timeout",
    }


def test_password_is_quoted_for_json():
    """Any password survives the way into the file."""
    password = 'quote " backslash \\ newline \n é'
    assert json.loads(_service.config_text({**SERVER_SERVICE, "password": password}))["password"] == password


def unit(text: str) -> configparser.RawConfigParser:
    """A unit file, keys that repeat joined by the last."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("program", ["ss-server", "ss-local", "ss-redir", "ss-tunnel"])
def test_unit(program):
    """Every key stands in the section that knows it; TCP Fast Open is not in it."""
    parsed = unit(_service.unit_text(program, 4096, f"/usr/bin/{program}"))
    assert (parsed["Unit"]["StartLimitIntervalSec"], parsed["Service"]["Restart"]) == ("0", "on-failure")
    assert parsed["Service"]["ExecStart"] == f"/usr/bin/{program} -c /etc/shadowsocks/%p-%i.json"
    assert parsed["Service"]["LimitNOFILE"] == "4096"
    assert parsed["Service"]["LimitCORE"] == "0"
    assert parsed["Service"]["Restart"] == "on-failure"
    assert parsed["Service"]["SupplementaryGroups"] == "shadowsocks"
    assert parsed["Install"]["WantedBy"] == "multi-user.target"


def test_only_ss_redir_may_administer_the_network():
    """It sets IP_TRANSPARENT; the others only bind low ports."""
    for program in ("ss-server", "ss-local", "ss-tunnel"):
        assert "CAP_NET_ADMIN" not in _service.unit_text(program, 1, f"/usr/bin/{program}", capable=True)
    assert (
        "CAP_NET_ADMIN"
        in unit(_service.unit_text("ss-redir", 1, "/usr/bin/ss-redir"))["Service"]["CapabilityBoundingSet"]
    )


REDIR = {**CLIENT_SERVICE, "program": "ss-redir"}


@pytest.mark.parametrize(
    ("service", "capabilities"),
    [
        (SERVER_SERVICE, ""),
        ({**SERVER_SERVICE, "server_port": 443}, "CAP_NET_BIND_SERVICE"),
        ({**SERVER_SERVICE, "mode": "tcp_and_udp"}, ""),
        (CLIENT_SERVICE, ""),
        ({**CLIENT_SERVICE, "server_port": 443}, ""),
        ({**CLIENT_SERVICE, "local_port": 53}, "CAP_NET_BIND_SERVICE"),
        (REDIR, ""),
        ({**REDIR, "local_port": 1023}, "CAP_NET_BIND_SERVICE CAP_NET_ADMIN"),
        ({**REDIR, "mode": "tcp_and_udp"}, "CAP_NET_BIND_SERVICE CAP_NET_ADMIN"),
        ({**REDIR, "mode": "udp_only"}, "CAP_NET_BIND_SERVICE CAP_NET_ADMIN"),
    ],
)
def test_capabilities_only_where_they_are_needed(service, capabilities):
    """One service that needs them is enough: the services of a program share its unit."""
    other = {**service, "name": "other", "server_port": 8389, "local_port": 1089, "mode": "tcp_only"}
    files = _service.files([other, service], 1, PATHS)
    section = unit(files[_service.unit_path(service["program"])].text)["Service"]
    assert section["AmbientCapabilities"] == capabilities
    assert set(capabilities.split()) <= set(section["CapabilityBoundingSet"].split())


def test_files():
    """One config a service, one unit a program, secrets for the group only."""
    services = [SERVER_SERVICE, {**SERVER_SERVICE, "name": "extra", "acl": "[white_list]\n\n"}]
    files = _service.files(services, 65536, PATHS)
    assert {path: (file.mode, file.group) for path, file in files.items()} == {
        "/etc/shadowsocks/ss-server-main.json": (0o640, "shadowsocks"),
        "/etc/shadowsocks/ss-server-extra.json": (0o640, "shadowsocks"),
        "/etc/shadowsocks/ss-server-extra.acl": (0o640, "shadowsocks"),
        "/etc/systemd/system/ss-server@.service": (0o644, ""),
        "/etc/systemd/system/ss-server@extra.service.d/acl.conf": (0o644, ""),
    }
    assert files["/etc/shadowsocks/ss-server-extra.acl"].text == "[white_list]\n"
    drop_in = unit(files["/etc/systemd/system/ss-server@extra.service.d/acl.conf"].text)
    assert drop_in["Service"]["ExecStartPre"] == "/usr/bin/test -r /etc/shadowsocks/ss-server-extra.acl"
    assert [path for path, file in files.items() if MARKER in file.text] == [
        path for path, file in files.items() if file.secret
    ]


def test_no_service_no_file():
    """A host without instances gets no unit."""
    assert _service.files([], 65536, PATHS) == {}
