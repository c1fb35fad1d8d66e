# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted secrets are looked for in all that is said, kept and run, while playbooks do their work and while they fail.

The tests run in the order of this file: each play is one, and the last ones look at what all of them have left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _hosts
import pytest
from _life import run
from _secrets import LOGIN, PLUGIN, WATCHED, Planted

COLLECTION = "fastopen.shadowsocks"
COOKIE_KEY = str(Path(__file__).parent / "cookie_key.yml")
CHANGE = {"ss_server_limit_nofile": 20000}
ROLLOUT = {"rollout_accept_unmanaged": True, "rollout_retry": True, "rollout_probe_requests": 12}
HOSTS = ",".join(WATCHED)
MODULES = f"/home/{LOGIN}/.ansible/tmp"
Seen = tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """The hosts as their operators have them, watched until the last play has ended (see `test_no_process_…`)."""
    found = Planted(tmp_path_factory.mktemp("secrets"))
    found.write_inventory()
    found.prepare_hosts()
    yield found


@pytest.fixture(scope="module", autouse=True)
def here(planted: Planted) -> Iterator[subprocess.Popen[str]]:
    """The watch over everybody's processes, from before the first play."""
    watch = planted.begin()
    yield watch
    watch.kill()


@pytest.fixture(scope="module")
def seen(planted: Planted, here: subprocess.Popen[str]) -> Seen:
    """What the watch has seen; it ends here, after the last play."""
    return planted.end(here)


def play(
    planted: Planted,
    playbook: str,
    limit: str = HOSTS,
    meanwhile: Callable[[subprocess.Popen[str]], None] | None = None,
    **extra: object,
) -> tuple[int, str]:
    """All that a playbook says at its most talkative, its extra variables in a file; no secret is in it."""
    variables = planted.kept.parent / "extra.json"
    variables.write_text(json.dumps(extra), encoding="utf-8")
    command = [
        "ansible-playbook",
        "--inventory",
        str(planted.inventory),
        playbook,
        "--limit",
        limit,
        "-vvvvv",
        "--diff",
    ]
    words = planted.kept.parent / f"{playbook.rpartition('.')[2]}-{time.time():.0f}.txt"
    with (
        words.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            [*command, "--extra-vars", f"@{variables}"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **planted.environment()},
        ) as process,
    ):
        if meanwhile:
            meanwhile(process)
        status = process.wait(2 * _hosts.PLAY_SECONDS)
    said = words.read_text(encoding="utf-8")
    shown = planted.in_text(said)
    assert not shown, f"{playbook} ended with {status} and told {len(shown)} times: " + "\n".join(shown[:5])
    print(said[said.rfind("PLAY RECAP") :] if meanwhile is None else "")
    return status, said


def test_cookie_key(planted: Planted) -> None:
    """Set, and refused where it is none."""
    assert play(planted, COOKIE_KEY, "ss1")[0] == 0
    status, words = play(planted, COOKIE_KEY, "ss1", tcp_fastopen_key=planted.values["cookie key"] + "-0")
    assert status != 0 and "key" in words


def test_deploy(planted: Planted) -> None:
    assert play(planted, f"{COLLECTION}.deploy")[0] == 0


def test_deploy_of_a_change(planted: Planted) -> None:
    """The diff shows it; the rest of this file has it, too."""
    status, words = play(planted, f"{COLLECTION}.deploy", "ss1", **CHANGE)
    assert status == 0 and "LimitNOFILE=20000" in words


def test_discover(planted: Planted) -> None:
    assert play(planted, f"{COLLECTION}.discover", "ss1,c1,c2", discover_instances=False)[0] == 0


def test_deploy_that_fails(planted: Planted) -> None:
    """Its service may not start the plugin: its last words are told, and everything is put back."""
    run("ss1", f"chmod 0700 {PLUGIN}")
    status, words = play(planted, f"{COLLECTION}.deploy", "ss1", ss_server_limit_nofile=19999)
    run("ss1", f"chmod 0755 {PLUGIN}")
    assert status != 0 and "ss-server@plugged.service does not come up" in words


def test_rollout_that_is_refused(planted: Planted) -> None:
    """What is deployed differs from the inventory."""
    status, words = play(planted, f"{COLLECTION}.rollout", "ss1,c1", **ROLLOUT)
    assert status != 0 and "deploy first" in words


def test_rollout_that_is_killed(planted: Planted) -> None:
    """In the middle of the server's step, together with all that it has started here; a rollback then takes it back.

    c1 is asked as well, as a client of another server, and su has no pipelining: what Ansible leaves there is its
    user's alone, and goes from here as the documentation says.
    """

    def kill(process: subprocess.Popen[str]) -> None:
        run("ss2", "until test -e /run/fastopen/lease.json; do sleep 0.1; done; sleep 1")
        # By its inventory, which nobody else has: Ansible's workers have sessions of their own.
        subprocess.run(["pkill", "--signal", "KILL", "--full", "--", str(planted.inventory)], check=True)

    assert play(planted, f"{COLLECTION}.rollout", "ss2,c2", kill, **ROLLOUT)[0] == -signal.SIGKILL
    assert play(planted, f"{COLLECTION}.rollback", "ss2,c2", rollback_scope="all")[0] == 0
    left = [one for one in planted.in_files("c1") if one["path"].startswith(MODULES)]
    assert {one["mode"] for one in left} <= {"0700"}
    run("c1", f"rm -rf {MODULES}/ansible-tmp-*")


def test_rollout(planted: Planted) -> None:
    """Notifications do not arrive."""
    url = f"http://127.0.0.1:9/{planted.values['notify token']}"
    status, words = play(planted, f"{COLLECTION}.rollout", rollout_notify_url=url, **ROLLOUT, **CHANGE)
    assert status == 0, words[-3000:]
    assert "did not reach rollout_notify_url" in words


def test_audit(planted: Planted) -> None:
    assert play(planted, f"{COLLECTION}.audit")[0] in (0, 2)


def test_rollback(planted: Planted) -> None:
    assert play(planted, f"{COLLECTION}.rollback", rollback_scope="all")[0] == 0


def test_controller_keeps_none(planted: Planted, seen: Seen) -> None:
    """Fact cache, log, journals and reports of runs, temporary files."""
    assert list((planted.kept / "reports").iterdir()) and (planted.kept / "ansible.log").stat().st_size
    assert not planted.on_controller()


@pytest.mark.parametrize("name", WATCHED)
def test_host_keeps_none(planted: Planted, seen: Seen, name: str) -> None:
    """Files that were changed, whoever may read them, temporary files and copies; the journal."""
    group = run(name, "getent group shadowsocks | cut -d: -f3").strip()
    wanted = [(f"/etc/shadowsocks/{one}.json", "0640", f"0:{group}") for one in planted.configs.get(name, [])]
    if name == "ss1":
        wanted += [("/etc/sysctl.d/99-tfo.conf", "0600", "0:0")]
    found = {(one["path"], one["mode"], one["owner"]) for one in planted.in_files(name)}
    assert found == set(wanted)


def test_no_process_has_any(seen: Seen) -> None:
    """Arguments and environment; but for a plugin, whose options are in its environment by SIP003."""
    known = [one for one in seen[0] if (one["secret"], one["where"]) == ("plugin option", "environ")]
    assert known and [one for one in seen[0] if one not in known] == []


def test_no_other_user_reads_any(planted: Planted, seen: Seen) -> None:
    """A process of nobody tried every open file all the time."""
    for name, lines in seen[1].items():
        assert lines[-1]["tried"] > 1000, name
        assert [planted.in_text(one["content"]) for one in lines[:-1] if planted.in_text(one["content"])] == []
