# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checklist: which facts make which problems, and what the probe gathers."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _counters,
    _loopback,
    _probe,
    _problems,
    _proc,
    _ss_processes,
    _tfo_bits,
)

SERVER = {"pid": 7, "program": "ss-server", "reason": "--fast-open in its arguments"}
RUST = {"pid": 7, "program": "ssservice server", "reason": "--fast-open in its arguments"}
LOCAL = {"pid": 8, "program": "ss-local", "reason": "fast_open is true in /etc/main.json"}


def facts(value: int | None = 3, **changes: object) -> dict:
    """A healthy server's facts, changed."""
    return {
        "kernel_release": "6.1.0",
        "sysctl": None if value is None else _tfo_bits.describe(value),
        "boot": {"value": value, "file": "/etc/sysctl.d/99-tfo.conf", "agrees": True},
        "loopback": {"ipv4": "fast_open", "ipv6": "fast_open"},
        "key": "set",
        "key_file": "/etc/sysctl.d/99-tfo.conf",
        "syncookies": 1,
        "blackhole_timeout_seconds": 0,
        "somaxconn": 4096,
        "max_syn_backlog": 4096,
        "counters": {},
        "processes": [SERVER],
        **changes,
    }


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        (facts(), []),
        (facts(0x403), []),
        (facts(1, processes=[]), []),
        (facts(None), ["kernel_without_fast_open"]),
        (facts(2), ["send_off"]),
        (facts(0, processes=[]), []),
        (facts(1), ["accept_off"]),
        (facts(1, processes=[RUST]), ["accept_off"]),
        (facts(0), ["send_off", "accept_off"]),
        (facts(1, processes=[LOCAL]), []),
        (facts(0, processes=[LOCAL]), ["send_off"]),
        (facts(0x203), ["accept_without_cookie"]),
        (facts(0x201, processes=[]), ["accept_without_cookie", "accept_without_cookie_without_accept"]),
        (facts(0x401, processes=[]), ["all_listeners_without_accept"]),
        (facts(7), ["send_without_cookie"]),
        (facts(0x103), ["unknown_bits"]),
        (facts(-1), ["accept_without_cookie", "send_without_cookie", "unknown_bits"]),
        (facts(boot={"value": 1, "file": None, "agrees": False}), ["boot_disagrees"]),
        (facts(boot={"value": "unreadable", "file": "/x", "agrees": None}), []),
        (facts(key_file=None), ["key_not_persistent"]),
        (facts(key_file=None, key="unreadable"), []),
        (facts(1, key_file=None, processes=[]), []),
        (facts(syncookies=2), ["syncookies_always"]),
        (facts(loopback={"ipv4": "no_cookie", "ipv6": "fast_open"}), ["loopback_disagrees"]),
        (facts(syncookies=2, loopback={"ipv4": "no_cookie", "ipv6": "no_cookie"}), ["syncookies_always"]),
        (facts(1, processes=[], loopback={"ipv4": "no_cookie", "ipv6": "unavailable"}), []),
        (facts(loopback={"ipv4": "unreachable", "ipv6": "fast_open"}), ["loopback_unreachable"]),
        (facts(loopback={"ipv4": "paused", "ipv6": "paused"}, blackhole_timeout_seconds=60), ["paused"]),
        (facts(blackhole_timeout_seconds=3600), ["blackhole_detection"]),
        (facts(blackhole_timeout_seconds=None), []),
        (facts(somaxconn=128), ["somaxconn_small"]),
        (facts(1, somaxconn=128, processes=[]), []),
        (facts(counters={"TCPFastOpenListenOverflow": 3}), ["listener_queue_overflow"]),
        (facts(counters={"TCPReqQFullDoCookies": 3, "TCPFastOpenListenOverflow": 0}), ["syn_queue_overflow"]),
    ],
)
def test_problems(seen: dict, codes: list[str]) -> None:
    found = _problems.find(seen)
    assert [problem["code"] for problem in found] == codes
    for problem in found:
        assert list(problem) == ["code", "severity", "message", "remedy"]
        assert problem["message"].endswith(".") and problem["remedy"].endswith(".")


@pytest.mark.parametrize(
    ("seen", "part"),
    [
        (facts(boot={"value": 1, "file": "/etc/sysctl.d/z.conf", "agrees": False}), "/etc/sysctl.d/z.conf"),
        (
            facts(boot={"value": None, "file": "/z.conf", "agrees": False}),
            "a value that the kernel refuses from /z.conf",
        ),
        (facts(boot={"value": 1, "file": None, "agrees": False}), "the kernel itself"),
        (facts(2, processes=[SERVER, LOCAL]), "ss-server (pid 7), ss-local (pid 8)"),
        (facts(-1), "0xfffff9f8"),
    ],
)
def test_messages_name_the_thing(seen: dict, part: str) -> None:
    assert any(part in problem["message"] for problem in _problems.find(seen))


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A host with 0x2 set at run time only; its loopback answers with how it was asked."""
    values = {
        _proc.FASTOPEN: "1027",
        _proc.FASTOPEN_KEY: "00000000-00000000-00000000-00000000",
        _proc.SYNCOOKIES: "1",
        _proc.SOMAXCONN: "4096",
        _proc.MAX_SYN_BACKLOG: "512",
    }
    for name, value in values.items():
        path = pathlib.Path(_proc.sysctl_path(name, str(tmp_path / "proc")))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")
    (tmp_path / "etc/sysctl.d").mkdir(parents=True)
    monkeypatch.setattr(_loopback, "probe", lambda family, listen: f"{family.name} {listen}")
    monkeypatch.setattr(_counters, "read", lambda proc: {"TCPFastOpenActive": 3, "RtoMin": 200})
    monkeypatch.setattr(_ss_processes, "find", lambda proc: [_ss_processes.FastOpenProcess(**SERVER)])
    return tmp_path


def test_gather(root: pathlib.Path) -> None:
    found = _probe.observe(str(root))
    assert found["sysctl"] == _tfo_bits.describe(1027)
    assert found["boot"] == {"value": 1, "file": None, "agrees": False}
    assert found["loopback"] == {"ipv4": "AF_INET True", "ipv6": "AF_INET6 True"}
    assert (found["key"], found["key_file"]) == ("unset", None)
    assert (found["syncookies"], found["somaxconn"], found["max_syn_backlog"]) == (1, 4096, 512)
    assert found["blackhole_timeout_seconds"] is None
    assert found["counters"] == {"TCPFastOpenActive": 3}
    assert found["processes"] == [SERVER]
    assert [problem["code"] for problem in found["problems"]] == ["boot_disagrees", "key_not_persistent"]


def test_gather_does_not_listen_where_nothing_is_accepted(root: pathlib.Path) -> None:
    (root / "proc/sys/net/ipv4/tcp_fastopen").write_text("1\n")
    assert _probe.observe(str(root))["loopback"] == {"ipv4": "AF_INET False", "ipv6": "AF_INET6 False"}


def test_gather_without_the_feature(root: pathlib.Path) -> None:
    (root / "proc/sys/net/ipv4/tcp_fastopen").unlink()
    (root / "proc/sys/net/ipv4/tcp_fastopen_key").unlink()
    found = _probe.observe(str(root))
    assert (found["sysctl"], found["key"]) == (None, None)
    assert found["loopback"] == {"ipv4": "unsupported", "ipv6": "unsupported"}
    assert [problem["code"] for problem in found["problems"]] == ["kernel_without_fast_open"]


@pytest.mark.parametrize(
    ("line", "boot"),
    [
        ("net.ipv4.tcp_fastopen = 0x403", {"value": 1027, "agrees": True}),
        ("net.ipv4.tcp_fastopen = 3", {"value": 3, "agrees": False}),
        ("net.ipv4.tcp_fastopen = three", {"value": None, "agrees": False}),
    ],
)
def test_boot_is_compared_as_a_number(root: pathlib.Path, line: str, boot: dict) -> None:
    (root / "etc/sysctl.d/a.conf").write_text(line)
    assert _probe.observe(str(root))["boot"] == {**boot, "file": "/etc/sysctl.d/a.conf"}


def test_key_states(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "proc/sys/net/ipv4/tcp_fastopen_key"
    path.write_text("00000000-00000000-00000000-0000000a\n")
    assert _probe.key_state(str(root / "proc")) == "set"

    def refuse(name: str, proc: str) -> str:
        raise PermissionError

    monkeypatch.setattr(_proc, "read_sysctl", refuse)
    assert _probe.key_state(str(root / "proc")) == "unreadable"
