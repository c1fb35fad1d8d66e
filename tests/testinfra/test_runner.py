# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout and its way back as jobs of ansible-runner, as AWX starts them; docs/awx.md has the project's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from _boxes import assert_fast, assert_plain
from _hosts import journal
from _runner import CLIENTS, MEMBERS, Artifacts, lay_out, run, told


@pytest.fixture(scope="module", name="private")
def fixture_private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job's private data directory; reports are kept beside it."""
    private = tmp_path_factory.mktemp("job") / "private"
    lay_out(private, str(private.parent / "reports"))
    return private


@pytest.fixture(scope="module", name="job")
def fixture_job(private: Path) -> Artifacts:
    """The rollout, run once, with its events on standard output as well."""
    done = run(private, "rollout")
    job = Artifacts(private / "artifacts" / "rollout")
    assert done.returncode == 0, job.stdout[-3000:]
    streamed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["uuid"] for one in streamed if one["event"] != "verbose"] == [one["uuid"] for one in job.events]
    return job


def test_status(job: Artifacts) -> None:
    assert (job.status, job.rc) == ("successful", 0)
    (stats,) = [one["event_data"] for one in job.events if one["event"] == "playbook_on_stats"]
    assert not stats["failures"] and not stats["dark"] and set(stats["ok"]) >= set(MEMBERS)


@pytest.mark.parametrize("client", CLIENTS)
def test_client_is_fast(job: Artifacts, client: str) -> None:
    assert_fast(client)


def test_events_carry_the_lines(job: Artifacts) -> None:
    """Plan, waves and end, without the collection's own callback."""
    assert job.results("tfo_plan")[0]["lines"][0].startswith("Journal: ")
    assert "Plan" in job.results("tfo_plan")[0]["lines"]
    assert "  promoted     3: ss1, c1, c3" in job.lines()


def test_survey_is_text(job: Artifacts) -> None:
    """The one wave behind the canary that the answer asks for."""
    (path,) = Path(job.folder.parents[2], "reports").glob("rollout-*.jsonl")
    waves = list(journal(path)[0]["waves"])
    assert waves == ["batch 1", "canary", "wave 1"]


def test_journal_and_report(job: Artifacts) -> None:
    """Where rollout_report_dir says: the page beside the journal."""
    reports = job.folder.parents[2] / "reports"
    (path,) = reports.glob("rollout-*.jsonl")
    assert {one["host"]: one["outcome"] for one in journal(path)[-1]["hosts"]} == dict.fromkeys(MEMBERS, "promoted")
    assert path.with_suffix(".html").is_file()
    assert job.lines()[0] == f"Journal: {path}"


def test_nothing_secret(private: Path, job: Artifacts) -> None:
    """Neither in an event, nor in what the job has said or kept."""
    assert told(job.folder) == []
    assert told(private.parent / "reports") == []


def test_way_back(private: Path, job: Artifacts) -> None:
    """A second job template of the same project."""
    done = run(private, "rollback", "rollback.yml")
    assert done.returncode == 0, done.stdout[-3000:]
    for client in CLIENTS:
        assert_plain(client)
