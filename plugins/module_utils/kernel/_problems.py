# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The troubleshooting checklist as data: what is wrong with a host's TCP Fast Open, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _tfo_bits


class Problem(NamedTuple):
    """`severity`: error (broken or unsafe), warning (will break, or is slower than need be), info (good to know)."""

    code: str
    severity: str
    message: str
    remedy: str


# Listeners ask for a queue of 1024 (shadowsocks-libev: MAX_CONNS); the kernel cuts it at somaxconn.
_QUEUE_WANTED = 1024
_SERVERS = ("ss-server", "ssserver", "ssservice server")


def find(facts: dict) -> list[dict[str, str]]:
    """Return the problems seen in a `fastopen` dictionary, errors first; each has code, severity, message, remedy."""
    if facts["sysctl"] is None:
        found = [_without_kernel(facts)]
    else:
        found = [*_bits(facts), *_processes(facts), *_boot(facts), *_key(facts), *_kernel(facts), *_queues(facts)]
    order = ("error", "warning", "info")
    return [problem._asdict() for problem in sorted(found, key=lambda problem: order.index(problem.severity))]


def _without_kernel(facts: dict) -> Problem:
    return Problem(
        "kernel_without_fast_open",
        "error",
        f"Kernel {facts['kernel_release']} shows no net.ipv4.tcp_fastopen in this network namespace.",
        "Use Linux 3.7 or later; inside a container 4.15 or later, or set it on the container's host.",
    )


def _bits(facts: dict) -> Iterator[Problem]:
    """Bits that are dangerous, have no effect, or are unknown."""
    bits = facts["sysctl"]
    if bits["accept_without_cookie"]:
        yield Problem(
            "accept_without_cookie",
            "error",
            "0x200 is set: data in a SYN is accepted from forged addresses.",
            "Clear 0x200 in net.ipv4.tcp_fastopen; cookies need no set-up.",
        )
    if bits["all_listeners"] and not bits["accept"]:
        yield Problem(
            "all_listeners_without_accept",
            "warning",
            "0x400 (all listeners) is set without 0x2 and has no effect.",
            "Set 0x2 as well, or clear 0x400: tfo_sysctl with accept and all_listeners.",
        )
    if bits["accept_without_cookie"] and not bits["accept"]:
        yield Problem(
            "accept_without_cookie_without_accept",
            "warning",
            "0x200 is set without 0x2 and has no effect now; it takes effect once 0x2 is set.",
            "Clear 0x200 in net.ipv4.tcp_fastopen.",
        )
    if bits["send_without_cookie"]:
        yield Problem(
            "send_without_cookie",
            "warning",
            "0x4 is set: SYNs carry data without a cookie, which servers on the internet refuse.",
            "Clear 0x4 in net.ipv4.tcp_fastopen.",
        )
    unknown = bits["value"] & ~_tfo_bits.KNOWN
    if unknown:
        yield Problem(
            "unknown_bits",
            "warning",
            f"net.ipv4.tcp_fastopen is {bits['value']}; no kernel documents its bits {unknown & 0xFFFFFFFF:#x}.",
            "Write the documented bits only; 0x100 and 0x800 are gone from the kernel.",
        )


def _processes(facts: dict) -> Iterator[Problem]:
    """Processes that want what the kernel does not give."""
    names = ", ".join(f"{process['program']} (pid {process['pid']})" for process in facts["processes"])
    if names and not facts["sysctl"]["send"]:
        yield Problem(
            "send_off",
            "error",
            f"0x1 is off while TCP Fast Open is on in {names}: each exits or fails at its first outbound connection.",
            "Set 0x1 (tfo_sysctl with send: true), or switch fast_open off in them and restart them.",
        )
    servers = [process for process in facts["processes"] if process["program"] in _SERVERS]
    if servers and not facts["sysctl"]["accept"]:
        yield Problem(
            "accept_off",
            "warning",
            "0x2 is off although a server runs with TCP Fast Open: no client's SYN data is accepted.",
            "Roll the server out again; where no rollout owns it, set 0x2 (tfo_sysctl with accept: true): it acts at once.",
        )


def _boot(facts: dict) -> Iterator[Problem]:
    """A boot that would change the value."""
    boot = facts["boot"]
    if boot["agrees"] is False:
        source = boot["file"] or "the kernel itself (no file sets it)"
        found = "a value that the kernel refuses" if boot["value"] is None else boot["value"]
        yield Problem(
            "boot_disagrees",
            "warning",
            f"net.ipv4.tcp_fastopen is {facts['sysctl']['value']} now; the next boot takes {found} from {source}.",
            "Remove the line from other files that set it; then a rollout, or tfo_sysctl for bits of your own, persists it.",
        )


def _key(facts: dict) -> Iterator[Problem]:
    """A cookie key that the next boot replaces."""
    if facts["sysctl"]["accept"] and facts["key"] in ("set", "unset") and facts["key_file"] is None:
        yield Problem(
            "key_not_persistent",
            "info",
            "The cookie key is the kernel's random one: after a reboot every client's first fast open falls back.",
            "Nothing for a single server; servers that share an address need one key (tfo_sysctl with key).",
        )


def _kernel(facts: dict) -> Iterator[Problem]:
    """Settings that switch TCP Fast Open off, and bits that packets do not confirm."""
    timeout = facts["blackhole_timeout_seconds"]
    verdicts = facts["loopback"]
    if facts["syncookies"] == 2:
        yield Problem(
            "syncookies_always",
            "error",
            "net.ipv4.tcp_syncookies is 2: no cookie is granted and SYN data is ignored.",
            "Set it to 1 (tfo_sysctl with syncookies: 1).",
        )
    if "paused" in verdicts.values():
        yield Problem(
            "paused",
            "error",
            "The kernel's blackhole detection has paused TCP Fast Open to all destinations.",
            "Write net.ipv4.tcp_fastopen_blackhole_timeout_sec (0 switches the detection off): that ends the pause.",
        )
    elif timeout:
        yield Problem(
            "blackhole_detection",
            "info",
            f"After an outage the kernel pauses TCP Fast Open to all destinations for {timeout} s or longer.",
            "Set blackhole_timeout_seconds: 0 with tfo_sysctl, the kernel's default since 5.14.",
        )
    wrong = [family for family, verdict in verdicts.items() if verdict in ("no_cookie", "data_refused", "syn_dropped")]
    if facts["sysctl"]["accept"] and facts["syncookies"] != 2 and wrong:
        yield Problem(
            "loopback_disagrees",
            "error",
            "0x1 and 0x2 are set, yet SYN data is not accepted over loopback: "
            + ", ".join(f"{family} {verdicts[family]}" for family in wrong)
            + ".",
            "Look for firewall rules on the loopback interface that drop SYNs or strip TCP options 34 and 254.",
        )
    if "unreachable" in verdicts.values():
        yield Problem(
            "loopback_unreachable",
            "warning",
            "A connection over the loopback interface fails.",
            "Bring it up (ip link set lo up) and look for firewall rules on it.",
        )


def _queues(facts: dict) -> Iterator[Problem]:
    """Queues that are too short, or have already overflowed since the network namespace was made."""
    counters = facts["counters"]
    if facts["sysctl"]["accept"] and facts["somaxconn"] is not None and facts["somaxconn"] < _QUEUE_WANTED:
        yield Problem(
            "somaxconn_small",
            "warning",
            f"net.core.somaxconn is {facts['somaxconn']} and cuts every listener's queue.",
            "Set somaxconn: 4096 with tfo_sysctl (the kernel's default since 5.4) and restart the servers.",
        )
    if counters.get("TCPFastOpenListenOverflow", 0) > 0:
        yield Problem(
            "listener_queue_overflow",
            "info",
            f"A listener's TCP Fast Open queue was full {counters['TCPFastOpenListenOverflow']} times (since boot).",
            "ss-server's own queue is 5: use ss_server_fast_open_mode: listener, or more workers.",
        )
    if counters.get("TCPReqQFullDoCookies", 0) > 0:
        yield Problem(
            "syn_queue_overflow",
            "info",
            f"The SYN queue was full {counters['TCPReqQFullDoCookies']} times (since boot): no fast open meanwhile.",
            "Raise max_syn_backlog and somaxconn with tfo_sysctl.",
        )
