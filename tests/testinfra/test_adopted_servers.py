# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of servers alone, whose clients are nobody's: units of a template, and servers that know nothing of TFO."""

from __future__ import annotations

import json
from pathlib import Path

import _others
import _state
import pytest
import yaml
from _hosts import INVENTORY, ORIGIN, host, play, variables
from _seen import arguments, rise, sysctl, unit
from _traffic import captured, from_client

HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend edge
    bind :443
    default_backend origin
backend origin
    server origin 10.203.2.5:80
"""
OFFICE = {"server": "0.0.0.0", "server_port": 8389, "password": _others.PASSWORD, "method": _others.METHOD}
UNITS = {
    "ss1": ["shadowsocks-libev-server@office.service", "haproxy.service", "shadowsocks-libev.service"],
    "ss2": ["ss-server.service", "nginx.service"],
}
INSTANCES = {
    "ss1": [
        {"name": "office", "unit": UNITS["ss1"][0]},
        {"name": "edge", "unit": "haproxy", "port": 443},
        {"name": "guide", "unit": "shadowsocks-libev"},
    ],
    "ss2": [{"name": "main", "unit": "ss-server"}, {"name": "web", "unit": "nginx.service", "port": 80}],
}
GUIDES = "shadowsocks-libev.service"
PHONE = "systemd-run --quiet --collect --unit=phone ss-local --fast-open -s 10.203.2.11 -p 8389 -b 127.0.0.1 -l 1090"


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Servers, and no word of a client."""
    folder = tmp_path_factory.mktemp("servers")
    hosts = yaml.safe_load((INVENTORY / "hosts.yml").read_text(encoding="utf-8"))
    hosts["all"]["children"] = {"shadowsocks_servers": hosts["all"]["children"]["shadowsocks_servers"]}
    for name, entries in INSTANCES.items():
        hosts["all"]["children"]["shadowsocks_servers"]["hosts"][name]["ss_server_instances"] = entries
    hosts["all"]["vars"].update(rollout_bake_seconds=2, rollout_report_dir=str(folder / "reports"))
    (folder / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")
    return folder / "hosts.yml"


@pytest.fixture(scope="module", autouse=True)
def before() -> dict[str, dict[str, object]]:
    """Everything that a rollback must bring back, once the servers are up and a phone asks for cookies."""
    shell = host("ss1")
    shell.check_output("apt-get update -q && apt-get install -y -q --no-install-recommends haproxy")
    shell.check_output("printf %s > /etc/haproxy/haproxy.cfg && systemctl restart haproxy", HAPROXY)
    shell.check_output("printf %s > /etc/shadowsocks-libev/office.json", json.dumps(OFFICE))
    shell.check_output("systemctl enable --now shadowsocks-libev-server@office.service")
    # As guides have it: TFO by its own config, waiting for the kernel's bit.
    config = "/etc/shadowsocks-libev/config.json"
    shell.check_output(f'sed -i \'s/"timeout"/"fast_open": true, "timeout"/\' {config}')
    shell.check_output("systemctl restart shadowsocks-libev.service")
    host("ss2").check_output("apt-get update -q && apt-get install -y -q --no-install-recommends nginx-light")
    host("c1").check_output(f"{PHONE} -k {_others.PASSWORD} -m {_others.METHOD}")
    return {name: observed(name) for name in UNITS}


def observed(name: str) -> dict[str, object]:
    """The host, and the arguments of what runs there."""
    argv = [arguments(name, one) for one in UNITS[name]]
    since = unit(name, GUIDES)["ActiveEnterTimestampMonotonic"] if name == "ss1" else ""
    return {**_state.read(name), "argv": argv, "since": since}


def asks(times: int, at_once: int = 1) -> None:
    """So many connections of the phone; of those that begin at once none may have a cookie yet."""
    curl = f"curl -s -o /dev/null --max-time 10 --socks5 127.0.0.1:1090 {ORIGIN}"
    host("c1").check_output(f"seq {times} | xargs -P {at_once} -I X {curl}")


def test_demand_of_strangers_refuses_their_server(inventory: Path, before: dict[str, dict[str, object]]) -> None:
    """By name and with its numbers; nothing changes there, and the other server is rolled out and taken back."""
    assert rise("ss1", lambda: asks(500, at_once=20))["TCPFastOpenCookieReqd"] >= 500
    done = play("fastopen.shadowsocks.rollout", inventory=inventory)
    assert done.status != 0 and "rollout_accept_unmanaged" in done.words
    assert done.recap["ss1"]["failed"] == 1 and done.recap["ss2"]["failed"] == 0
    assert observed("ss1") == before["ss1"]
    assert play("fastopen.shadowsocks.rollback", inventory=inventory, rollback_scope="all").status == 0
    assert observed("ss2") == before["ss2"]


def test_any_server_takes_data_in_its_syn(inventory: Path, before: dict[str, dict[str, object]]) -> None:
    """With the operator's word: both are promoted, and the wire shows data in the SYNs of strangers to every port."""
    done = play("fastopen.shadowsocks.rollout", inventory=inventory, rollout_accept_unmanaged=True, rollout_retry=True)
    assert done.status == 0 and "promoted 2: ss1, ss2" in done.words
    assert "sshd" in done.words  # listens too, and will accept SYN data from its next start on
    assert "SYNs with data" in done.words
    assert (sysctl("ss1", "net.ipv4.tcp_fastopen"), sysctl("ss2", "net.ipv4.tcp_fastopen")) == ("1027", "1027")
    assert arguments("ss1", UNITS["ss1"][0])[-2] == "--fast-open"
    assert unit("ss1", GUIDES)["ActiveEnterTimestampMonotonic"] == before["ss1"]["since"]  # bits are all that it needs
    with captured("ss1", 8389) as seen:
        asks(3)
    assert max(from_client(seen, "c1")) > 0
    for name, port in (("ss1", 443), ("ss2", 80)):
        with captured(name, port) as seen:
            curl = f"curl -s -o /dev/null --tcp-fastopen http://{variables(name)['data_address']}:{port}/"
            host("c1").check_output(f"{curl} && {curl} && {curl}")
        assert max(from_client(seen, "c1")) > 0, (name, seen)


def test_everything_is_as_before(inventory: Path, before: dict[str, dict[str, object]]) -> None:
    """Files, units, sysctls, arguments; and no secret was shown or kept."""
    done = play("fastopen.shadowsocks.rollback", inventory=inventory, rollback_scope="all")
    assert done.status == 0
    assert {name: observed(name) for name in UNITS} == before
    kept = "".join(path.read_text(encoding="utf-8") for path in inventory.parent.rglob("*") if path.is_file())
    assert _others.PASSWORD not in kept + done.output
