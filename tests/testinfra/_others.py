# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as its operator set it up by hand, with Debian's packages and what guides say: no word of this collection.

python _others.py           bring the first of them up on fresh hosts with the package
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import _hosts

PASSWORD = "foreign-s3cret-marker"
METHOD = "chacha20-ietf-poly1305"

_PACKAGED_SERVER = f"""
cat > /etc/shadowsocks-libev/config.json <<'END'
{{
    "server":["::", "0.0.0.0"],
    "mode":"tcp_and_udp",
    "server_port":8388,
    "local_port":1080,
    "password":"{PASSWORD}",
    "timeout":86400,
    "method":"{METHOD}"
}}
END
systemctl restart shadowsocks-libev.service
"""

# As in popular guides: the password in the arguments, the binary from source, [Install] before [Service].
_GUIDES_SERVER = f"""
systemctl disable --now shadowsocks-libev.service
cp /usr/bin/ss-server /usr/local/bin/ss-server
cat > /etc/systemd/system/ss-server.service <<'END'
[Unit]
Description=Shadowsocks Server
After=network.target
[Install]
WantedBy=multi-user.target
[Service]
ExecStart=/usr/local/bin/ss-server -s ::0 -s 0.0.0.0 -p 8388 -k {PASSWORD} -m {METHOD} -t 300 -u
Restart=on-abort
LimitNOFILE=51200
END
systemctl daemon-reload
systemctl enable --now ss-server.service
"""


_OFFICE_TOO = f"""
cat > /etc/shadowsocks-libev/office.json <<'END'
{{"server": "0.0.0.0", "server_port": 8389, "password": "{PASSWORD}", "method": "{METHOD}", "mode": "tcp_and_udp"}}
END
systemctl enable --now shadowsocks-libev-server@office.service
"""

_OVERRIDE = """
mkdir -p /etc/systemd/system/shadowsocks-libev-local@tun.service.d
cat > /etc/systemd/system/shadowsocks-libev-local@tun.service.d/override.conf <<'END'
[Service]
ExecStart=
ExecStart=/usr/bin/ss-local -v -c /etc/shadowsocks-libev/%i.json
Restart=always
END
systemctl daemon-reload
"""


def packaged_client(*servers: str, kind: str = "local", name: str = "tun", port: int = 1080, more: str = "") -> str:
    """An instance of one of the package's templates."""
    config = f'"server_port": 8388, "local_address": "127.0.0.1", "local_port": {port}, "timeout": 60{more}'
    secret = f'"password": "{PASSWORD}", "method": "{METHOD}"'
    return f"""
systemctl disable --now shadowsocks-libev.service
cat > /etc/shadowsocks-libev/{name}.json <<'END'
{{"server": {json.dumps(list(servers))}, {config}, {secret}}}
END
systemctl enable --now shadowsocks-libev-{kind}@{name}.service
"""


def _guides_client(server: str) -> str:
    """A unit of its own, known by an alias, with the program's name alone and all in its arguments."""
    return f"""
systemctl disable --now shadowsocks-libev.service
cat > /etc/systemd/system/tunnel-out.service <<'END'
[Unit]
Description=Shadowsocks Client
After=network.target
[Service]
User=nobody
ExecStart=ss-local -s {server} -p 8388 -b 127.0.0.1 -l 1080 -k {PASSWORD} -m {METHOD}
[Install]
WantedBy=multi-user.target
Alias=shadowsocks.service
END
systemctl daemon-reload
systemctl enable --now tunnel-out.service
"""


SS1, SS2 = "10.203.2.11", "10.203.2.12"
_TUNNEL = {"kind": "tunnel", "name": "web", "port": 1082, "more": ', "tunnel_address": "10.203.2.5:80"'}
_REDIR = {"kind": "redir", "name": "gw", "port": 1083}


class Found(NamedTuple):
    """How a host was set up, the units that run there then, the main one first, and the servers that clients use.

    ``flag``: a rollout gives them the flag; else they are servers in listener mode."""

    script: str
    units: list[str]
    servers: list[str] = []
    flag: bool = True


_LOCAL = "shadowsocks-libev-local@tun.service"
FLEETS: dict[str, dict[str, Found]] = {
    "bookworm's servers packaged": {
        "ss1": Found(_PACKAGED_SERVER, ["shadowsocks-libev.service"]),
        "ss2": Found(_GUIDES_SERVER, ["ss-server.service"]),
        "c1": Found(
            packaged_client(SS1) + packaged_client(SS1, **_TUNNEL),
            [_LOCAL, "shadowsocks-libev-tunnel@web.service"],
            ["ss1"],
        ),
        "c2": Found(_OVERRIDE + packaged_client(SS2), [_LOCAL], ["ss2"]),
        "c3": Found(_guides_client(SS1), ["tunnel-out.service"], ["ss1"]),
        "c4": Found(
            packaged_client(SS1, SS2) + packaged_client(SS2, **_REDIR),
            [_LOCAL, "shadowsocks-libev-redir@gw.service"],
            ["ss1", "ss2"],
        ),
    },
    "trixie's servers packaged": {
        "ss1": Found(_GUIDES_SERVER, ["ss-server.service"]),
        "ss2": Found(
            _PACKAGED_SERVER + _OFFICE_TOO, ["shadowsocks-libev.service", "shadowsocks-libev-server@office.service"]
        ),
        "c1": Found(_OVERRIDE + packaged_client(SS1), [_LOCAL], ["ss1"]),
        "c2": Found(
            packaged_client(SS2) + packaged_client(SS2, **_TUNNEL),
            [_LOCAL, "shadowsocks-libev-tunnel@web.service"],
            ["ss2"],
        ),
        "c3": Found(
            packaged_client(SS1, SS2) + packaged_client(SS1, **_REDIR),
            [_LOCAL, "shadowsocks-libev-redir@gw.service"],
            ["ss1", "ss2"],
        ),
        "c4": Found(_guides_client(SS2), ["tunnel-out.service"], ["ss2"]),
    },
}
FIRST = FLEETS["bookworm's servers packaged"]


def bring_up(fleet: Mapping[str, Found]) -> None:
    """Start the services; the hosts are fresh."""
    for name, found in fleet.items():
        _hosts.host(name).check_output("sh -ec %s", found.script)


if __name__ == "__main__":
    bring_up(FIRST)
