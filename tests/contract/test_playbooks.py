# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How playbooks read where they are recorded, and which settings of an operator they do not take over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from _collection import PLAYBOOKS, ROOT, read_yaml


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_name_and_labels_for_ara(playbook: str) -> None:
    """Once, in the first play: ARA adds up the labels of all plays."""
    first, *others = read_yaml(ROOT / "playbooks" / f"{playbook}.yml")
    assert first["vars"]["ara_playbook_name"] == f"TCP Fast Open: {playbook}"
    assert first["vars"]["ara_playbook_labels"] == ["fastopen.shadowsocks", playbook]
    assert not [name for play in others for name in play.get("vars", {}) if name.startswith("ara_")]
    assert all(play["name"] for play in [first, *others])


@pytest.mark.parametrize("playbook", ["rollout", "rollback"])
def test_no_task_is_ended_by_a_time_limit(playbook: str) -> None:
    """ANSIBLE_TASK_TIMEOUT is for all tasks; here it would end a bake, a step or a way back in the middle."""
    assert {play.get("timeout") for play in read_yaml(ROOT / "playbooks" / f"{playbook}.yml")} == {0}


@pytest.mark.parametrize("playbook", ["rollout", "rollback", "audit", "discover"])
def test_no_host_ends_the_others(playbook: str) -> None:
    """With ANSIBLE_ANY_ERRORS_FATAL one that is not reached, or refused, would: a kill switch would not name whom it missed."""
    plays = read_yaml(ROOT / "playbooks" / f"{playbook}.yml")
    assert [play.get("any_errors_fatal") for play in plays] == [False] * len(plays)


@pytest.mark.parametrize(("canary", "plays"), [("", [0, 2]), ("c1", [1, 1]), ("c1,c2", [2, 0])])
def test_inventory_without_a_canary(tmp_path: Path, canary: str, plays: list[int]) -> None:
    """ANSIBLE_HOST_PATTERN_MISMATCH=error ends a run at a play that names a group which is not there: after the servers."""
    text = "[shadowsocks_servers]\n[shadowsocks_clients]\nc1\nc2\n"
    (tmp_path / "hosts").write_text(
        text + (f"[canary]\n{canary}\n".replace(",", "\n") if canary else ""), encoding="utf-8"
    )
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [program, "-i", tmp_path / "hosts", ROOT / "playbooks" / "rollout.yml", "--list-hosts"],
        env={**os.environ, "ANSIBLE_HOST_PATTERN_MISMATCH": "error"},
        check=True,
        capture_output=True,
        text=True,
    )
    counts = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("hosts (")]
    assert counts[2:4] == [f"hosts ({number}):" for number in plays]


@pytest.mark.parametrize(
    ("limit", "sides"),
    [
        ("shadowsocks_servers", ["server"]),
        ("shadowsocks_servers:!ss2", ["server"]),
        ("shadowsocks_servers:&dc1,!ss2", ["server"]),
        ("shadowsocks_servers:c1", ["server", "client"]),
        ("shadowsocks_servers:!ss2:c1", ["server", "client"]),
        ("shadowsocks_servers2", ["server", "client"]),
        ("ss1", ["server", "client"]),
        (None, ["server", "client"]),
    ],
)
def test_limit_to_servers(limit: str | None, sides: list[str]) -> None:
    """All of them, or some: the run stops after servers also on hosts that are clients as well."""
    tasks = read_yaml(ROOT / "roles" / "rollout" / "tasks" / "preflight.yml")
    (loop,) = (task["loop"] for task in tasks if "fastopen.shadowsocks.tfo_host" in task)
    known = {"__rollout_sides": ["server", "client"], **({"ansible_limit": limit} if limit else {})}
    assert Templar(loader=DataLoader(), variables=known).template(trust_as_template(loop)) == sides


@pytest.mark.parametrize(
    ("back", "told"),
    [
        ({"reasons": ["it still runs"], "outcome": "failed"}, "it still runs"),
        ({"failed": True, "msg": "sudo: no"}, "ss1: rollout_probe_url: x; sudo: no"),
        (
            {"failed": True, "msg": "", "module_stderr": "no python\n"},
            "ss1: rollout_probe_url: x; the task failed: no python",
        ),
    ],
)
def test_why_a_host_is_not_plain(back: dict[str, object], told: str) -> None:
    """A variable that cannot be read may be why, and may have nothing to do with it: the task's own words are there, too."""
    tasks = read_yaml(ROOT / "roles" / "rollout" / "tasks" / "back.yml")
    (why,) = (task["vars"]["__rollout_why_not"] for task in tasks if "__rollout_why_not" in task.get("vars", {}))
    known = {"__rollout_back": back, "__rollout_door": {"errors": ["ss1: rollout_probe_url: x"]}}
    assert Templar(loader=DataLoader(), variables=known).template(trust_as_template(why)) == told
