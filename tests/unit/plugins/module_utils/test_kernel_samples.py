# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reader over what kernels from 5.10 on really said: `make kernels RECORD=1` recorded it (tests/kernels)."""

from __future__ import annotations

import errno
import json
import pathlib
import sys

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _addresses
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _counters,
    _kernel,
    _probe,
    _proc,
    _tfo_bits,
    _transaction,
    _uptime,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _path, _tcp_info
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path._attempt import Attempt
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _listeners
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _sock_diag

SAMPLES = {
    path.stem: json.loads(path.read_text(encoding="ascii"))
    for path in sorted((pathlib.Path(__file__).parent / "samples").glob("*.json"))
}
CASES = [
    pytest.param(case, id=f"{name}-{title}") for name, seen in SAMPLES.items() for title, case in seen["cases"].items()
]
ERRORS = {None: None, "ENOTSUP": errno.EOPNOTSUPP, "ECONNREFUSED": errno.ECONNREFUSED}
little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the samples are bytes of little-endian kernels")


@pytest.fixture(params=SAMPLES)
def seen(request: pytest.FixtureRequest) -> dict:
    """What one kernel said."""
    return SAMPLES[request.param]


@pytest.fixture
def proc(seen: dict, tmp_path: pathlib.Path) -> str:
    """A folder like its /proc."""
    sysctls = {_proc.sysctl_path(name, ""): value for name, value in seen["first_namespace"].items()}
    for name, text in {**seen["proc"], **sysctls}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text.rstrip()}\n", encoding="ascii")
    return str(tmp_path)


def test_there_are_samples() -> None:
    assert {"5.10", "6.1", "6.12"} < set(SAMPLES)


def attempts_of(case: dict) -> list[Attempt]:
    """As they were made."""
    made = []
    for kind, connected, ms, handshake_ms, error, *opened in case["attempts"]:
        code = ERRORS[error and error.partition(":")[0]]
        made.append(Attempt(kind, connected, ms, handshake_ms, code, *opened))
    return made


@pytest.mark.parametrize("case", CASES)
def test_verdict(case: dict) -> None:
    """The same as in the kernel; whether it could pause was seen there."""
    assert _path.classify(attempts_of(case), pausable=case["verdict"] == "paused") == case["verdict"]


@pytest.mark.parametrize("case", CASES)
def test_verdict_without_reasons(case: dict) -> None:
    """The kernel before 5.5 gives none; number and time of what was sent again tell the same."""
    attempts = [attempt._replace(client_fail=_tcp_info.UNSPECIFIED) for attempt in attempts_of(case)]
    assert _path.classify(attempts, pausable=case["verdict"] == "paused") == case["verdict"]


@little_endian
@pytest.mark.parametrize("case", CASES)
def test_tcp_info(case: dict) -> None:
    connected = [attempt for attempt in attempts_of(case) if attempt.connected]
    for raw, attempt in zip(case["tcp_info"], connected[-1:]):
        opened = _tcp_info.parse(bytes.fromhex(raw))
        assert opened == (attempt.syn_data, attempt.client_fail, attempt.retransmits)
        assert 0 <= _tcp_info.rtt_ms(bytes.fromhex(raw)) < 1000 * (attempt.handshake_ms or 0)


@little_endian
def test_sock_diag(seen: dict) -> None:
    """Of the longer struct tcp_info, behind attributes whose number grows."""
    for told in seen["sock_diag"]:
        message = bytes.fromhex(told["message"])
        _cookie, owner = _sock_diag._MESSAGE.unpack_from(message)
        info = _sock_diag._attribute(message[_sock_diag._MESSAGE.size :], _sock_diag._INFO)
        assert owner == 0 and len(info) > _tcp_info._SIZE
        assert list(_sock_diag._connection(info)) == told["connection"]
        assert told["connection"][:2] == [told["kind"] == "fast_open", 0]
    assert [told["kind"] for told in seen["sock_diag"]] == ["plain", "fetches the cookie", "fast_open"] * 2


def test_counters(proc: str) -> None:
    """All that a rollout looks at, under their names."""
    counters = _counters.read(proc)
    assert set(_counters.NAMES) <= set(counters)
    assert counters["TCPFastOpenActive"] > counters["TCPFastOpenBlackhole"] == 1
    assert counters["TCPFastOpenActiveFail"] > 0 and counters["TCPSynRetrans"] > 0
    assert counters["OutSegs"] > counters["RetransSegs"] > 0
    assert counters["MaxConn"] == -1


def test_paused(seen: dict, proc: str) -> None:
    """Never where detection is off, which all of them have as their default."""
    assert seen["first_namespace"][_proc.BLACKHOLE_TIMEOUT] == "0"
    assert not _path.pausable(proc)
    pathlib.Path(_proc.sysctl_path(_proc.BLACKHOLE_TIMEOUT, proc)).write_text("60\n", encoding="ascii")
    assert _path.pausable(proc)


def test_bits(seen: dict) -> None:
    """Whatever text was written, the collection reads what the kernel made of it."""
    for text, kept in seen["bits"].items():
        if kept == "EINVAL":
            with pytest.raises(ValueError, match="kernel"):
                _tfo_bits.parse(text)
        else:
            assert str(_tfo_bits.parse(text)) == kept


def test_keys(seen: dict) -> None:
    """What the collection takes reads back as it is compared; what the kernel refuses is refused before."""
    taken = 0
    for text, kept in seen["keys"].items():
        try:
            assert _kernel.normalise_key(text) == kept
            taken += 1
        except _transaction.KernelError:
            assert kept == "EINVAL" or text.count(",") == 2 or text == "0-0-0-0"
    assert taken == 4


def test_unset_key(seen: dict, proc: str) -> None:
    assert _probe.key_state(proc) == "unset"
    assert _transaction.is_unset_key(_proc.FASTOPEN_KEY, seen["unset_key"])


def test_uptime(seen: dict, proc: str) -> None:
    assert 0 < _uptime.seconds(proc) <= float(seen["proc"]["uptime"].split()[0])


def test_listeners(proc: str) -> None:
    """The ports of the three that listened."""
    assert [(holder.address, holder.port) for holder in _listeners.tcp(proc=proc)] == [
        ("::", port) for port in (8388, 8389, 8390)
    ]


def test_addresses(proc: str) -> None:
    """Both families', a deprecated one too."""
    assert _addresses.read(proc) == ["192.0.2.1", "192.0.2.3", "fd00:2::1", "fd00:2::3"]
