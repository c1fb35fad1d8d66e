# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do to a host that is under TFO: by hand to our drop-in and bits, and to what is below our drop-in."""

from __future__ import annotations

import pytest
from _life import LINES, SERVER, Life, life, on_both, programs

TOP = {"stepped": "/run/systemd/system", "confirmed": "/etc/systemd/system"}
OVERRIDE = f"/etc/systemd/system/{SERVER}.d/override.conf"
CONFIG = "-c /etc/shadowsocks/ss-server-main.json"


def runs(name: str) -> str:
    """The server's command line, as its template unit has it."""
    return f"{programs(name).server} {CONFIG}"


def up(host: Life, stage: str) -> str:
    """Bring the server there, and return the path of its drop-in."""
    host.get("server", "claimed", "stepped", *(["confirmed"] if stage == "confirmed" else []))
    host.is_(stage, "server")
    return f"{TOP[stage]}/{SERVER}.d/zz-fastopen.conf"


def renewed(host: Life, stage: str) -> None:
    """A step mends it: confirmed services are stepped again, and confirmed after that."""
    host.get("server", "stepped")
    host.is_("stepped", "server")
    assert not host.problems()
    if stage == "confirmed":
        host.get("server", "confirmed")
        host.is_("confirmed", "server")


@pytest.mark.parametrize("stage", TOP)
def test_drop_in_removed_by_hand(stage: str) -> None:
    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            drop_in = up(host, stage)
            host.shell(f"rm {drop_in}; systemctl daemon-reload")
            assert "zz-fastopen.conf is gone" in host.problems()
            renewed(host, stage)
            host.shell(f"rm {drop_in}; systemctl daemon-reload; systemctl restart {SERVER}")
            assert "zz-fastopen.conf is gone" in host.problems()
            host.get("server", "plain", run="")
            host.is_("plain", "server")

    tried()


@pytest.mark.parametrize("stage", TOP)
def test_drop_in_edited_by_hand(stage: str) -> None:
    """It still has our mark: it is named and renewed, and goes on the way down."""

    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            drop_in = up(host, stage)
            host.shell(f"sed -i 's/--fast-open$/-v --fast-open/' {drop_in}; systemctl daemon-reload")
            assert "zz-fastopen.conf" in host.problems()
            renewed(host, stage)
            host.shell(f"sed -i 's/--fast-open$/-v --fast-open/' {drop_in}; systemctl daemon-reload")
            host.get("server", "plain", run="")
            host.is_("plain", "server")

    tried()


@pytest.mark.parametrize("stage", TOP)
def test_bit_cleared_by_hand(stage: str) -> None:
    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            up(host, stage)
            host.shell("sysctl -qw net.ipv4.tcp_fastopen=1")
            assert host.problems() == "net.ipv4.tcp_fastopen is 1, and a service needs bits 0x2 of it, too"
            renewed(host, stage)

    tried()


@pytest.mark.parametrize("stage", TOP)
def test_exec_start_changed_below(stage: str) -> None:
    """By `systemctl edit`, and in the fragment itself: named, and a step repeats the new one."""

    @on_both
    def tried(name: str) -> None:
        with life(name) as host:
            up(host, stage)
            host.shell(
                f"mkdir -p {OVERRIDE.rpartition('/')[0]}; printf '[Service]\\nExecStart=\\nExecStart={runs(name)} -v\\n'"
                f" > {OVERRIDE}; systemctl daemon-reload"
            )
            assert f"ExecStart below our drop-in changed in {OVERRIDE}" in host.problems()
            renewed(host, stage)
            assert host.see()["argv"][SERVER][-2:] == ["-v", "--fast-open"]
            host.get("server", "plain", run="", why="x")
            assert host.see()["argv"][SERVER][-1] == "-v"
            host.shell(f"rm -r {OVERRIDE.rpartition('/')[0]}; systemctl daemon-reload; systemctl restart {SERVER}")
            host.shell(
                "sed -i 's/%p-%i.json$/%p-%i.json -v/' /etc/systemd/system/ss-server@.service; systemctl daemon-reload"
            )
            host.get("server", "claimed", "stepped", run="two")
            host.shell("sed -i 's/ -v$//' /etc/systemd/system/ss-server@.service; systemctl daemon-reload")
            assert "ExecStart below our drop-in changed in /etc/systemd/system/ss-server@.service" in host.problems()
            host.get("server", "stepped", run="two")
            host.is_("stepped", "server")

    tried()


@on_both
def test_foreign_drop_in_behind_ours(name: str) -> None:
    with life(name) as host:
        up(host, "stepped")
        other = f"/etc/systemd/system/{SERVER}.d/zzz-x.conf"
        host.shell(
            f"mkdir -p {other.rpartition('/')[0]}; printf '[Service]\\nExecStart=\\nExecStart={runs(name)}\\n' > {other};"
            " systemctl daemon-reload"
        )
        assert other in host.problems()
        for state, outcome in (("stepped", "skipped"), ("confirmed", "failed")):
            done = host.call("server", state)
            assert done["outcome"] == outcome and other in done["reasons"][0], done
        host.get("server", "plain", run="")
        host.shell(f"rm -r {other.rpartition('/')[0]}; systemctl daemon-reload")


@on_both
def test_password_in_argv_stays_where_it_is(name: str) -> None:
    """A unit of mode 0600 whose command line holds the password: neither diff nor status nor anybody's file shows it."""
    with life(name) as host:
        secret = "a-secret-of-both-hosts"
        unit = "/etc/systemd/system/ss-server@main.service"
        address = host.request("server")["services"][0]["server"][0]
        listens = programs(name).listens.format(address, 8388)
        command = f"{programs(name).server} {listens} -m aes-256-gcm -k {secret}"
        host.shell(
            f"umask 077; printf '[Service]\\nExecStart={command}\\n' > {unit};"
            f" systemctl daemon-reload; systemctl restart {SERVER}"
        )
        seen = []
        for state in ("claimed", "stepped", "confirmed"):
            seen.append(host.call("server", state))
            assert seen[-1]["outcome"] == state, seen[-1]
            if state != "claimed":
                path = f"{TOP[state]}/{SERVER}.d/zz-fastopen.conf"
                assert host.shell(f"stat -c %a {path}").strip() == "600"
                assert secret in host.shell(f"cat {path}")
        seen += [host.status(), host.program("status")]
        seen.append(host.call("server", "plain", run="", memory="forget"))
        assert seen[-1]["outcome"] == "plain"
        assert secret not in str([{**one, "edges": []} if isinstance(one, dict) else one for one in seen])
        host.shell(f"rm {unit}; systemctl daemon-reload; systemctl restart {SERVER}")


@on_both
def test_other_lines_of_the_file_survive_all_ways_down(name: str) -> None:
    with life(name) as host:
        host.shell(
            f"printf '# mine\\nnet.ipv4.tcp_fastopen = 1\\nnet.core.somaxconn=4096\\nvm.swappiness = 5' > {LINES}"
        )
        before = host.shell(f"cat {LINES}")
        ways = {
            "revert": lambda: [],  # see below
            "rollback": lambda: host.get("server", "plain", run=""),
            "guard": lambda: host.program("undo", "--why", "x", SERVER),
            "off": lambda: host.program("off"),
            "kill": lambda: host.get("server", "killed", "lifted", run="") + host.get("server", "plain", run=""),
        }
        for number, way in enumerate(ways.values()):
            host.get("server", "claimed", "stepped", "confirmed", run=f"way-{number}", retry=True)
            assert host.shell(f"cat {LINES}") == before.replace("fastopen = 1", "fastopen = 3")
            if number:
                host.get("server", "released", run=f"way-{number}")
                way()
            else:
                host.get("server", "plain", "released", run="way-0")
            assert host.shell(f"cat {LINES}") == before
            host.is_("plain", "server")
        host.shell(f"rm {LINES}")
