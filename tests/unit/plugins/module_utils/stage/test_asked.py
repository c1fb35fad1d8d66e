# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bits that role tcp_fastopen asks for, beside what services need and what the kill switch forbids."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc, _ss_processes
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._switch import Line
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lock, _record

KEY = _proc.FASTOPEN
SERVER = {"side": "server", "mode": "flag", "program": "ss-server", "port": 8388, "address": "::1", "url": ""}
UNITS = {"ss-server@main.service": SERVER}
KILLED = {"by": "run 7 of me", "when": "2026-01-01T00:00:00Z"}
NEEDS_IT = _ss_processes.FastOpenProcess(7, "ss-local", "fast_open is true in /etc/main.json")


def confirmed(host, **fields: object) -> _record.Record:
    """A server that a rollout has confirmed: bits and line are there."""
    line = Line("/etc/sysctl.d/99-tfo.conf", (), "3")
    record = _record.Record(**{"units": dict(UNITS), "raised": 2, "line": line, **fields})
    _record.store(record)
    host.set(KEY, "3")
    host.write(host.file, f"# TCP Fast Open: written by the Ansible collection fastopen.shadowsocks\n{KEY} = 3\n")
    return record


def test_there_and_back(kernel_host) -> None:
    before = kernel_host.tree()
    result = kernel_host.converge(accept=True, all_listeners=True)
    assert (kernel_host.get(), result.snapshot) == ("1027", None)
    assert f"{KEY} = 1027\n" in kernel_host.read()
    assert _record.load() == _record.Record(
        raised=0x402, line=Line("/etc/sysctl.d/99-tfo.conf", (), "1027"), asked=0x402
    )
    after = kernel_host.tree()
    assert not kernel_host.converge(accept=True, all_listeners=True).changed and kernel_host.tree() == after
    planned = kernel_host.restore(check=True)
    assert kernel_host.tree() == after
    assert planned == kernel_host.restore() and planned.changed
    assert kernel_host.tree() == before and not (kernel_host.root / "var/lib/fastopen").exists()
    assert not kernel_host.restore().changed


def test_what_is_not_given_is_kept(kernel_host) -> None:
    kernel_host.converge(accept=True)
    kernel_host.set(KEY, "1")
    assert kernel_host.converge(accept=None, somaxconn=8192).after["value"] == 3
    kernel_host.converge(accept=None, send=False)
    assert (_record.load().asked, _record.load().refused, kernel_host.get()) == (2, 1, "2")


@pytest.mark.parametrize("stated", [None, {"units": dict(UNITS), "raised": 2}])
def test_without_a_request_the_bits_are_left_alone(kernel_host, stated: dict | None) -> None:
    _record.store(_record.Record(**(stated or {})))
    kernel_host.set(KEY, "0x605")
    kept = _record.load()
    kernel_host.converge(somaxconn=8192)
    kernel_host.restore()
    assert (kernel_host.get(), _record.load()) == ("0x605", kept)


@pytest.mark.parametrize(
    ("value", "wanted", "after"),
    [
        ("1539", {"accept": False}, "1537"),
        ("0x200", {"send": True}, "513"),
        ("3", {"accept": True}, "3"),
        ("3", {"accept": False, "send": False}, "0"),
        ("1", {"accept": True, "all_listeners": False}, "3"),
    ],
)
def test_only_the_named_bits_change_and_come_back(kernel_host, value: str, wanted: dict, after: str) -> None:
    kernel_host.set(KEY, value)
    kernel_host.converge(**wanted)
    assert kernel_host.get() == after
    kernel_host.restore()
    assert int(kernel_host.get()) == int(value, 0)


@pytest.mark.parametrize("text", ["net/ipv4/tcp_fastopen=0x3", "net.ipv4.tcp_fastopen = 9\nnet.ipv4.tcp_fastopen = 03"])
def test_values_in_the_file_are_compared_as_numbers(kernel_host, text: str) -> None:
    kernel_host.set(KEY, "3")
    kernel_host.write(kernel_host.file, text)
    assert not kernel_host.converge(accept=True).changed
    assert kernel_host.converge(accept=False).changed
    assert kernel_host.read() == "net.ipv4.tcp_fastopen = 1"
    kernel_host.restore()
    assert kernel_host.read() == text


def test_services_keep_what_they_need(kernel_host) -> None:
    record = confirmed(kernel_host)
    before = kernel_host.tree()
    kernel_host.converge(accept=True, somaxconn=8192)
    assert kernel_host.restore().after["value"] == 3
    assert (_record.load(), kernel_host.tree()) == (record, before)


def test_a_request_outlives_the_rollout_that_raised_the_bit(kernel_host) -> None:
    confirmed(kernel_host)
    kernel_host.converge(accept=True)
    record = _record.load()
    record.units.clear()  # its way down
    _record.store(record)
    assert not kernel_host.converge(accept=True).changed
    kernel_host.restore()
    assert (kernel_host.get(), _record.load()) == ("1", _record.Record())
    assert not (kernel_host.root / kernel_host.file).exists()


def test_a_step_under_its_lease_is_not_made_to_last(kernel_host) -> None:
    _record.store_lease(_record.Lease("r1", deadline=1e12, units=dict(UNITS), raised=2))
    kernel_host.set(KEY, "3")
    kernel_host.converge(send=True)
    assert (kernel_host.get(), _record.load()) == ("3", _record.Record(asked=1))
    assert not (kernel_host.root / kernel_host.file).exists()
    kernel_host.converge(accept=True)
    assert f"{KEY} = 3\n" in kernel_host.read()
    assert (_record.load().raised, _record.load_lease().raised) == (2, 2)
    kernel_host.converge(accept=False)
    assert (kernel_host.get(), _record.load().raised, _record.load_lease().raised) == ("1", 0, 0)


def test_the_role_may_refuse_what_a_service_needs(kernel_host) -> None:
    confirmed(kernel_host)
    before = kernel_host.tree()
    assert kernel_host.converge(accept=False).after["accept"] is False
    assert not (kernel_host.root / kernel_host.file).exists()
    kernel_host.restore()
    assert kernel_host.tree() == before


@pytest.mark.parametrize("check", [True, False])
def test_the_kill_switch_overrules(kernel_host, check: bool) -> None:
    _record.store(_record.Record(killed=KILLED))
    result = kernel_host.converge(check, accept=True, all_listeners=True)
    assert result.after["accept"] is False and int(kernel_host.get()) & 2 == 0
    [warning] = result.warnings
    assert "kill switch of run 7 of me is on since 2026-01-01T00:00:00Z" in warning
    assert "-e rollback_scope=accept -e rollback_lift=true" in warning
    assert kernel_host.converge(check, accept=False).warnings == []
    if not check:
        kernel_host.converge(accept=True)
        record = _record.load()
        record.killed = None
        _record.store(record)
        assert kernel_host.converge(send=True).after["accept"] is True


@pytest.mark.parametrize(("name", "line"), [("50-guide", f"{KEY} = 1\n"), ("99-tfo", f"{KEY} = 1\n")])
def test_the_kill_switch_holds_at_boot(kernel_host, name: str, line: str) -> None:
    kernel_host.write(f"etc/sysctl.d/{name}.conf", f"{KEY} = 3\n")
    before = kernel_host.tree()
    _record.store(_record.Record(killed=KILLED))
    kernel_host.converge(accept=True)
    assert kernel_host.read().endswith(line)
    kernel_host.restore()
    assert kernel_host.read().endswith(line)  # still on
    _record.store(_record.Record(**{**vars(_record.load()), "killed": None, "asked": 2}))
    kernel_host.restore()
    assert kernel_host.tree() == before


def test_another_file_gives_it_already(kernel_host) -> None:
    """field.md, B5."""
    kernel_host.write("etc/sysctl.d/local.conf", f"{KEY} = 3\n")
    kernel_host.set(KEY, "3")
    before = kernel_host.tree()
    assert not kernel_host.converge(accept=True, send=True).changed
    assert not (kernel_host.root / kernel_host.file).exists()
    result = kernel_host.restore()
    assert (result.changed, result.diff) == (True, [])  # the request is gone, and nothing else
    assert kernel_host.tree() == before


@pytest.mark.parametrize("check", [True, False])
def test_another_file_wins_with_less(kernel_host, check: bool) -> None:
    kernel_host.write("etc/sysctl.d/99-zz.conf", f"{KEY} = 1\n")
    before = kernel_host.tree()
    with pytest.raises(KernelError, match="/etc/sysctl.d/99-zz.conf sets net.ipv4.tcp_fastopen after"):
        kernel_host.converge(check, accept=True, somaxconn=8192)
    assert kernel_host.tree() == before


def test_another_file_does_not_stop_the_way_back(kernel_host) -> None:
    confirmed(kernel_host, asked=2)
    kernel_host.converge(somaxconn=8192)
    kernel_host.write("etc/sysctl.d/99-zz.conf", f"{KEY} = 1\n")
    result = kernel_host.restore()
    assert "99-zz.conf" in result.warnings[0]
    assert (kernel_host.get(_proc.SOMAXCONN), _record.load().asked, _record.load().units) == ("4096", 0, UNITS)


@pytest.mark.parametrize("wanted", [{"all_listeners": True}, {"all_listeners": True, "accept": False}])
def test_all_listeners_needs_accept(kernel_host, wanted: dict) -> None:
    before = kernel_host.tree()
    with pytest.raises(KernelError, match="Set accept: true as well"):
        kernel_host.converge(**wanted)
    assert kernel_host.tree() == before
    kernel_host.set(KEY, "3")
    if "accept" not in wanted:
        assert kernel_host.converge(**wanted).after["value"] == 1027
        return
    with pytest.raises(KernelError, match="Set accept: true as well"):
        kernel_host.converge(**wanted)


@pytest.mark.parametrize("check", [True, False])
def test_processes_that_need_the_bit(kernel_host, check: bool) -> None:
    kernel_host.busy = [NEEDS_IT]
    before = kernel_host.tree()
    with pytest.raises(KernelError, match=r"ss-local \(pid 7\): fast_open is true in /etc/main.json.*force: true"):
        kernel_host.converge(send=False, check=check)
    assert kernel_host.tree() == before
    assert kernel_host.converge(accept=True, check=check).changed
    assert kernel_host.converge(send=False, check=check, force=True).after["send"] is False


def test_processes_that_need_the_bit_when_restoring(kernel_host) -> None:
    kernel_host.set(KEY, "0")
    kernel_host.converge(send=True, accept=True)
    kernel_host.busy = [NEEDS_IT]
    with pytest.raises(KernelError, match="ss-local"):
        kernel_host.restore()
    assert kernel_host.get() == "3"
    assert kernel_host.restore(force=True).after["value"] == 0


def test_a_bit_that_a_rollout_could_not_take_back_is_no_error_here(kernel_host) -> None:
    _record.store(_record.Record(raised=1))
    kernel_host.busy = [NEEDS_IT]
    result = kernel_host.converge(accept=True)
    assert result.after["value"] == 3 and "0x1 stays" in result.warnings[0]
    assert _record.load().raised == 3


def test_kernel_without_it(kernel_host) -> None:
    kernel_host.remove(KEY)
    with pytest.raises(KernelError, match="has no net.ipv4.tcp_fastopen"):
        kernel_host.converge(accept=True)
    assert kernel_host.converge(somaxconn=8192).changed


def test_a_host_that_does_not_let_us_write(kernel_host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "makedirs", refuse)
    with pytest.raises(KernelError, match="run/fastopen cannot be written: Permission denied.*become: true"):
        kernel_host.converge(accept=True)
    assert kernel_host.converge(check=True, accept=True).changed


def test_a_record_that_cannot_be_kept_stops_it_before_the_kernel(kernel_host, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kernel_host.tree()

    def full(_record_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_record, "store", full)
    with pytest.raises(OSError, match="No space"):
        kernel_host.converge(accept=True)
    assert kernel_host.tree() == before


def test_it_waits_for_its_turn(kernel_host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_lock, "SECONDS", 0.05)
    with _lock.hold(), pytest.raises(_record.RecordError, match="is held"):
        kernel_host.converge(accept=True)
