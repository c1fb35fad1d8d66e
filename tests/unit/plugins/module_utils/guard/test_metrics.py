# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of a host, as text."""

from __future__ import annotations

import dataclasses
import re

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _metrics, _tick

FACTS = _metrics.Facts(
    version="0.1.0",
    kernel='6.1 "x"',
    now=1000.6,
    stages={"client": "off"},
    intended={"client": "send"},
    changed={"client": 900.2},
    counters={
        "TCPFastOpenActive": 7,
        "TCPFastOpenActiveFail": 2,
        "TCPFastOpenPassive": 3,
        "TCPFastOpenPassiveFail": 0,
        "TCPFastOpenListenOverflow": 0,
    },
    undone=[("client", "guard")],
    reverts=1,
    watching=True,
    paused=False,
    boot_agrees=True,
    kill_switch=False,
    problems=2,
)
SAMPLE = re.compile(r'(\w+)(\{(\w+="[^"\\]*(\\.[^"\\]*)*",?)+\})? \d+')


def samples(facts=FACTS):
    """Each sample and its value."""
    lines = [line for line in _metrics.render(facts).splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines), lines
    return dict(line.rsplit(" ", 1) for line in lines)


def test_client():
    """Only the sides that the host has; stages as sets of 0 and 1."""
    assert samples() == {
        'tfo_info{version="0.1.0",kernel="6.1 \\"x\\""}': "1",
        'tfo_stage{side="client",stage="off"}': "1",
        'tfo_stage{side="client",stage="send"}': "0",
        'tfo_stage_intended{side="client",stage="off"}': "0",
        'tfo_stage_intended{side="client",stage="send"}': "1",
        'tfo_stage_changed_timestamp_seconds{side="client"}': "900",
        'tfo_syn_data_total{side="client",result="acked"}': "7",
        'tfo_syn_data_total{side="client",result="failed"}': "2",
        "tfo_guard_reverts_total": "1",
        "tfo_guard_last_run_timestamp_seconds": "1001",
        "tfo_guard_watching": "1",
        "tfo_paused": "0",
        'tfo_undone{side="client",by="lease"}': "0",
        'tfo_undone{side="client",by="guard"}': "1",
        'tfo_undone{side="client",by="operator"}': "0",
        'tfo_undone{side="client",by="rollout"}': "0",
        "tfo_boot_agrees": "1",
        "tfo_kill_switch": "0",
        "tfo_problems": "2",
    }


def test_server():
    """Its counters are others."""
    found = samples(
        dataclasses.replace(FACTS, stages={"server": "accept"}, intended={"server": "accept"}, changed={"server": 1.0})
    )
    told = [name for name in found if name.startswith("tfo_syn_data_total")]
    assert [re.findall(r'result="(\w+)"', name)[0] for name in told] == ["accepted", "refused", "overflow"]
    assert found['tfo_syn_data_total{side="server",result="accepted"}'] == "3"


def test_counters_that_the_kernel_does_not_tell():
    """Are no zeros."""
    found = samples(dataclasses.replace(FACTS, counters={"TCPFastOpenActive": 7}, watching=False, paused=True))
    told = {name: value for name, value in found.items() if name.startswith("tfo_syn_data_total")}
    assert told == {'tfo_syn_data_total{side="client",result="acked"}': "7"}
    assert (found["tfo_guard_watching"], found["tfo_paused"]) == ("0", "1")


def test_families():
    """Each with its help and type, before its samples and once; _total are counters, and nothing else is."""
    text = _metrics.render(FACTS)
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = re.findall(r"^# HELP (\S+) \S.+\.$", text, re.MULTILINE)
    names = list(dict.fromkeys(re.split("[{ ]", sample)[0] for sample in samples()))
    assert list(types) == helps == names
    assert all((kind == "counter") is name.endswith("_total") for name, kind in types.items())


@pytest.mark.parametrize("stages", [{}, {"client": "send"}, {"client": "send", "server": "off"}])
def test_refreshed(stages):
    """What the tick rewrites is what a full look would write."""
    facts = dataclasses.replace(FACTS, stages=stages, intended=stages, changed=dict.fromkeys(stages, 1.0))
    later = {name: number for number, name in enumerate(_tick.SAMPLES.values(), 100)}
    text = _tick.refreshed(_metrics.render(facts), 2000.0, later)
    assert text == _metrics.render(dataclasses.replace(facts, counters=later, now=2000.0))
