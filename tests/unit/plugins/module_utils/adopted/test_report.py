# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found on a host, and what of it can be adopted."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _report
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _owned

UNIT = "shadowsocks-libev.service"
RUN = "/usr/bin/ss-server -c /etc/ss.json"
DROP_IN = f"# ours\n[Service]\nExecStart=\nExecStart={RUN} --fast-open\n"


def report(host: t.Any) -> dict[str, t.Any]:
    """The report, which has no secret in it."""
    found = _report.report(str(host.proc))
    assert "s3cret" not in json.dumps(found)
    return found


def one(host: t.Any) -> dict[str, t.Any]:
    """The only service."""
    (service,) = report(host)["services"]
    return service


def test_server(host: t.Any) -> None:
    host.serve(UNIT, RUN, ports=[8388])
    host._systemctl("enable", UNIT)
    assert report(host) == {
        "services": [
            {
                "side": "server",
                "program": "ss-server",
                "family": "libev",
                "unit": UNIT,
                "pid": 7,
                "enabled": True,
                "addresses": ["::1", "192.0.2.1"],
                "port": 8388,
                "servers": [],
                "method": "aes-256-gcm",
                "mode": "tcp_only",
                "plugin": None,
                "fast_open": False,
                "adoptable": True,
                "why": [],
            }
        ],
        "listeners": [],
        "addresses": [],
        "ours": [],
    }


@pytest.mark.parametrize("program", ["ss-local", "ss-redir", "ss-tunnel"])
def test_client(host: t.Any, program: str) -> None:
    host.config(server=["ss1.example:443", "2001:db8::1"], tunnel_address="8.8.8.8:53", plugin="v2ray-plugin")
    host.serve("tun.service", f"/usr/bin/{program} -c /etc/ss.json")
    found = one(host)
    assert (found["side"], found["addresses"], found["port"]) == ("client", ["127.0.0.1"], 1080)
    ends = [{"address": "ss1.example", "port": 8388}, {"address": "2001:db8::1", "port": 8388}]
    assert (found["servers"], found["plugin"], found["adoptable"]) == (ends, "v2ray-plugin", True)
    assert not found["enabled"]


@pytest.mark.parametrize("program", ["ssserver", "ssservice server"])
def test_rust_server(host: t.Any, program: str) -> None:
    """Its users, and all other keys, stay on the host; unknown ones are ignored as it ignores them."""
    users = [{"name": "s3cret-name", "password": "s3cret-user"}]
    entry = {
        "server": "::",
        "server_port": 8388,
        "method": "2022-blake3-aes-128-gcm",
        "password": "s3cret",
        "users": users,
    }
    host.config(
        server=None, server_port=None, method=None, password=None, servers=[entry], mode="tcp_and_udp", workers=2
    )
    host.serve("shadowsocks-rust@x.service", f"/usr/bin/{program} --log-without-time -c /etc/ss.json", ports=[8388])
    found = one(host)
    assert {
        key: found[key] for key in ("side", "program", "family", "addresses", "port", "servers", "method", "mode")
    } == {
        "side": "server",
        "program": program,
        "family": "rust",
        "addresses": ["::"],
        "port": 8388,
        "servers": [],
        "method": "2022-blake3-aes-128-gcm",
        "mode": "tcp_and_udp",
    }
    assert (found["adoptable"], found["why"], found["fast_open"]) == (True, [], False)


def test_rust_client(host: t.Any) -> None:
    """Servers of several methods, and listeners beside the one that is looked at."""
    entry = {"address": "ss1.example", "port": 443, "method": "aes-128-gcm", "password": "s3cret", "plugin": "/x/v2ray"}
    host.config(server="192.0.2.1", servers=[entry], locals=[{"protocol": "http", "local_port": 3128}])
    host.serve("shadowsocks-rust@x.service", "/usr/bin/ssservice local -c /etc/ss.json")
    found = one(host)
    assert (found["side"], found["addresses"], found["port"]) == ("client", ["127.0.0.1"], 1080)
    ends = [{"address": "192.0.2.1", "port": 8388}, {"address": "ss1.example", "port": 443}]
    assert (found["servers"], found["method"], found["plugin"]) == (ends, "aes-256-gcm, aes-128-gcm", "v2ray")
    assert found["adoptable"]
    assert found["why"] == ["it listens for http 127.0.0.1:3128 too, which follows along unmeasured"]


def test_flag_out_of_a_variable(host: t.Any) -> None:
    """With a second one behind it shadowsocks-rust would not start: its parser refuses a flag that stands twice."""
    host.config(server="::")
    run = "/usr/bin/ssservice server -c /etc/ss.json"
    host.serve(UNIT, f"{run} $DAEMON_ARGS", argv=[*run.split(), "--fast-open"])
    found = one(host)
    assert (found["adoptable"], found["fast_open"]) == (True, True)
    assert found["why"] == ["it accepts by its own config: only the kernel's bits are a rollout's"]


def test_what_is_not_understood_shows_its_sockets(host: t.Any) -> None:
    host.serve("python.service", "/usr/bin/python3 /usr/bin/ssserver -c /etc/ss.json", ports=[8388])
    host.listen(8388, 7, "0100000A")
    found = one(host)
    assert (found["family"], found["side"], found["port"]) == ("python", "server", 8388)
    assert (found["addresses"], found["method"]) == (["10.0.0.1", "127.0.0.1"], None)
    assert (found["adoptable"], len(found["why"])) == (False, 1) and "with its port" in found["why"][0]
    host.listen(8389, 7)
    assert one(host)["port"] is None


@pytest.mark.parametrize(
    ("argv", "config", "switched"),
    [
        (["sslocal", "--tcp-fast-open"], {}, True),
        (["sslocal", "-c", "/etc/ss.json"], {"fast_open": True}, True),
        (["sslocal", "-c", "/etc/ss.json"], {}, False),
        (["sslocal", "-c", "/nowhere.json"], {}, False),
        (["python3", "/usr/bin/sslocal", "-c", "/etc/ss.json"], {"fast_open": 1}, True),
        (["ssservice", "local", "-c", "/etc/ss.json"], {"fast_open": 1}, False),
        (["ss-local", "-Xy", "--fast-open"], {}, False),
    ],
)
def test_fast_open_of_what_is_not_understood(host: t.Any, argv: list[str], config: dict, switched: bool) -> None:
    host.config(**config)
    host.spawn(7, argv)
    found = one(host)
    assert (found["side"], found["fast_open"], found["adoptable"]) == ("client", switched, False)


@pytest.mark.parametrize(
    ("path", "contained"),
    [
        ("/system.slice/docker-0123456789abcdef.scope", True),
        ("/docker/0123456789abcdef", True),
        ("/machine.slice/libpod-0123456789abcdef.scope", True),
        (f"/system.slice/{UNIT}/libpod-payload-0123456789abcdef", True),
        ("/machine.slice/systemd-nspawn@x.service/payload/system.slice/shadowsocks-libev.service", True),
        ("/lxc.payload.web/system.slice/shadowsocks-libev.service", True),
        ("/lxc/web", True),
        ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-0123456789abcdef.scope", True),
        (f"/system.slice/{UNIT}", False),
        ("/system.slice/docker-shadowsocks.service", False),
        ("/system.slice/lxc-web.service", False),
    ],
)
def test_containers(host: t.Any, path: str, contained: bool) -> None:
    host.spawn(7, RUN.split(), path)
    found = one(host)
    assert (found["unit"] == "", "container" in found["why"][0]) == (contained, contained)
    assert not found["adoptable"]


def test_the_host_may_be_a_container_itself(host: t.Any) -> None:
    host.serve(UNIT, RUN)
    host.cgroup(1, "/docker/0123456789abcdef/init.scope")
    host.cgroup(7, f"/docker/0123456789abcdef/system.slice/{UNIT}")
    assert one(host)["adoptable"]
    host.cgroup(7, "/docker/0123456789abcdef/docker/fedcba9876543210")
    assert not one(host)["adoptable"]


def test_manager_and_its_servers(host: t.Any) -> None:
    """Its servers are daemons in its own control group."""
    host.serve("manager.service", "/usr/bin/ss-manager -c /etc/ss.json -m aes-256-gcm", extra="Type=simple\n")
    child = "/usr/bin/ss-server --manager-address 127.0.0.1:8839 -f /x.pid -c /etc/ss.json --fast-open"
    host.spawn(8, child.split(), "/system.slice/manager.service", ports=[8388])
    manager, server = report(host)["services"]
    assert (manager["side"], manager["port"], manager["adoptable"]) == ("", None, False)
    assert "starts its servers itself" in manager["why"][0]
    assert (server["side"], server["port"], server["fast_open"], server["adoptable"]) == ("server", 8388, True, False)
    assert server["why"] == [
        "a manager starts it with arguments and a config of its own making, so no drop-in reaches it"
    ]


def test_servers_of_a_rust_manager(host: t.Any) -> None:
    host.config(server="::", manager_address="127.0.0.1", manager_port=8839)
    host.serve("manager.service", "/usr/bin/ssservice manager -c /etc/ss.json --fast-open")
    host.spawn(8, "ssserver --manager-addr 127.0.0.1:8839 -c /etc/ss.json".split(), "/system.slice/manager.service")
    manager, server = report(host)["services"]
    assert (manager["side"], manager["program"], manager["adoptable"]) == ("", "ssservice manager", False)
    assert "starts its servers itself" in manager["why"][0]
    assert (server["adoptable"], len(server["why"])) == (False, 1) and "a manager starts it" in server["why"][0]


def test_a_server_that_only_reports_to_a_manager(host: t.Any) -> None:
    host.serve(UNIT, f"{RUN} --manager-address 127.0.0.1:8839")
    assert one(host)["adoptable"]


@pytest.mark.parametrize(
    ("exec_start", "service", "why"),
    [
        ("/bin/sh -c 'exec ss-server'", {"argv": RUN.split()}, "ExecStart runs 'sh'"),
        (RUN, {"extra": "PrivateNetwork=yes\n"}, "network namespace of its own"),
        (f"{RUN} -- x", {}, "bare '--'"),
        ("/usr/bin/ss-server", {}, "without any argument ss-server takes its default config"),
        ("/opt/old/ss-server -c /etc/ss.json", {}, "/opt/old/ss-server has no --fast-open"),
        ("/usr/bin/ss-server -c /nowhere.json", {}, "its config cannot be read (No such file or directory)"),
        ("/usr/bin/ss-server -c /etc/empty.json", {}, "its config is no JSON"),
        ("/usr/bin/ss-local -c /etc/ss.json --fast-open", {}, "it sends by its own config"),
        ("/usr/bin/ss-local -c /etc/on.json", {}, "it sends by its own config"),
    ],
)
def test_not_adoptable(host: t.Any, exec_start: str, service: dict[str, t.Any], why: str) -> None:
    host.config("/etc/shadowsocks-libev/config.json")
    host.config("/etc/on.json", fast_open=True)
    (host.root / "etc/empty.json").write_text("{")
    host.serve(UNIT, exec_start, **service)
    found = one(host)
    assert not found["adoptable"] and why in " ".join(found["why"])
    assert found["fast_open"] == ("sends" in why)


def test_no_unit_and_a_wrapper(host: t.Any) -> None:
    host.spawn(7, RUN.split())
    assert one(host)["why"] == ["no unit of systemd runs it: give it one"]
    host.serve("wrapped.service", "/usr/bin/python3 wrapper.py", pid=9)
    host.cgroup(7, "/system.slice/wrapped.service")
    assert "not the main process of wrapped.service" in one(host)["why"][0]
    host.running["wrapped.service"] = 0
    assert "wrapped.service: systemd does not know which process it mainly is" in one(host)["why"][0]


def test_a_host_without_systemd(host: t.Any) -> None:
    host.systemd = False
    host.serve(UNIT, RUN)
    found = one(host)
    assert not found["adoptable"] and "systemctl is not on this host" in found["why"][0]


def test_a_server_that_accepts_by_itself(host: t.Any) -> None:
    """Its bits are ours all the same."""
    host.serve(UNIT, f"{RUN} --fast-open")
    found = one(host)
    assert (found["fast_open"], found["adoptable"]) == (True, True) and "only the kernel's bits" in found["why"][0]


@pytest.mark.parametrize("program", ["ss-server", "ss-local"])
def test_our_own_drop_in_is_not_its_own_flag(host: t.Any, program: str) -> None:
    run = RUN.replace("ss-server", program)
    host.serve(UNIT, run, argv=[*run.split(), "--fast-open"])
    host.put(host.run_unit_dir / f"{UNIT}.d/zz-fastopen.conf", DROP_IN.replace("ss-server", program))
    found = one(host)
    assert (found["fast_open"], found["adoptable"], found["why"]) == (False, True, [])


def test_our_drop_in_on_a_unit_that_has_become_unfit(host: t.Any) -> None:
    host.serve(UNIT, RUN, argv=[*RUN.split(), "--fast-open"], extra="PrivateNetwork=yes\n")
    assert one(host)["fast_open"]
    host.put(host.run_unit_dir / f"{UNIT}.d/zz-fastopen.conf", DROP_IN)
    host.loaded.clear()
    assert not one(host)["fast_open"]


def test_a_unit_that_has_changed(host: t.Any) -> None:
    host.serve(UNIT, RUN)
    host.told[UNIT] = {"NeedDaemonReload": "yes"}
    assert one(host)["why"] == ["its unit has changed: systemctl daemon-reload"]


@pytest.mark.parametrize(
    ("config", "process", "why"),
    [
        ({"mode": "udp_only"}, {}, "it carries UDP only"),
        ({}, {"old": False}, "its config has changed after its start"),
    ],
)
def test_what_must_be_known(host: t.Any, config: dict[str, t.Any], process: dict[str, t.Any], why: str) -> None:
    host.config(**config)
    host.serve(UNIT, RUN, **process)
    found = one(host)
    assert found["adoptable"] and [why in note for note in found["why"]] == [True]


def test_default_config_of_a_process(host: t.Any) -> None:
    host.config("/root/.config/shadowsocks-libev/config.json", server_port=9000)
    host.serve(UNIT, "/usr/bin/ss-server")
    assert one(host)["port"] == 9000


def test_ours_are_named_apart(host: t.Any) -> None:
    _owned.store({"ss-server@main.service": "main"})
    host.put(host.lib_unit_dir / "ss-server@.service", f"[Service]\nExecStart={RUN}\n")
    host.spawn(7, RUN.split(), "/system.slice/system-ss.slice/ss-server@main.service", ports=[8388])
    found = report(host)
    assert (found["services"], found["listeners"], found["ours"]) == ([], [], ["ss-server@main.service"])


def test_other_listeners(host: t.Any) -> None:
    """Neither Shadowsocks nor its plugin; workers of one program are one row. Other network namespaces do not count."""
    host.serve(UNIT, RUN, ports=[8388])
    host.spawn(8, ["v2ray-plugin"], f"/system.slice/{UNIT}", ports=[443])
    host.serve("haproxy.service", "/usr/sbin/haproxy", pid=9, ports=[80])
    host.spawn(10, ["haproxy"], "/system.slice/haproxy.service", ports=[80])
    host.spawn(11, ["sshd"], ports=[22])
    host.spawn(12, RUN.split(), namespace="net:[2]")
    found = report(host)
    assert [service["pid"] for service in found["services"]] == [7]
    assert found["listeners"] == [
        {"address": "127.0.0.1", "port": 22, "program": "sshd", "unit": ""},
        {"address": "127.0.0.1", "port": 80, "program": "haproxy", "unit": "haproxy.service"},
    ]


def test_a_listener_that_cannot_be_told(host: t.Any) -> None:
    """Listeners of Multipath TCP have inode 0, all of them."""
    for port in (5000, 5001):
        with (host.proc / "net/tcp").open("a") as stream:
            stream.write(f"  0: 00000000:{port:04X} 0:0 0A 0:0 00:0 0 61000 0 0 1\n")
    assert report(host)["listeners"] == [
        {"address": "0.0.0.0", "port": port, "program": "", "unit": ""} for port in (5000, 5001)
    ]


@pytest.mark.parametrize(("other", "listed"), [(UNIT, False), ("haproxy.service", True)])
def test_a_listener_whose_process_is_hidden(host: t.Any, other: str, listed: bool) -> None:
    """By its user it may be of one unit or of another: it is no other listener where all of these are Shadowsocks'."""
    host.serve("shadowsocks-libev-server@a.service", RUN)
    host.spawn(8, [*RUN.split(), "-v"] if other == UNIT else ["haproxy"], f"/system.slice/{other}")
    for pid in (7, 8):
        (host.proc / f"{pid}/status").write_text("Uid:\t61000\t61000\t61000\t61000\n")
    with (host.proc / "net/tcp").open("a") as stream:
        stream.write("  0: 00000000:20C4 0:0 0A 0:0 00:0 0 61000 0 777 1\n")
    row = {"address": "0.0.0.0", "port": 8388, "program": "", "unit": ""}
    assert report(host)["listeners"] == ([row] if listed else [])


def test_a_process_that_has_ended_meanwhile(host: t.Any) -> None:
    host.spawn(7, RUN.split())
    del host.processes[7]
    assert report(host)["services"] == []


def test_addresses(host: t.Any) -> None:
    """As fib_trie and if_inet6 have them; both tables of a kernel that has two list the same."""
    leaf = "|-- {}\n              /32 {}\n"
    leaves = leaf.format("192.0.2.0", "link UNICAST") + leaf.format("192.0.2.2", "host LOCAL")
    leaves += leaf.format("127.0.0.1", "host LOCAL") + leaf.format("169.254.1.1", "host LOCAL")
    leaves += "|-- 10.0.0.1\n   /8 link UNICAST\n   /32 host LOCAL\n" + leaf.format("192.0.2.255", "link BROADCAST")
    (host.proc / "net/fib_trie").write_text(f"Main:\n  +-- 0.0.0.0/0 3 0 5\n{leaves}Local:\n{leaves}")
    (host.proc / "net/if_inet6").write_text(
        "20010db8000000000000000000000001 02 40 00 80     eth0\n"
        "20010db800000000aaaaaaaaaaaaaaaa 02 40 00 01     eth0\n"
        "20010db800000000bbbbbbbbbbbbbbbb 02 40 00 c0     eth0\n"
        "fe800000000000000000000000000001 02 40 20 80     eth0\n"
        "00000000000000000000000000000001 01 80 10 80       lo\n"
    )
    assert report(host)["addresses"] == ["10.0.0.1", "192.0.2.2", "2001:db8::1"]
