# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bits and their line: who wants what, what is there, and what goes back."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _lines,
    _proc,
    _ss_processes,
    _switch,
    _sysctl_files,
    _tfo_bits,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._switch import Line, Wants
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError

KEY = _proc.FASTOPEN
LINE = Line(_switch.FILE, (), "3")
BEFORE, AFTER = "etc/sysctl.d/50-guide.conf", "etc/sysctl.d/local.conf"
COMMAND_LINE = "ro sysctl.net.ipv4.tcp_fastopen=3 quiet\n"
MESSAGE = "At boot /etc/sysctl.d/local.conf sets net.ipv4.tcp_fastopen after /etc/sysctl.d/99-tfo.conf and wins"


@pytest.mark.parametrize(
    ("value", "wants", "raised", "after", "still_raised"),
    [
        (1, Wants(), 0, 1, 0),
        (1, Wants(needed=3), 0, 3, 2),
        (3, Wants(needed=3), 0, 3, 0),  # somebody else's already
        (3, Wants(needed=3), 2, 3, 2),
        (0x201, Wants(needed=0x402), 0, 0x603, 0x402),  # other bits stay
        (3, Wants(), 2, 1, 0),
        (3, Wants(), 0, 3, 0),
        (3, Wants(needed=1), 2, 1, 0),
        (3, Wants(asked=2), 2, 3, 2),  # the role asked for it: a rollout's way down leaves it
        (1, Wants(), 2, 1, 0),  # cleared by hand since
        (1, Wants(needed=2), 2, 3, 2),  # cleared by hand, and still needed
        (0x605, Wants(refused=0x400), 0, 0x205, 0),
        (3, Wants(needed=3, refused=2), 2, 1, 0),
        (3, Wants(needed=3, asked=2, killed=True), 2, 1, 0),
        (1, Wants(needed=3, killed=True), 0, 1, 0),
        (0x403, Wants(needed=0x402, killed=True), 0x402, 0x401, 0x400),
    ],
)
def test_run_time(value: int, wants: Wants, raised: int, after: int, still_raised: int) -> None:
    planned = _switch.plan_run_time(value, wants, raised)
    assert (planned.after, planned.raised, planned.kept) == (after, still_raised, [])


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ([Wants(refused=2), Wants()], 3),
        ([Wants(refused=2), Wants(asked=2), Wants()], 3),
        ([Wants(killed=True), Wants()], 3),
        ([Wants(refused=3), Wants(refused=2), Wants()], 3),
        ([Wants(needed=0x402), Wants(needed=0x402, refused=0x400), Wants()], 3),
        ([Wants(refused=1), Wants(refused=1)], 2),
    ],
)
def test_what_is_not_refused_any_more_is_as_it_was(steps: list[Wants], end: int) -> None:
    value, raised, lowered = 3, 0, 0
    for wants in steps:
        planned = _switch.plan_run_time(value, wants, raised, (), lowered)
        value, raised, lowered = planned.after, planned.raised, planned.lowered
    assert value == end
    assert (raised, lowered) == (0, 3 & ~end)


@pytest.mark.parametrize("wants", [Wants(), Wants(refused=1)])
def test_0x1_stays_under_a_process_that_needs_it(wants: Wants) -> None:
    planned = _switch.plan_run_time(3, wants, 3, ["ss-local (pid 7): --fast-open in its arguments"])
    assert (planned.after, planned.raised) == (1, 1)
    assert "0x1 stays" in planned.kept[0] and "ss-local (pid 7)" in planned.kept[0]
    assert _switch.plan_run_time(2, wants, 3, ["ss-local (pid 7)"]).kept == []


@pytest.mark.parametrize(
    ("lower", "ending", "after", "raised"), [(True, [], 1, 1), (True, [7], 0, 0), (False, [7], 3, 3)]
)
def test_run_time_of_a_host(kernel_host, lower: bool, ending: list[int], after: int, raised: int) -> None:
    kernel_host.set(KEY, "3")
    kernel_host.busy = [_ss_processes.FastOpenProcess(7, "ss-local", "why")]
    root = str(kernel_host.root)
    planned = _switch.run_time(Wants(), 3, root=root, ending=ending, lower=lower)
    assert (planned.before, planned.after, planned.raised) == (3, after, raised)
    _switch.write(planned, root=root)
    assert kernel_host.get() == str(after)


def test_kernel_that_does_not_take_it(kernel_host, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = _switch.run_time(Wants(needed=2), 0, root=str(kernel_host.root))
    monkeypatch.setattr(_proc, "write_sysctl", lambda name, value, proc: None)
    with pytest.raises(KernelError, match="did not keep"):
        _switch.write(planned, root=str(kernel_host.root))

    def refuse(name: str, value: str, proc: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_proc, "write_sysctl", refuse)
    with pytest.raises(KernelError, match="become: true"):
        _switch.write(planned, root=str(kernel_host.root))
    kernel_host.remove(KEY)
    with pytest.raises(KernelError, match="needs Linux 3.7"):
        _switch.run_time(Wants(needed=2), 0, root=str(kernel_host.root))


def boot(host, wants: Wants, line: t.Optional[Line] = None, **options: str) -> _switch.Boot:
    """Plan, persist, plan again with nothing left to do, and see that the boot gives what is said."""
    planned = _switch.plan_boot(wants, line, root=str(host.root), **options)
    _switch.persist(planned)
    found = _sysctl_files.boot_value(KEY, str(host.root)).value
    assert planned.value == (1 if found in (None, "off") else _tfo_bits.parse(found))
    again = _switch.plan_boot(wants, planned.line, root=str(host.root), **options)
    assert (again.line, again.value, again.files) == (planned.line, planned.value, {})
    return planned


@pytest.mark.parametrize(
    ("files", "wants", "value", "ours"),
    [
        ({}, Wants(needed=3), 3, True),
        ({}, Wants(needed=1), 1, False),  # the kernel's default
        ({}, Wants(needed=0x402), 0x403, True),
        ({BEFORE: "3"}, Wants(needed=3), 3, False),
        ({BEFORE: "0x203"}, Wants(needed=0x402), 0x603, True),
        ({BEFORE: "2"}, Wants(needed=1), 3, True),
        ({AFTER: "3"}, Wants(needed=3), 3, False),  # field.md, B5
        ({AFTER: "1027"}, Wants(asked=2), 1027, False),
        ({AFTER: "1"}, Wants(needed=1), 1, False),
        ({AFTER: "1"}, Wants(refused=2), 1, False),
        ({BEFORE: "3"}, Wants(killed=True), 1, True),  # kill switch: our line turns it off
        ({BEFORE: "3"}, Wants(needed=3, killed=True), 1, True),
        ({AFTER: "1", BEFORE: "3"}, Wants(killed=True), 1, False),
        ({}, Wants(needed=3, killed=True), 1, False),
        ({BEFORE: "off"}, Wants(needed=3), 3, True),
    ],
)
def test_a_line_only_where_the_files_of_others_do_not_do(kernel_host, files, wants, value, ours) -> None:
    for path, text in files.items():
        kernel_host.write(path, f"{KEY} = {text}\n")
    before = kernel_host.tree()
    planned = boot(kernel_host, wants)
    assert planned.value == value
    assert planned.line == (Line(_switch.FILE, (), str(value)) if ours else None)
    if ours:
        assert kernel_host.read() == f"{_lines.HEADER}\n{KEY} = {value}\n"
    assert boot(kernel_host, Wants(), planned.line).line is None
    assert kernel_host.tree() == before


@pytest.mark.parametrize(
    ("wants", "value", "ours"),
    [
        (Wants(needed=3), 3, False),
        (Wants(needed=0x402), 0x403, True),
        (Wants(killed=True), 1, True),  # without a line the boot would switch it on again
        (Wants(refused=2), 1, True),
        (Wants(), 3, False),
    ],
)
def test_bits_of_the_kernels_command_line(kernel_host, wants, value, ours) -> None:
    kernel_host.write("proc/cmdline", COMMAND_LINE)
    planned = boot(kernel_host, wants)
    assert (planned.value, planned.line is not None) == (value, ours)


@pytest.mark.parametrize(
    ("text", "wants"),
    [("1", Wants(needed=3)), ("2", Wants(asked=1)), ("3", Wants(killed=True)), ("3", Wants(refused=2))],
)
def test_another_file_decides_otherwise(kernel_host, text: str, wants: Wants) -> None:
    kernel_host.write(AFTER, f"{KEY} = {text}\n")
    with pytest.raises(KernelError, match=MESSAGE):
        _switch.plan_boot(wants, None, root=str(kernel_host.root))


def test_a_file_that_no_boot_reads(kernel_host) -> None:
    with pytest.raises(KernelError, match="/etc/sysctl.d/99-tfo is not read at boot"):
        _switch.plan_boot(Wants(needed=2), None, file="/etc/sysctl.d/99-tfo", root=str(kernel_host.root))


def test_boot_that_applies_no_file(kernel_host) -> None:
    """A masked systemd-sysctl: refused where a line would be needed, and no way down waits for it."""
    root = str(kernel_host.root)
    line = _switch.plan_boot(Wants(needed=2), None, root=root)
    _switch.persist(line)
    unit = kernel_host.root / "etc/systemd/system/systemd-sysctl.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.symlink_to("/dev/null")
    with pytest.raises(KernelError, match="masked: no boot reads /etc/sysctl.d/99-tfo.conf. systemctl unmask"):
        _switch.plan_boot(Wants(needed=2), line.line, root=root)
    assert _switch.plan_boot(Wants(needed=1), None, root=root).line is None
    assert _switch.plan_boot(Wants(), line.line, root=root).new is None


@pytest.mark.parametrize(
    "text",
    [
        "# theirs\nnet.core.rmem_max = 1\n-net.ipv4.tcp_fastopen = 1\nnet/ipv4/tcp_fastopen = 0x1\nlast = 1\n",
        "net.core.rmem_max = 1",
        b"# \xff\xfe\nnet/ipv4/tcp_fastopen=1",
        "",
    ],
)
def test_in_a_file_of_others(kernel_host, text: t.Union[str, bytes]) -> None:
    kernel_host.write(kernel_host.file, text, 0o640)
    before = kernel_host.tree()
    planned = boot(kernel_host, Wants(needed=3))
    with open(kernel_host.root / kernel_host.file, "ab") as stream:
        stream.write(b"\nadded.since = 1\n")
    killed = boot(kernel_host, Wants(needed=3, killed=True), planned.line)
    boot(kernel_host, Wants(), boot(kernel_host, Wants(needed=3), killed.line).line)
    assert (kernel_host.root / kernel_host.file).read_bytes().endswith(b"\nadded.since = 1\n")
    os.truncate(kernel_host.root / kernel_host.file, len(text))
    assert kernel_host.tree() == before


@pytest.mark.parametrize(
    ("changed", "wants", "left"),
    [
        (f"{KEY} = 1\n", Wants(), f"{KEY} = 1\n"),
        (f"{KEY} = 1027\n", Wants(), f"{KEY} = 1027\n"),
        ("# no more\n", Wants(), "# no more\n"),
        (f"{KEY} = 1\n", Wants(killed=True), f"{KEY} = 1\n"),
        (f"{KEY} = 1027\n", Wants(needed=3), f"{KEY} = 1027\n"),
    ],
)
def test_a_line_that_was_changed_since_is_theirs(kernel_host, changed: str, wants: Wants, left: str) -> None:
    kernel_host.write(kernel_host.file, changed)
    assert boot(kernel_host, wants, LINE).line is None
    assert kernel_host.read() == left


def test_a_changed_line_that_does_not_do_is_replaced_and_comes_back(kernel_host) -> None:
    kernel_host.write(kernel_host.file, f"{KEY} = 1\n")
    planned = boot(kernel_host, Wants(needed=3), LINE)
    assert planned.line == Line(_switch.FILE, (f"{KEY} = 1",), "3")
    boot(kernel_host, Wants(), planned.line)
    assert kernel_host.read() == f"{KEY} = 1\n"


@pytest.mark.parametrize("wants", [Wants(needed=3), Wants()])
def test_a_line_moves_with_the_name_of_the_file(kernel_host, wants: Wants) -> None:
    kernel_host.write(kernel_host.file, "# mine\n")
    first = boot(kernel_host, Wants(needed=3))
    moved = boot(kernel_host, wants, first.line, file="/etc/sysctl.d/zz.conf")
    assert kernel_host.read() == "# mine\n"
    assert moved.line == (Line("/etc/sysctl.d/zz.conf", (), "3") if wants.needed else None)
    assert set(moved.files) == {str(kernel_host.root / path) for path in [kernel_host.file, *_where(wants)]}


def _where(wants: Wants) -> list[str]:
    return ["etc/sysctl.d/zz.conf"] if wants.needed else []


def test_two_names_of_one_file(kernel_host) -> None:
    kernel_host.write("etc/sysctl.conf", "# old\n")
    (kernel_host.root / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    first = boot(kernel_host, Wants(needed=3), file="/etc/sysctl.conf")
    assert boot(kernel_host, Wants(needed=3), first.line, file="/etc/sysctl.d/99-sysctl.conf").files == {}
    boot(kernel_host, Wants(), first.line, file="/etc/sysctl.d/99-sysctl.conf")
    assert kernel_host.read("etc/sysctl.conf") == "# old\n"
    assert (kernel_host.root / "etc/sysctl.d/99-sysctl.conf").is_symlink()


def test_a_vendors_file_of_the_same_name_is_not_hidden(kernel_host) -> None:
    kernel_host.write("usr/lib/sysctl.d/99-tfo.conf", f"{KEY} = 3\nnet.core.rmem_max = 1\n")
    assert boot(kernel_host, Wants(needed=3)).line is None
