# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is killed leaves a trace and nothing else: the run while it bakes, the measurement with its temporary clients."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from _boxes import BAKING, assert_fast, assert_plain, back, rollout
from _hosts import INVENTORY, ORIGIN, fleet, host, play
from _seen import arguments, config

TEMPORARY = "pgrep --full 'ss-?local -c /dev/fd/[0-9]'"


def test_run_killed_while_it_bakes(tmp_path: Path) -> None:
    """The host is held until its lease ends; another run is refused by name, and may take over."""
    killed = rollout("c2", tmp_path, kill=True)
    assert killed.status == -9
    assert [event.get("what") for event in killed.events] == [None, "begin", "measured", "stepped"]
    assert killed.wave()["hosts"]["c2"]["outcome"] == "stepped"
    run = killed.events[0]["run"]

    second = rollout("c2", tmp_path)
    assert second.status != 0
    assert f"c2: claimed by run {run} of " in second.words
    assert f"-e rollout_take_over={run}" in second.words

    third = rollout("c2", tmp_path, rollout_take_over=run)
    assert third.status == 0
    assert "c2 client send -> send, to be proven" in third.words
    assert third.verdict() == "promote"
    assert third.outcomes() == {"c2": "promoted"}
    assert_fast("c2")

    fourth = rollout("c2", tmp_path)
    assert fourth.status == 0
    assert "c2 client send already, confirmed" in fourth.words
    assert BAKING not in fourth.output
    back("c2")


def test_host_of_a_killed_run_undoes_the_step_when_its_lease_ends(tmp_path: Path) -> None:
    rollout("c3", tmp_path, kill=True, rollout_probe_requests=5)
    assert "--fast-open" in arguments("c3", "ss-local@main.service")
    _wait(
        lambda: not host("c3").file("/run/fastopen/lease.json").exists, 200.0
    )  # only then its service is not restarting
    assert "--fast-open" not in arguments("c3", "ss-local@main.service")
    assert_plain("c3")
    again = rollout("c3", tmp_path, rollout_retry=False)
    assert again.outcomes() == {"c3": "promoted"}
    assert_fast("c3")
    back("c3")


def test_rebooted_host_of_a_killed_run_is_plain(tmp_path: Path) -> None:
    rollout("c3", tmp_path, kill=True)
    fleet("reboot", "c3")
    assert_plain("c3")
    again = rollout("c3", tmp_path)
    assert again.outcomes() == {"c3": "promoted"}
    back("c3")


def test_rollback_ends_a_rollout(tmp_path: Path) -> None:
    """The run goes on to judge, and is told at its next call on the host who took it back and when."""
    run = rollout("c2", tmp_path, lambda: back("c2"))
    assert run.status != 0
    assert "has no say on this host any more: rollback of send by " in run.words
    assert_plain("c2")


def test_deploy_of_a_change_while_it_bakes(tmp_path: Path) -> None:
    """The service is restarted with its new config, under its step; what it does then is judged."""
    instance = {"name": "main", "server": "ss2", "server_instance": "main", "local_port": 1080, "timeout_seconds": 61}

    def deploy(**extra: object) -> None:
        done = play("fastopen.shadowsocks.deploy", "--limit", "c2", **extra)
        assert done.status == 0 and done.recap["c2"]["changed"] == 1, done.output

    run = rollout("c2", tmp_path, lambda: deploy(ss_client_instances=[instance]), rollout_bake_seconds=60)
    assert run.outcomes() == {"c2": "promoted"}
    assert config("c2", "ss-local-main")["timeout"] == 61
    assert_fast("c2")
    deploy()
    back("c2")


def test_measurement_killed() -> None:
    """Both temporary clients die with the module, and the password is neither in an argument nor in a file of theirs."""
    shell = host("c2")
    password = "embedded-fleet-ss2"
    shell.check_output("touch /run/fastopen-before")
    arguments = {"instances": "{{ ss_client_instances }}", "url": ORIGIN, "requests": 1000}
    command = ["ansible", "c2", "--inventory", str(INVENTORY), "--module-name", "fastopen.shadowsocks.tfo_tunnel"]
    command += ["--args", json.dumps(arguments)]
    environment = {**os.environ, "ANSIBLE_PIPELINING": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as run:
        try:
            _wait(lambda: len(_temporary()) == 2)
            clients = _temporary()
            everybody = shell.check_output("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")
            assert password not in everybody
            written = shell.run(
                f"find /tmp /var/tmp /run /root /home /dev/shm -xdev -type f -newer /run/fastopen-before "
                f"-exec grep -l {password} {{}} +"
            )
            assert written.stdout == ""
            owners = [int(uid) for uid in shell.check_output(f"ps -o uid= -p {','.join(clients)}").split()]
            cores = shell.check_output(f"cat /proc/{clients[0]}/limits /proc/{clients[1]}/limits | grep 'core file'")
            assert all(line.split()[4:6] == ["0", "0"] for line in cores.splitlines())
            everyone = [int(uid) for uid in shell.check_output("ps -e -o uid=").split()]
            assert len(owners) == 2 and all(65520 <= uid < 65534 and everyone.count(uid) == 1 for uid in owners)
            (module,) = set(shell.check_output(f"ps -o ppid= -p {','.join(clients)}").split())
            shell.check_output(f"kill -KILL {module}")
            _wait(lambda: not _temporary())
        finally:
            output = run.communicate(timeout=60)[0]
    assert run.returncode != 0, output


def _temporary() -> list[str]:
    return host("c2").run(TEMPORARY).stdout.split()


def _wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
