# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout over receptor: sent from a node that reaches no host, run unsliced by one that does, its events sent back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _boxes import assert_fast
from _hosts import journal
from _receptor import Mesh, mesh
from _runner import CLIENTS, MEMBERS, Artifacts, lay_out, told

RETURNED = "{{ lookup('ansible.builtin.env', 'AWX_ISOLATED_DATA_DIR') }}/reports"
"""As docs/awx.md has it."""


@pytest.fixture(scope="module", name="nodes")
def fixture_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Control and execution node."""
    with mesh(tmp_path_factory.mktemp("mesh")) as nodes:
        yield nodes


@pytest.fixture(scope="module", name="job")
def fixture_job(nodes: Mesh) -> Artifacts:
    """The rollout, run once."""
    private, results = nodes.folder / "private", nodes.folder / "results"
    lay_out(private, RETURNED)
    done = nodes.submit(private, nodes.folder / "worker", results, "rollout")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Artifacts(results / "artifacts" / "rollout")


def test_control_node_reaches_no_host(nodes: Mesh) -> None:
    assert not any(nodes.reaches(host) for host in MEMBERS)


def test_status(job: Artifacts) -> None:
    assert (job.status, job.rc) == ("successful", 0)


@pytest.mark.parametrize("client", CLIENTS)
def test_client_is_fast(job: Artifacts, client: str) -> None:
    assert_fast(client)


def test_events_carry_the_lines(job: Artifacts) -> None:
    """On the control node."""
    assert "Plan" in job.lines()
    assert "  promoted     3: ss1, c1, c3" in job.lines()


def test_journal_comes_back_with_the_artifacts(job: Artifacts) -> None:
    """One for all hosts: the execution node keeps nothing of the job."""
    (path,) = (job.folder / "reports").glob("rollout-*.jsonl")
    assert {one["host"]: one["outcome"] for one in journal(path)[-1]["hosts"]} == dict.fromkeys(MEMBERS, "promoted")
    assert path.with_suffix(".html").is_file()


def test_nodes_keep_nothing(nodes: Mesh, job: Artifacts) -> None:
    """Neither the job's folder, nor what was sent: inventory and credentials are in it."""
    assert not (nodes.folder / "worker").exists()
    assert [path for node in ("execution", "control") for path in (nodes.folder / node).rglob("std*")] == []


def test_nothing_secret(job: Artifacts) -> None:
    assert told(job.folder) == []
