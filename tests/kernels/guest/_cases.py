# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a server, a client or a box between them treats TCP Fast Open."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from _inside import NOBODY, inside
from _probes import probe, write
from _settings import K1, K2
from _wire import EXPERIMENTAL, FAST_OPEN, PORT, SERVER, Wire, syn_with_data
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _path

UNASKED, ALL = PORT + 1, PORT + 2  # listeners without the socket option, of before 0x400 was set and of after
_PAUSE_SECONDS = 60


def set_up(wire: Wire) -> None:
    """Have the listeners of all cases."""
    wire.listen()
    wire.listen(queue=0, port=UNASKED)
    write(wire.server, tcp_fastopen=0x403)
    wire.listen(queue=0, port=ALL)


def cases(wire: Wire) -> Iterator[dict]:
    """One case after the other. Each begins with the client on, the server on, no rule, and no cookie known."""
    for function in (value for name, value in globals().items() if name.startswith("case_")):
        write(wire.client, tcp_fastopen=1, tcp_syncookies=1, tcp_fastopen_blackhole_timeout_sec=0)
        write(wire.server, tcp_fastopen=3, tcp_syncookies=1, tcp_fastopen_key=K1)
        wire.client.run("ip", "tcp_metrics", "flush")
        before = [inside(end.name, _counters.read) for end in (wire.client, wire.server)]
        paths = function(wire)
        after = [inside(end.name, _counters.read) for end in (wire.client, wire.server)]
        risen = [
            {name: count for name, count in _counters.delta(*pair).items() if count and name in _counters.NAMES}
            for pair in zip(before, after)
        ]
        yield {"case": function.__name__[5:], "paths": paths, "client": risen[0], "server": risen[1]}


def _warm(wire: Wire, port: int = PORT) -> None:
    for family, path in probe(wire, port).items():
        assert path["verdict"] == _path.FAST_OPEN, f"{family}: {path['verdict']}"


@contextlib.contextmanager
def _iptables(wire: Wire, *rule: str) -> Iterator[None]:
    """What the SYNs meet while the block runs. Debian 11's nft knows neither the option nor how to strip it."""
    for program in ("iptables-nft", "ip6tables-nft"):
        wire.server.run(program, "-t", "mangle", "-A", "PREROUTING", "-p", "tcp", "--syn", *rule)
    yield
    wire.server.rules()


def _strip(wire: Wire, *options: int) -> contextlib.AbstractContextManager[None]:
    return _iptables(wire, "-j", "TCPOPTSTRIP", "--strip-options", ",".join(map(str, options)))


def case_both_on(wire: Wire) -> dict:
    return probe(wire)


def case_as_nobody(wire: Wire) -> dict:
    return probe(wire, user=NOBODY)


def case_server_off(wire: Wire) -> dict:
    write(wire.server, tcp_fastopen=1)
    return probe(wire)


def case_server_off_cookie_held(wire: Wire) -> dict:
    _warm(wire)
    write(wire.server, tcp_fastopen=1)
    return probe(wire)


def case_client_off(wire: Wire) -> dict:
    write(wire.client, tcp_fastopen=2)
    return probe(wire)


def case_listener_did_not_ask(wire: Wire) -> dict:
    return probe(wire, UNASKED)


def case_all_listeners_set_later(wire: Wire) -> dict:
    write(wire.server, tcp_fastopen=0x403)
    return probe(wire, UNASKED)


def case_all_listeners(wire: Wire) -> dict:
    write(wire.server, tcp_fastopen=0x403)
    return probe(wire, ALL)


def case_all_listeners_without_accept(wire: Wire) -> dict:
    write(wire.server, tcp_fastopen=0x401)
    return probe(wire, ALL)


def case_send_without_cookie(wire: Wire) -> dict:
    write(wire.client, tcp_fastopen=5)
    return probe(wire)


def case_both_without_cookie(wire: Wire) -> dict:
    write(wire.client, tcp_fastopen=5)
    write(wire.server, tcp_fastopen=0x203)
    return probe(wire)


def case_option_stripped(wire: Wire) -> dict:
    with _strip(wire, FAST_OPEN):
        return probe(wire)


def case_both_options_stripped(wire: Wire) -> dict:
    with _strip(wire, FAST_OPEN, EXPERIMENTAL):
        return probe(wire)


def case_both_options_stripped_cookie_held(wire: Wire) -> dict:
    _warm(wire)
    with _strip(wire, FAST_OPEN, EXPERIMENTAL):
        return probe(wire)


def case_syn_data_dropped(wire: Wire) -> dict:
    wire.server.rules(*syn_with_data("drop"))
    paths = probe(wire)
    wire.server.rules()
    return paths


def case_option_dropped(wire: Wire) -> dict:
    with _iptables(wire, "--tcp-option", str(FAST_OPEN), "-j", "DROP"):
        return probe(wire)


def case_syn_cookies_always(wire: Wire) -> dict:
    write(wire.server, tcp_syncookies=2)
    return probe(wire)


def case_syn_cookies_always_cookie_held(wire: Wire) -> dict:
    _warm(wire)
    write(wire.server, tcp_syncookies=2)
    return probe(wire)


def case_key_replaced(wire: Wire) -> dict:
    _warm(wire)
    write(wire.server, tcp_fastopen_key=K2)
    return probe(wire)


def case_key_rotated(wire: Wire) -> dict:
    _warm(wire)
    write(wire.server, tcp_fastopen_key=f"{K2},{K1}")
    return probe(wire)


def case_nobody_listens(wire: Wire) -> dict:
    return probe(wire, PORT + 9)


def case_paused(wire: Wire) -> dict:
    """An outage of eight seconds, three time-outs, as blackhole detection takes it."""
    write(wire.client, tcp_fastopen_blackhole_timeout_sec=_PAUSE_SECONDS)
    wire.server.rules("tcp flags & (syn|ack) == syn drop")
    inside(wire.client.name, _outage)
    wire.server.rules()
    return probe(wire)


def _outage() -> None:
    with socket.socket() as sock:
        sock.setblocking(False)
        try:
            sock.sendto(b"x", _attempt._MSG_FASTOPEN, (SERVER["ipv4"], PORT))
        except BlockingIOError:
            pass
        end = time.monotonic() + 20
        while not _counters.read().get("TCPFastOpenBlackhole") and time.monotonic() < end:
            time.sleep(0.2)
