# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance with a unit is resolved where discovery calls it adoptable, and only there."""

from __future__ import annotations

import functools
import os
import time
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _config, _report, _resolve
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _listeners, _owned

UNIT = "shadowsocks-libev.service"


@pytest.fixture(autouse=True)
def _made_up_proc(host: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_config, "settings", functools.partial(_config.settings, proc=str(host.proc)))
    monkeypatch.setattr(_listeners, "holders", functools.partial(_listeners.holders, proc=str(host.proc)))


def resolved(side: str, **instance: t.Any) -> _resolve.Adopted:
    """One instance of a side."""
    return _resolve.resolve(side, [{"name": "x", "unit": UNIT, **instance}])


@pytest.mark.parametrize(
    ("side", "exec_start", "adoptable"),
    [
        ("server", "/usr/bin/ss-server -c /etc/ss.json", True),
        ("server", "/usr/bin/ss-server -c /etc/ss.json --fast-open", True),
        ("server", "/usr/bin/ss-server -c /etc/on.json -u", True),
        ("server", "/usr/bin/ss-server", False),
        ("server", "/usr/bin/ss-server -v", False),
        ("server", "/opt/old/ss-server -c /etc/ss.json", False),
        ("server", "/usr/bin/ss-server -c /nowhere.json", False),
        ("server", "/usr/bin/ss-manager -c /etc/ss.json", False),
        ("server", "/usr/bin/ssserver -c /etc/ss.json", False),
        ("server", "/usr/bin/ssserver -c /etc/rust.json", True),
        ("server", "/usr/bin/ssservice server -c /etc/rust.json --tcp-fast-open", True),
        ("server", "/usr/bin/ssservice manager -c /etc/rust.json", False),
        ("server", "/usr/bin/ssserver", True),
        ("server", "/opt/old/ssservice server -c /etc/rust.json", False),
        ("server", "/usr/bin/python3 /usr/bin/ssserver -c /etc/ss.json", False),
        ("client", "/usr/bin/sslocal -c /etc/rust.json", True),
        ("client", "/usr/bin/ssservice local -c /etc/rust.json", True),
        ("client", "/usr/bin/ssservice local -c /etc/rust.json --tcp-fast-open", False),
        ("client", "/usr/bin/sslocal -c /etc/rust-on.json", False),
        ("client", "/usr/bin/sslocal -c /etc/rust.json --server-url ss://s3cret", False),
        ("client", "/usr/bin/ss-local -c /etc/ss.json", True),
        ("client", "/usr/bin/ss-local -c /etc/ss.json --fast-open", False),
        ("client", "/usr/bin/ss-redir -c /etc/on.json", False),
        ("client", "/usr/bin/ss-tunnel -c /etc/ss.json", False),
        ("client", "/usr/bin/ss-tunnel -c /etc/ss.json -L 8.8.8.8:53", True),
    ],
)
def test_discovery_agrees(host: t.Any, side: str, exec_start: str, adoptable: bool) -> None:
    host.config("/etc/on.json", fast_open=True)
    host.config("/etc/rust.json", server="192.0.2.1")
    host.config("/etc/rust-on.json", server="192.0.2.1", fast_open=True)
    host.config("/etc/shadowsocks-rust/server.json", server="::")
    host.config("/etc/shadowsocks-libev/config.json")
    host.serve(UNIT, exec_start)
    found = resolved(side)
    (service,) = _report.report(str(host.proc))["services"]
    assert (bool(found.services), service["adoptable"]) == (adoptable, adoptable), (found.reasons, service["why"])
    assert "s3cret" not in str(found.reasons)


def test_server(host: t.Any) -> None:
    host.config(mode="tcp_and_udp")
    host.serve(UNIT, "/usr/bin/ss-server -c /etc/ss.json")
    assert resolved("server").services == [
        {
            "unit": UNIT,
            "name": "x",
            "instance": "x",
            "implementation": "libev",
            "program": "ss-server",
            "executable": "/usr/bin/ss-server",
            "server": ["::1", "192.0.2.1"],
            "server_port": 8388,
            "method": "aes-256-gcm",
            "mode": "tcp_and_udp",
            "timeout_seconds": 300,
            "password": "s3cret-word",
            "plugin_opts": "key=s3cret-opts",
        }
    ]
    assert "runs ss-server, which is no client" in resolved("client").reasons[0]


def test_client_of_several_servers(host: t.Any) -> None:
    """One service a server, with our flag in its arguments or without."""
    host.config(server=["a.example", "b.example:443"], local_address="127.0.0.1", ipv6_first=True)
    run = "/usr/bin/ss-local -c /etc/ss.json"
    host.serve(UNIT, run, argv=[*run.split(), "--fast-open"])
    host.put(host.run_unit_dir / f"{UNIT}.d/zz-fastopen.conf", f"[Service]\nExecStart=\nExecStart={run} --fast-open\n")
    services = resolved("client", server_host="ss1").services
    ends = [(one["server"], one["server_port"], one["server_host"]) for one in services]
    assert ends == [(["a.example"], 8388, "ss1"), (["b.example"], 443, "ss1")]
    assert {(one["local_address"], one["local_port"]) for one in services} == {("127.0.0.1", 1080)}
    assert all(one["ipv6_first"] for one in services)


@pytest.mark.parametrize("flagged", [False, True])
def test_rust_client(host: t.Any, flagged: bool) -> None:
    """One service a server with its own method and password, a variable of the process's environment."""
    entry = {"server": "b.example", "server_port": 443, "method": "2022-blake3-aes-128-gcm", "password": "${KEY}"}
    host.config(server="192.0.2.1", servers=[entry], plugin_opts=None)
    run = "/usr/bin/ssservice local -c /etc/ss.json"
    host.serve(UNIT, run, argv=[*run.split(), *["--fast-open"] * flagged], environ="KEY=s3cret-key\0OTHER=s3cret\0")
    host.put(host.run_unit_dir / f"{UNIT}.d/zz-fastopen.conf", f"[Service]\nExecStart=\nExecStart={run} --fast-open\n")
    common = {
        "unit": UNIT,
        "name": "x",
        "instance": "x",
        "implementation": "rust",
        "program": "ss-local",
        "executable": "/usr/bin/ssservice",
        "mode": "tcp_only",
        "timeout_seconds": 300,
        "local_address": "127.0.0.1",
        "local_port": 1080,
    }
    first = {"server": ["192.0.2.1"], "server_port": 8388, "method": "aes-256-gcm", "password": "s3cret-word"}
    second = {"server": ["b.example"], "server_port": 443, "method": entry["method"], "password": "s3cret-key"}
    assert resolved("client").services == [{**common, **first}, {**common, **second}]


@pytest.mark.parametrize(("change", "mode"), [({}, None), ({"fast_open": True}, "own")])
def test_rust_server(host: t.Any, change: dict[str, t.Any], mode: t.Optional[str]) -> None:
    """How it accepts is the stage's to say, but where it does by its own config."""
    host.config(server="::", **change)
    host.serve(UNIT, "/usr/bin/ssserver -c /etc/ss.json")
    (service,) = resolved("server").services
    ours = (service["implementation"], service["program"], service["executable"], service.get("fast_open_mode"))
    assert ours == ("rust", "ss-server", "/usr/bin/ssserver", mode)


def test_any_program(host: t.Any) -> None:
    host.serve(UNIT, "/usr/sbin/haproxy -f /x", ports=[443])
    (service,) = resolved("server", port=443).services
    assert (service["server"], service["server_port"], service["fast_open_mode"]) == (["127.0.0.1"], 443, "listener")
    assert "does not listen on TCP port 80" in resolved("server", port=80).reasons[0]


@pytest.mark.parametrize(
    ("side", "exec_start", "remedy"),
    [
        ("server", "/usr/sbin/haproxy -f /x", "adopt it with its port, as any server program"),
        (
            "server",
            "/usr/bin/python3 /usr/bin/ssserver -c /etc/ss.json",
            "adopt it with its port, as any server program",
        ),
        ("client", "/usr/bin/python3 /usr/bin/sslocal -c /etc/ss.json", "only their clients can be adopted"),
    ],
)
def test_programs_of_others(host: t.Any, side: str, exec_start: str, remedy: str) -> None:
    host.serve(UNIT, exec_start)
    why = f"it is no program of shadowsocks-libev or shadowsocks-rust: {remedy}"
    assert resolved(side).reasons == [f"x: {why}"]
    assert all(one["why"] == [why] for one in _report.report(str(host.proc))["services"])


def test_what_does_not_run_and_what_is_ours(host: t.Any) -> None:
    host.serve(UNIT, "/usr/bin/ss-server -c /etc/ss.json")
    host._stop(UNIT)
    assert "only what runs can be adopted" in resolved("server").reasons[0]
    assert "there is no such unit" in _resolve.resolve("server", [{"name": "x", "unit": "no.service"}]).reasons[0]
    _owned.store({UNIT: "main"})
    assert "was deployed by this collection" in resolved("server").reasons[0]


@pytest.mark.parametrize("what", ["config", "unit", "drop-in", "environment file", "reload"])
def test_edit_that_is_not_in_effect(host: t.Any, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A restart of ours would bring it into effect: its owner does that. Ours has nobody to wait for."""
    config, environment = host.root / "etc/ss.json", host.root / "etc/default/ss"
    drop_in = host.run_unit_dir / f"{UNIT}.d/10-own.conf"
    host.config()
    host.put(environment, "A=b\n")
    host.put(drop_in, "[Service]\nNice=5\n")
    host.put(host.run_unit_dir / f"{UNIT}.d/zz-fastopen.conf", "[Service]\nNice=5\n")
    host.serve(UNIT, "/usr/bin/ss-server -c /etc/ss.json")
    host.told[UNIT] = {"EnvironmentFiles": f"{environment} (ignore_errors=yes)"}
    ours = host.run_unit_dir / f"{UNIT}.d/zz-fastopen.conf"
    later = host.processes[host.running[UNIT]].started + 1
    os.utime(ours, (later, later))
    assert len(resolved("server").services) == 1
    os.utime(config, (later, later))
    assert len(resolved("server").services) == 1  # a time to come tells nothing
    os.utime(config, (0, 0))
    monkeypatch.setattr(time, "time", lambda: later + 1)
    files = {"config": config, "unit": host.lib_unit_dir / UNIT, "drop-in": drop_in, "environment file": environment}
    if what in files:
        os.utime(files[what], (later, later))
        assert "has changed after" in resolved("server").reasons[0]
        assert "restart it yourself first" in resolved("server").reasons[0]
    else:
        ours.unlink()
        host.told[UNIT] |= {"NeedDaemonReload": "yes", "DropInPaths": str(drop_in)}
        assert resolved("server").reasons == [
            f"x: {UNIT}: its unit has changed: systemctl daemon-reload, and restart it"
        ]


@pytest.mark.parametrize("stepped", [False, True])
def test_program_that_was_upgraded(host: t.Any, stepped: bool) -> None:
    """The restart of a step would start the new one. What is under TFO already has nothing to wait for."""
    host.config()
    if stepped:
        host.put(host.run_unit_dir / f"{UNIT}.d/zz-fastopen.conf", "[Service]\nNice=5\n")
    host.serve(UNIT, "/usr/bin/ss-server -c /etc/ss.json")
    assert len(resolved("server").services) == 1
    pid = host.running[UNIT]
    host.processes[pid] = host.processes[pid]._replace(replaced="/usr/bin/ss-server")
    found = resolved("server")
    assert len(found.services) == int(stepped)
    reason = "runs on with a /usr/bin/ss-server that was upgraded or removed: restart it yourself first"
    assert stepped or reason in found.reasons[0]


def test_no_main_process(host: t.Any) -> None:
    """Type=forking without a PIDFile: nobody knows what to look at."""
    host.config()
    host.serve(UNIT, "/usr/bin/ss-server -c /etc/ss.json")
    host.told[UNIT] = {"MainPID": "0"}
    assert "give it Type=simple, or a PIDFile" in resolved("server").reasons[0]


def test_two_names_of_one_unit(host: t.Any) -> None:
    """The second is none: an alias, say."""
    host.config()
    host.serve(UNIT, "/usr/bin/ss-server -c /etc/ss.json")
    found = _resolve.resolve("server", [{"name": name, "unit": UNIT} for name in ("a", "b")])
    assert [one["name"] for one in found.services] == ["a"]
    assert found.reasons == [f"b: {UNIT} is the unit that a adopts: keep one of them"]


def test_their_flag_out_of_a_variable(host: t.Any) -> None:
    """`$DAEMON_ARGS` hides it in the unit's files, the running process shows it, and nobody could undo it."""
    host.config()
    host.serve(UNIT, "/usr/bin/ss-local -c /etc/ss.json $DAEMON_ARGS")
    pid = host.running[UNIT]
    argv = ["/usr/bin/ss-local", "-c", "/etc/ss.json", "--fast-open"]
    host.processes[pid] = host.processes[pid]._replace(argv=argv)
    found = resolved("client")
    assert found.services == [] and "by its own config" in found.reasons[0]
    assert found.own == [UNIT]
