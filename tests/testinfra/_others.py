# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as its operator set it up by hand, with Debian's packages and what guides say: no word of this collection.

python _others.py           bring the services up on fresh hosts with the package
"""

from __future__ import annotations

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


def _packaged_client(servers: str, more: str = "") -> str:
    return f"""
systemctl disable --now shadowsocks-libev.service
cat > /etc/shadowsocks-libev/tun.json <<'END'
{{"server": {servers}, "server_port": 8388, "local_address": "127.0.0.1", "local_port": 1080,
  "password": "{PASSWORD}", "method": "{METHOD}", "timeout": 60}}
END
{more}
systemctl daemon-reload
systemctl enable --now shadowsocks-libev-local@tun.service
"""


_OVERRIDDEN = """
mkdir -p /etc/systemd/system/shadowsocks-libev-local@tun.service.d
cat > /etc/systemd/system/shadowsocks-libev-local@tun.service.d/override.conf <<'END'
[Service]
ExecStart=
ExecStart=/usr/bin/ss-local -v -c /etc/shadowsocks-libev/%i.json
Restart=always
END
"""

# Its own unit, known by an alias.
_GUIDES_CLIENT = f"""
systemctl disable --now shadowsocks-libev.service
cat > /etc/systemd/system/tunnel-out.service <<'END'
[Unit]
Description=Shadowsocks Client
After=network.target
[Service]
User=nobody
ExecStart=ss-local -s 10.203.2.11 -p 8388 -b 127.0.0.1 -l 1080 -k {PASSWORD} -m {METHOD}
[Install]
WantedBy=multi-user.target
Alias=shadowsocks.service
END
systemctl daemon-reload
systemctl enable --now tunnel-out.service
"""

SCRIPTS = {
    "ss1": _PACKAGED_SERVER,
    "ss2": _GUIDES_SERVER,
    "c1": _packaged_client('"10.203.2.11"'),
    "c2": _packaged_client('"10.203.2.12"', _OVERRIDDEN),
    "c3": _GUIDES_CLIENT,
    "c4": _packaged_client('["10.203.2.11", "10.203.2.12"]'),
}
UNITS = {
    "ss1": "shadowsocks-libev.service",
    "ss2": "ss-server.service",
    "c1": "shadowsocks-libev-local@tun.service",
    "c2": "shadowsocks-libev-local@tun.service",
    "c3": "tunnel-out.service",
    "c4": "shadowsocks-libev-local@tun.service",
}


def bring_up() -> None:
    """Start the services; the hosts are fresh."""
    for name, script in SCRIPTS.items():
        _hosts.host(name).check_output("sh -ec %s", script)


if __name__ == "__main__":
    bring_up()
