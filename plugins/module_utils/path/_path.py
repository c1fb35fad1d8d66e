# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One path from this host to a server's port, judged by plain and fast-open attempts in turn."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters, _proc, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _attempt, _tcp_info
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path._attempt import Attempt

FAST_OPEN = "fast_open"
NO_COOKIE = "no_cookie"
DATA_REFUSED = "data_refused"
SYN_DROPPED = "syn_dropped"
CLIENT_OFF = "client_off"
PAUSED = "paused"
UNREACHABLE = "unreachable"

ATTEMPTS = 4  # the kernel may need three: option 34 refused, experimental option 254 tried, data sent
_RTO_MS = 900  # a SYN is sent again after one second (RFC 6298 section 2), the clock is rounded


def syn_lost(attempt: Attempt) -> bool:
    """Tell whether the attempt's SYN had to be sent again.

    `retransmits` alone does not tell: SYN data that the server refused is sent again too, but at once.
    """
    if attempt.client_fail == _tcp_info.SYN_RETRANSMITTED or not attempt.connected:
        return True
    if attempt.client_fail == _tcp_info.DATA_NOT_ACKED or not attempt.retransmits:
        return False
    return attempt.handshake_ms is not None and attempt.handshake_ms >= _RTO_MS


def classify(attempts: Sequence[Attempt], pausable: bool = True) -> str:
    """Return the verdict on attempts in the order in which they were made; plain ones may be among them or not.

    `pausable` is False where the kernel's blackhole detection cannot have paused TCP Fast Open.
    The first fast open may only have fetched the cookie, so it decides nothing where others follow. SYNs are
    called dropped when most of the others lost theirs: a single loss is the network's.
    """
    plain = [attempt for attempt in attempts if attempt.kind == "plain"]
    fast = [attempt for attempt in attempts if attempt.kind == "fast_open"]
    if any(attempt.errno == errno.EOPNOTSUPP for attempt in fast):
        return CLIENT_OFF
    warm = fast[1:] or fast
    if not warm or not any(attempt.connected for attempt in (plain or fast)):
        return UNREACHABLE
    arrived = [attempt for attempt in warm if not syn_lost(attempt)]
    if 2 * len(arrived) < len(warm):
        return SYN_DROPPED
    return _verdict(arrived[-1], pausable)


def is_paused(attempt: Attempt) -> bool:
    """Tell whether the attempt's SYN arrived, without the option, since the kernel has paused TCP Fast Open."""
    return not syn_lost(attempt) and _verdict(attempt, pausable()) == PAUSED


def _verdict(attempt: Attempt, pausable: bool) -> str:
    """Return the verdict of one attempt whose SYN arrived."""
    if attempt.syn_data:
        return FAST_OPEN
    if attempt.client_fail == _tcp_info.COOKIE_UNAVAILABLE:
        return NO_COOKIE
    if attempt.client_fail == _tcp_info.UNSPECIFIED and not attempt.retransmits:
        return PAUSED if pausable else NO_COOKIE  # before Linux 5.5 the reason is always 0
    return DATA_REFUSED


def probe(
    host: str,
    port: int,
    attempts: int = ATTEMPTS,
    timeout: float = _attempt.TIMEOUT_SECONDS,
    family: int | None = None,
    ipv6_first: bool = False,
) -> dict:
    """Return one entry of `tfo_path`'s `paths`; `family` limits a name to AF_INET or AF_INET6, see `addresses`.

    The first address that a plain connection reaches is probed. Times are medians in milliseconds from the first
    call to the acknowledgement of one byte, None where there is none.
    """
    made: list[Attempt] = []
    address, problem = None, None
    try:
        found = addresses(host, port, family, ipv6_first)
    except OSError as error:
        found, problem = [], f"the name does not resolve: {error.strerror}"
    for address in found:
        made = [_attempt.plain(address, port, timeout=timeout)]
        if made[0].connected:
            break
    while made and made[0].connected and len(made) < 2 * attempts:
        kind = _attempt.fast_open if len(made) % 2 else _attempt.plain
        made.append(kind(address, port, timeout=timeout))
        if made[-1].errno == errno.EOPNOTSUPP:
            break
    verdict = classify(made, pausable=pausable())
    plain_ms = _median([attempt for attempt in made if attempt.kind == "plain"])
    fast = [attempt for attempt in made if attempt.kind == "fast_open"]
    fast_open_ms = _median(fast[1:] or fast)
    return {
        "host": host,
        "port": port,
        "address": address,
        "verdict": verdict,
        "plain_ms": plain_ms,
        "fast_open_ms": fast_open_ms,
        "extra_ms": None if plain_ms is None or fast_open_ms is None else round(fast_open_ms - plain_ms, 2),
        "attempts": [attempt.to_dict() for attempt in made],
        "error": problem,
    }


def addresses(host: str, port: int, family: int | None = None, ipv6_first: bool = False) -> list[str]:
    """Return a name's addresses in the order in which Shadowsocks tries them: IPv4 first, unless it is told otherwise.

    getaddrinfo(3) by itself has IPv6 first, which is another path (get_sockaddr() in libev's src/netutils.c). Raises OSError.
    """
    found = socket.getaddrinfo(host, port, family or socket.AF_UNSPEC, socket.SOCK_STREAM)
    first = socket.AF_INET6 if ipv6_first else socket.AF_INET
    return list(dict.fromkeys(entry[4][0] for entry in sorted(found, key=lambda entry: entry[0] != first)))


def pausable(proc: str = "/proc") -> bool:
    """Tell whether blackhole detection may have paused TCP Fast Open here: it is on and has fired at least once."""
    timeout = _proc.read_sysctl(_proc.BLACKHOLE_TIMEOUT, proc)
    fired = _counters.read(proc).get("TCPFastOpenBlackhole", 0)
    return timeout is not None and _tfo_bits.parse(timeout) > 0 and fired > 0


def _median(attempts: Sequence[Attempt]) -> float | None:
    """Return the median time of the attempts that were acknowledged."""
    times = sorted(attempt.ms for attempt in attempts if attempt.ms is not None)
    half = len(times) // 2
    return round((times[half] + times[~half]) / 2, 2) if times else None
