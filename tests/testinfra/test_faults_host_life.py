# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else a host's own machine does to a step: reboots, odd files, services that are slow, crash, or may not start."""

from __future__ import annotations

import re
import shlex

import pytest
from _host_faults import own, own_gone
from _hosts import fleet
from _life import CLIENT, LINES, SERVER, Life, life, module, on_both, put, services

CONFIG = "/etc/shadowsocks/ss-server-main.json"


def rebooted(host: Life) -> None:
    """A reboot, after which the service is there again."""
    fleet("reboot", host.name)
    put.cache_clear()
    put(host.name)
    host.answers("server")


def deploy(host: Life) -> str:
    """What tfo_service says of the server, deployed as it is."""
    service = services(host.name)["server"]
    instance = {"name": "main", "port": 8388, "address": service["server"][0]}
    return module(
        host.name,
        "tfo_service",
        side="server",
        instances=[{**instance, "method": service["method"], "password": service["password"]}],
    )


@pytest.mark.parametrize("part", ("rename /var/lib/fastopen", f"rename {LINES[:14]}", "rename /etc/systemd/system"))
def test_reboot_in_the_middle_of_a_confirmation(part: str) -> None:
    """Behind each of the files that it writes: the service answers, and the next run and the next way down go on."""
    name = "c4" if "sysctl" in part else "c3"
    with life(name) as host:
        host.get("server", "claimed", "stepped")
        edges = host.call("server", "confirmed")["edges"]
        host.reset()
        number = next(n for n, edge in enumerate(edges, 1) if part in edge) + 1
        host.get("server", "claimed", "stepped")
        assert host.call("server", "confirmed", kill=number)["outcome"] == "dead"
        rebooted(host)
        assert host.ended()
        host.get("server", "claimed", run="two")
        done = host.call("server", "stepped", run="two")
        assert done["outcome"] in ("stepped", "confirmed"), done
        host.get("server", "confirmed", "released", run="two")
        host.is_("confirmed", "server")
        host.get("server", "plain", run="", memory="forget")


@on_both
def test_boot_that_applies_no_file(name: str) -> None:
    """systemd-sysctl is masked: a server's line would mean nothing, so it is refused before anything changes."""
    with life(name) as host:
        host.shell("systemctl mask --quiet systemd-sysctl")
        before = host.see()
        host.get("server", "claimed")
        done = host.call("server", "stepped")
        assert done["outcome"] == "error", done
        assert "systemd-sysctl.service is masked" in done["reasons"][0]
        assert "systemctl unmask systemd-sysctl" in done["reasons"][0]
        assert {key: host.see()[key] for key in ("value", "argv", "pid")} == {
            key: before[key] for key in ("value", "argv", "pid")
        }
        host.get("server", "released")
        host.shell("systemctl unmask --quiet systemd-sysctl")


@on_both
def test_masked_after_the_confirmation(name: str) -> None:
    """The way down does not care."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", "confirmed")
        host.shell("systemctl mask --quiet systemd-sysctl")
        host.get("server", "plain", run="")
        host.shell("systemctl unmask --quiet systemd-sysctl")
        host.is_("plain", "server")


ODD = (
    "cd /etc/sysctl.d && ln -s zz-loop.conf zz-loop.conf && ln -s /nowhere zz-nowhere.conf && mkdir zz-folder.conf"
    " && touch -d 2040-01-01 zz-later.conf && printf '\\377\\000=1\\n' > zz-bytes.conf && chmod 0 zz-bytes.conf"
)


@on_both
def test_odd_files_beside_the_line(name: str) -> None:
    """Links in a circle and to nowhere, a folder, a file of 2040, one that is no text: all stay as they are."""
    with life(name) as host:
        host.shell(ODD)
        kept = host.shell("cd /etc/sysctl.d && ls -ld --full-time zz-*")
        host.get("server", "claimed", "stepped", "confirmed")
        host.is_("confirmed", "server")
        host.get("server", "plain", run="", memory="forget")
        host.is_("plain", "server")
        assert host.shell("cd /etc/sysctl.d && ls -ld --full-time zz-*") == kept
        host.shell("cd /etc/sysctl.d && rm -rf zz-*")


@on_both
def test_files_from_the_future(name: str) -> None:
    """Once the clock was ahead: no deployment restarts the service for it, again and again, and no step is refused."""
    with life(name) as host:
        host.shell(f"touch -d 2040-01-01 {CONFIG} /etc/systemd/system/ss-server@.service; systemctl daemon-reload")
        pid = host.see()["pid"][SERVER]
        for _turn in range(2):
            assert '"changed": false' in deploy(host)
        assert host.see()["pid"][SERVER] == pid
        host.get("server", "claimed", "stepped", "confirmed")
        host.get("server", "plain", run="", memory="forget")
        host.shell(f"touch -d yesterday {CONFIG} /etc/systemd/system/ss-server@.service; systemctl daemon-reload")


@on_both
def test_service_that_needs_20_seconds_to_stop(name: str) -> None:
    """Step and way back wait for it."""
    with life(name) as host:
        own(host.shell, SERVER, "ExecStop=/bin/sleep 20")
        host.get("server", "claimed", "stepped", lease_seconds=60.0)
        host.is_("stepped", "server")
        host.get("server", "plain")
        assert "--fast-open" not in host.see()["argv"][SERVER]
        host.answers("server")
        own_gone(host.shell, SERVER)
        host.shell(f"systemctl restart {SERVER}")


THIEF = """
systemctl is-active --quiet thief && exit
systemd-run --quiet --collect --unit=thief python3 -m http.server --bind {address} 8388
until ss -Hltn | grep -q {address}:8388; do sleep 0.1; done
"""


@on_both
def test_port_that_is_taken_while_a_step_restarts(name: str) -> None:
    """Another program listens before the service does: its step is taken back, and once the port is free it is there, plain."""
    with life(name) as host:
        script = THIEF.format(address=services(name)["server"]["server"][0])
        host.shell(f"echo {shlex.quote(script)} > /root/thief")
        own(host.shell, SERVER, "ExecStopPost=+/bin/sh /root/thief")
        host.get("server", "claimed")
        taken = "does not come up: .*Address already in use"
        # Between two of its own attempts the way back may meet it, which it says as well.
        for state, said in (("stepped", taken), ("plain", rf"({taken}|is (de)?activating \()")):
            done = host.call("server", state)
            assert done["outcome"] == "failed", done
            assert re.search(f"{SERVER} {said}", "; ".join(done["reasons"])), done
        own_gone(host.shell, SERVER)
        host.shell("systemctl stop thief")
        host.wait(lambda: "active" in host.shell(f"systemctl is-active {SERVER} || true").split(), 60.0)
        host.is_("plain", "server")
        host.shell(f"systemctl restart {SERVER}")


@on_both
def test_unit_that_a_restart_would_leave_down(name: str) -> None:
    """Its condition does not hold any more, or it lets nobody restart it: the step is not begun, and the service runs on."""
    with life(name) as host:
        for line, said in (("ConditionPathExists=/nowhere", "/nowhere"), ("RefuseManualStop=yes", "RefuseManualStop")):
            own(host.shell, SERVER, "[Unit]", line)
            pid = host.shell(f"systemctl show -P MainPID {SERVER}")
            done = host.call("server", "stepped")
            assert (done["outcome"], said in "; ".join(done["reasons"])) == ("skipped", True), done
            assert host.shell(f"systemctl show -P MainPID {SERVER}") == pid
            host.as_before("value", "boot", "argv")
            own_gone(host.shell, SERVER)
        host.is_("plain", "server")


@on_both
def test_namespaces_refused(name: str) -> None:
    """A unit that may not make its mount namespace (LXC without nesting) ends in 226: a deployment names it, and the lease
    of a step that meets it works, for it asks for no namespace."""
    with life(name) as host:
        host.get("server", "claimed", "stepped", lease_seconds=5.0)
        own(host.shell, SERVER, "BindPaths=/nowhere:/mnt")
        host.shell(f"systemctl kill --signal=KILL {SERVER}")
        host.wait(host.ended, 60.0)
        assert "--fast-open" not in host.shell(f"systemctl show -P ExecStart {SERVER}")

        def told() -> bool:  # at the moment of a start systemd knows of no end
            done = host.call("server", "plain", run="")
            assert done["outcome"] == "failed", done
            return "226/NAMESPACE" in "; ".join(done["reasons"])

        host.wait(told, 30.0)
        own_gone(host.shell, SERVER)
        host.shell(f"systemctl restart {SERVER}")
        host.get("server", "plain", run="")
        host.is_("plain", "server")


@on_both
def test_server_name_that_cannot_be_resolved_at_boot(name: str) -> None:
    """The client starts again and again, and is there once the name is; a step before that is refused, and says what is."""
    with life(name) as host:
        (address,) = services(name)["client"]["server"]
        config = "/etc/shadowsocks/ss-local-main.json"
        host.shell(
            f'cp -a {config} /root/config && sed -i \'s/"{address}"/"late.example"/\' {config} && grep -q late {config}'
            f" && systemctl restart {CLIENT}; sleep 3"
        )
        state = host.shell(f"systemctl show -P ActiveState -P SubState {CLIENT}").split()
        assert state in (["activating", "auto-restart"], ["active", "running"]), state
        asked = {"services": [{**services(name)["client"], "server": ["late.example"]}]}
        done = host.call("client", "stepped", **asked)
        assert done["outcome"] in ("refused", "skipped"), done
        host.shell(f"sleep 40; printf '%s late.example\\n' {address} >> /etc/hosts")
        host.wait(
            lambda: "ok"
            in host.shell("curl -sf -o /dev/null --socks5 127.0.0.1:1080 http://10.203.2.5/ && echo ok || true"),
            60.0,
        )
        assert host.see()["units"][CLIENT]["ActiveState"] == "active"
        host.shell(
            f"cp -a /root/config {config}; rm /root/config; sed '/late.example/d' /etc/hosts > /root/hosts;"
            f" cat /root/hosts > /etc/hosts; rm /root/hosts; systemctl restart {CLIENT}"
        )
