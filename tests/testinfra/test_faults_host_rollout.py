# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of several hosts in one rollout: each is named, none keeps another from being promoted or taken back.

The servers accept already, and every client uses ss1.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from _boxes import Run, back, rollout
from _host_faults import Shell, begun, full, own, read_only_kernel
from _hosts import ORIGIN, fleet, host, play
from _seen import arguments, sysctl

UNIT = "ss-local@main.service"
SERVER = "ss-server@main.service"
INSTANCES = {"ss_client_instances": [{"name": "main", "server": "ss1", "server_instance": "main", "local_port": 1080}]}
MORE: dict[str, Any] = {**INSTANCES, "rollout_probe_requests": 10, "rollout_bake_seconds": 5}


def shell(name: str) -> Shell:
    """A shell on a host."""
    return host(name).check_output


@pytest.fixture(scope="module", autouse=True)
def accepting() -> Iterator[None]:
    """ss1 accepts, its clients are plain; in the end they are again."""
    done = play("fastopen.shadowsocks.deploy", "--limit", "ss1,c2,c3,c4", **INSTANCES)
    assert done.status == 0
    done = play("fastopen.shadowsocks.rollout", "--limit", "ss1", **MORE)
    assert done.status == 0
    yield
    back("c2,c3,c4")


def works(name: str, plain: bool = True) -> None:
    """The host's tunnel answers; plain: and nothing of a step is left."""
    if plain:
        assert "--fast-open" not in arguments(name, UNIT)
        assert not host(name).run("find /etc/systemd/system /run/systemd/system -name zz-fastopen.conf").stdout
    host(name).check_output(f"curl -sSf --retry 5 --retry-all-errors -o /dev/null --socks5 127.0.0.1:1080 {ORIGIN}")


def fast(name: str) -> None:
    """The host is promoted, and its tunnel answers."""
    assert "--fast-open" in arguments(name, UNIT)
    works(name, plain=False)


def last(run: Run, words: str) -> bool:
    """Whether this is among the last lines, in front of the recap."""
    return words in " ".join(run.output.split("PLAY RECAP")[0].splitlines()[-25:])


def test_one_full_disk_of_two(tmp_path: Path) -> None:
    """c3 cannot confirm: it is plain again and named, and the wave after it gets TFO."""
    with full(shell("c3"), "/etc/systemd/system"):
        run = rollout("c3,c4", tmp_path, **{**MORE, "rollout_client_waves": [1, "100%"]})
        works("c3")
    assert run.status == 2
    assert run.outcomes() == {"c3": "reverted", "c4": "promoted"}
    assert "No space left on device" in run.reasons("c3")
    assert last(run, "c3"), run.output
    fast("c4")
    back("c4")


def test_faults_of_three_hosts_in_one_wave(tmp_path: Path) -> None:
    """No room for the step of c2; while it bakes c3 reboots, and the owner of c4 stops its service."""

    def baking() -> None:
        host("c4").check_output(f"systemctl stop {UNIT}")
        fleet("reboot", "c3")

    with full(shell("c2"), "/run/systemd/system"):
        run = rollout("c2,c3,c4", tmp_path, baking, **MORE)
        works("c2")
    works("c3")
    assert host("c4").run(f"systemctl is-active {UNIT}").stdout.strip() == "inactive"
    host("c4").check_output(f"systemctl start {UNIT}")
    works("c4")
    assert run.status == 2
    assert set(run.outcomes().values()) == {"reverted"}
    assert last(run, "c2: reverted: [Errno 28] No space left on device: '/run/systemd/system/")
    assert last(run, "c3: reverted: ")  # it answered again before the judgement, or at the end of the run
    assert last(run, f"c4: reverted: {ORIGIN} does not answer through main")


def test_crash_while_it_bakes_beside_a_kernel_that_turned_read_only(tmp_path: Path) -> None:
    """systemd has the service of c3 running again at once, and no client needs its kernel to be written."""
    with ExitStack() as stack:

        def baking() -> None:
            stack.enter_context(read_only_kernel(shell("c4")))
            host("c3").check_output(f"systemctl kill --signal=SEGV {UNIT}")

        run = rollout("c3,c4", tmp_path, baking, **MORE)
    assert run.outcomes()["c4"] == "promoted"
    works("c3", plain=run.outcomes()["c3"] != "promoted")
    fast("c4")
    back("c3,c4")


def test_journal_with_no_room(tmp_path: Path) -> None:
    """On the controller, since the step: it is told, and stands in front of nothing (A10)."""
    reports = tmp_path / "reports"
    reports.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(reports)], check=True)
    try:
        run = rollout("c3", reports, lambda: _fill(reports), **MORE)
    finally:
        subprocess.run(["umount", str(reports)], check=True)
    print(run.status)
    assert "The journal cannot be written" in run.words
    fast("c3")
    back("c3")


def _fill(folder: Path) -> None:
    with suppress(OSError), (folder / "more").open("wb", buffering=0) as stream:
        while stream.write(b" " * 512):
            pass


def test_reboot_in_the_middle_of_a_rollback(tmp_path: Path) -> None:
    """c3, and after it ss1, while their services stop: named, plain as far as it came, and the next rollback does the rest."""
    assert rollout("c3,c4", tmp_path, **MORE).status == 0
    units, way_back = {"c3": UNIT, "ss1": SERVER}, {"rollback_scope": "all", **INSTANCES}
    for name, unit in units.items():
        own(shell(name), unit, "ExecStop=/bin/sleep 20")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(play, "fastopen.shadowsocks.rollback", "--limit", "ss1,c3,c4", **way_back)
        for name, unit in units.items():
            begun(shell(name), unit, "stop", running)
            fleet("reboot", "--hard", name)
    run = running.result()
    assert run.status == 2
    assert {name: figures["failed"] for name, figures in run.recap.items()} == {"c3": 1, "c4": 0, "ss1": 1}
    lost = "not reached: it goes on as it is, or is back in part only: run this again for it"
    assert f"c3 is not proven plain: client: {lost}" in run.words
    assert f"ss1 is not proven plain: server: {lost}" in run.words
    works("c3")
    works("c4")
    assert "--fast-open" not in arguments("ss1", SERVER)
    assert sysctl("ss1", "net.ipv4.tcp_fastopen") == "3"  # the line comes last
    again = play("fastopen.shadowsocks.rollback", "--limit", "ss1,c3,c4", **way_back)
    assert again.status == 0
    works("c3")
    assert sysctl("ss1", "net.ipv4.tcp_fastopen") == "1"
    for name in units:
        assert not host(name).run("ls -d /etc/sysctl.d/99-tfo.conf /var/lib/fastopen /run/fastopen").stdout
