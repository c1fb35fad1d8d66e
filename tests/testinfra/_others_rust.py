# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of shadowsocks-rust as its operator set it up by hand: upstream's units, a distribution's, and a guide's."""

from __future__ import annotations

from _others import METHOD, PASSWORD, SS1, SS2, Found, packaged_client

# xz is not on every host, Python's lzma is.
BINARIES = """
python3 - {folder} <<'END'
import io, sys, tarfile, urllib.request
packed = io.BytesIO(urllib.request.urlopen("http://10.203.0.5/rust.tar.xz").read())
tarfile.open(fileobj=packed).extractall(sys.argv[1])
END
systemctl disable --now shadowsocks-libev.service
mkdir -p /etc/shadowsocks-rust
"""


def template(name: str, command: str, more: str = "") -> str:
    """A unit for configs in /etc/shadowsocks-rust, as upstream's are."""
    return f"""
cat > /usr/lib/systemd/system/{name}@.service <<'END'
[Unit]
Description=Shadowsocks-rust Service for %I
After=network.target
[Service]
Type=simple
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
{more}
ExecStart={command} -c /etc/shadowsocks-rust/%i.json
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
"""


# The password in the environment, the config with comments and several ways to write it.
_SERVER = f"""
{BINARIES.format(folder="/usr/bin")}
{template("shadowsocks-rust-server", "/usr/bin/ssservice server --log-without-time", "EnvironmentFile=/etc/default/ss-rust")}
(umask 077; echo SS_PASSWORD={PASSWORD} > /etc/default/ss-rust)
cat > /etc/shadowsocks-rust/office.json <<'END'
{{
    // the office's own
    servers: [
        {{ address: "::", port: 8388, method: '{METHOD}', password: "${{SS_PASSWORD}}", mode: "tcp_and_udp", }},
    ],
    timeout: 0x12c,
}}
END
systemctl enable --now shadowsocks-rust-server@office.service
"""

_GUIDES_SERVER = f"""
{BINARIES.format(folder="/usr/local/bin")}
cat > /etc/systemd/system/ssserver.service <<'END'
[Unit]
Description=Shadowsocks-rust Server
[Install]
WantedBy=multi-user.target
[Service]
ExecStart=/usr/local/bin/ssserver -U -s 0.0.0.0:8388 -m {METHOD} -k {PASSWORD}
Restart=always
END
systemctl daemon-reload
systemctl enable --now ssserver.service
"""


def _client(unit: str, command: str, config: str) -> str:
    return f"""
{BINARIES.format(folder="/usr/bin")}
{template(unit, command)}
cat > /etc/shadowsocks-rust/out.json <<'END'
{config}
END
systemctl enable --now {unit}@out.service
"""


_LISTS = f"""{{
    "servers": [
        {{"server": "{SS1}", "server_port": 8388, "password": "{PASSWORD}", "method": "{METHOD}"}},
        {{"server": "192.0.2.1", "server_port": 8388, "password": "x", "method": "{METHOD}", "disabled": true}}
    ],
    "locals": [
        {{"local_address": "127.0.0.1", "local_port": 1080, "protocol": "socks"}},
        {{"local_port": 1082, "protocol": "tunnel", "forward_address": "10.203.2.5", "forward_port": 80}}
    ]
}}"""
_FLAT = f"""{{
    "server": "{SS2}", "server_port": 8388, "password": "{PASSWORD}", "method": "{METHOD}",
    "local_address": "127.0.0.1", "local_port": 1080
}}"""

_GUIDES_CLIENT = f"""
{BINARIES.format(folder="/usr/local/bin")}
cat > /etc/systemd/system/sslocal.service <<'END'
[Service]
User=nobody
ExecStart=/usr/local/bin/sslocal -b 127.0.0.1:1080 -s {SS1}:8388 -m {METHOD} -k {PASSWORD}
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now sslocal.service
"""

FLEETS: dict[str, dict[str, Found]] = {
    "rust": {
        "ss1": Found(_SERVER, ["shadowsocks-rust-server@office.service"], flag=False),
        "ss2": Found(_GUIDES_SERVER, ["ssserver.service"], flag=False),
        # In one distribution this template is the client.
        "c1": Found(_client("shadowsocks-rust", "/usr/bin/sslocal", _LISTS), ["shadowsocks-rust@out.service"], ["ss1"]),
        "c2": Found(
            _client("shadowsocks-rust-local", "/usr/bin/ssservice local", _FLAT),
            ["shadowsocks-rust-local@out.service"],
            ["ss2"],
        ),
        "c3": Found(_GUIDES_CLIENT, ["sslocal.service"], ["ss1"]),
        "c4": Found(packaged_client(SS2), ["shadowsocks-libev-local@tun.service"], ["ss2"]),
    }
}
