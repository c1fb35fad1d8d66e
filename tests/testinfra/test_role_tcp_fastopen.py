# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role tcp_fastopen: the kernel's values now and at boot, and a cookie key that nobody gets to see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from _hosts import ROOT, SERVERS, host, play
from _seen import sysctl

CONVERGE = ROOT / "molecule" / "role_tcp_fastopen" / "converge.yml"
DROP_IN = "/etc/sysctl.d/99-tfo.conf"
KEY = "00112233-44556677-8899aabb-ccddeeff,0f1e2d3c-4b5a6978-8796a5b4-c3d2e1f0"
OTHER_KEY = "deadbeef-01234567-89abcdef-76543210"
VALUES = {
    "net.ipv4.tcp_fastopen_key": KEY,
    "net.ipv4.tcp_max_syn_backlog": "8192",
    "net.core.somaxconn": "8192",
    "net.ipv4.tcp_fastopen_blackhole_timeout_sec": "60",
}


@pytest.mark.parametrize("server", SERVERS)
def test_values_at_run_time_and_at_boot(server: str) -> None:
    shell = host(server)
    now = {key: sysctl(server, key) for key in VALUES}
    assert now == VALUES
    assert int(sysctl(server, "net.ipv4.tcp_fastopen")) & 3 == 3
    # what systemd's own reader of the folder would do at the next boot
    shown = shell.check_output("/usr/lib/systemd/systemd-sysctl --cat-config").splitlines()
    for key, value in {**VALUES, "net.ipv4.tcp_fastopen": "3"}.items():  # bits set by hand do not last
        assert f"{key} = {value}" in shown


@pytest.mark.parametrize("server", SERVERS)
def test_lines_of_others_stay(server: str) -> None:
    assert "net.ipv4.tcp_mtu_probing = 0" in host(server).file(DROP_IN).content_string.splitlines()


@pytest.mark.parametrize("server", SERVERS)
def test_key_is_private(server: str) -> None:
    kept = [f"/var/lib/fastopen/{name}.json" for name in ("kernel", "record")]
    files = [host(server).file(path) for path in (DROP_IN, *kept)]
    assert [(file.mode, file.user, file.group) for file in files] == [(0o600, "root", "root")] * 3
    assert host(server).file("/var/lib/fastopen").mode == 0o700


def test_key_is_never_echoed(tmp_path: Path) -> None:
    """A new key in check mode, with the diff and the arguments of every task shown."""
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"tcp_fastopen_key": OTHER_KEY}), encoding="utf-8")
    shown = play(CONVERGE, "--check", "--diff", "-vvv", "--extra-vars", f"@{secret}")
    assert shown.status == 0
    assert {figures["changed"] for figures in shown.recap.values()} == {1}
    assert "hidden, new" in shown.output
    for group in {*KEY.replace(",", "-").split("-"), *OTHER_KEY.split("-")}:
        assert group not in shown.output
    assert not any(OTHER_KEY in host(server).check_output("journalctl --no-pager") for server in SERVERS)
