# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/metrics.md lists what the textfiles hold, with their types and labels, and nothing reads any other metric."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from _collection import ROOT

DOCUMENT = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(tfo_\w+)` \| (gauge|counter) \|(.*?)\| (.+) \|$", DOCUMENT, re.MULTILINE)
LISTED = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _meaning in ROWS}
PATTERN = re.search(r"^```text\n(\^.*\$)\n```$", DOCUMENT, re.MULTILINE)


def recorded() -> dict[str, tuple[str, set[str]]]:
    """Metrics of the recorded textfiles."""
    kinds: dict[str, str] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests" / "prometheus").glob("*.prom")):
        text = path.read_text(encoding="utf-8")
        kinds.update(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
        for name, braces in re.findall(r"^(\w+)(\{.*\})? \S+$", text, re.MULTILINE):
            labels[name] |= set(re.findall(r'(\w+)="', braces))
    return {name: (kind, labels[name]) for name, kind in kinds.items()}


def test_document_lists_what_is_written() -> None:
    assert LISTED == recorded()


@pytest.mark.parametrize("name", LISTED)
def test_name_is_one_that_prometheus_expects(name: str) -> None:
    assert name.endswith("_total") == (LISTED[name][0] == "counter")


@pytest.mark.parametrize("file", ["prometheus/rules/fastopen.yml"])
def test_nothing_reads_another_metric(file: str) -> None:
    read = set(re.findall(r"\btfo_\w+", (ROOT / "extensions" / file).read_text(encoding="utf-8")))
    assert read and read <= set(LISTED)


def test_pattern_keeps_the_counters_and_is_the_same_everywhere() -> None:
    assert PATTERN
    pattern = PATTERN.group(1)
    assert DOCUMENT.count(pattern) == 3
    for field in (
        "TcpExt_TCPFastOpenActiveFail",
        "TcpExt_TCPFastOpenCookieReqd",
        "Tcp_ActiveOpens",
        "TcpExt_TCPSynRetrans",
    ):
        assert re.search(pattern, field)
    assert not re.search(pattern, "TcpExt_TCPPureAcks")
