# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kernel has to say for the collection to be right on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _tfo_bits

UNSPECIFIED, NO_COOKIE, NOT_ACKED, LOST = range(4)


class Case(NamedTuple):
    """The verdict, and the kernel's reason of the first and of the last attempt with TFO; None: none is made."""

    verdict: str
    first: int | None = NO_COOKIE
    last: int | None = UNSPECIFIED


CASES = {
    "both_on": Case("fast_open"),
    "as_nobody": Case("fast_open"),
    "server_off": Case("no_cookie", last=NO_COOKIE),
    "server_off_cookie_held": Case("data_refused", NOT_ACKED, NOT_ACKED),
    "client_off": Case("client_off", UNSPECIFIED),
    "listener_did_not_ask": Case("no_cookie", last=NO_COOKIE),
    "all_listeners_set_later": Case("no_cookie", last=NO_COOKIE),
    "all_listeners": Case("fast_open"),
    "all_listeners_without_accept": Case("no_cookie", last=NO_COOKIE),
    "send_without_cookie": Case("data_refused", NOT_ACKED, NOT_ACKED),
    "both_without_cookie": Case("fast_open", UNSPECIFIED),
    "option_stripped": Case("fast_open"),
    "both_options_stripped": Case("no_cookie", last=NO_COOKIE),
    "both_options_stripped_cookie_held": Case("data_refused", NOT_ACKED, NOT_ACKED),
    "syn_data_dropped": Case("syn_dropped", last=LOST),
    "option_dropped": Case("syn_dropped", last=NO_COOKIE),
    "syn_cookies_always": Case("no_cookie", last=NO_COOKIE),
    "syn_cookies_always_cookie_held": Case("data_refused", NOT_ACKED, NOT_ACKED),
    "key_replaced": Case("fast_open", NOT_ACKED),
    "key_rotated": Case("fast_open", UNSPECIFIED),
    "nobody_listens": Case("unreachable", None, None),
    "paused": Case("paused", UNSPECIFIED),
}
"""As on every kernel since Linux 5.5, which was the first to give its reasons."""
COUNTED = {
    ("both_on", "client", "TCPFastOpenActive"): 6,
    ("both_on", "server", "TCPFastOpenPassive"): 6,
    ("both_on", "server", "TCPFastOpenCookieReqd"): 2,
    ("server_off", "server", "TCPFastOpenCookieReqd"): 8,
    ("server_off_cookie_held", "client", "TCPFastOpenActiveFail"): 8,
    ("syn_data_dropped", "client", "TCPSynRetrans"): 6,
    ("key_replaced", "server", "TCPFastOpenPassiveFail"): 2,
    ("key_rotated", "server", "TCPFastOpenPassiveAltKey"): 2,
    ("key_rotated", "server", "TCPFastOpenPassiveFail"): 0,
    ("paused", "client", "TCPFastOpenBlackhole"): 1,
}
"""By case, end and name: how much a counter rises over both families."""


def problems(seen: dict) -> list[str]:
    """What is not as it has to be; a kernel that did not get to its end is one too."""
    return list(_problems(seen)) if "end" in seen else ["it did not get to its end"]


def cases(seen: dict) -> dict[str, dict]:
    """What was told of each case, by its name."""
    return {section[5:]: told for section, told in seen.items() if section.startswith("case ")}


def _problems(seen: dict) -> Iterator[str]:
    told = cases(seen)
    for name, case in CASES.items():
        for family, path in told[name]["paths"].items():
            fast = [attempt[6] for attempt in path["attempts"] if attempt[0] == "fast_open"]
            found = Case(path["verdict"], *((fast[0], fast[-1]) if fast else (None, None)))
            if found != case:
                yield f"{name}, {family}: {found}, not {case}"
    for (name, end, counter), wanted in COUNTED.items():
        risen = told[name][end].get(counter, 0)
        if risen != wanted:
            yield f"{name}: {counter} of the {end} rose by {risen}, not by {wanted}"
    for text, kept in seen["bits"].items():
        if kept != (read := _parsed(text)):
            yield f"bits {text!r}: the kernel keeps {kept}, the collection reads {read}"
    for name, answer in seen["options"].items():
        if answer != "ok":
            yield f"setsockopt {name} by nobody: {answer}"
    for opened in seen["sock_diag"]:
        if not opened["connection"] or opened["connection"][:2] != [opened["kind"] == "fast_open", 0]:
            yield f"sock_diag, {opened['kind']}: {opened['connection']}"
    yield from _modules(seen["modules"])


def _parsed(text: str) -> str:
    try:
        return str(_tfo_bits.parse(text))
    except ValueError:
        return "EINVAL"


def _modules(told: dict) -> Iterator[str]:
    """tfo_sysctl sets everything and takes it back, tfo_probe sees it in between."""
    if not told["changed"]["changed"] or told["changed"]["after"]["value"] != 0x403:
        yield f"tfo_sysctl: {told['changed']['after']}, not 1027"
    if told["probed"]["loopback"] != {"ipv4": "fast_open", "ipv6": "fast_open"} or told["probed"]["key"] != "set":
        yield f"tfo_probe: {told['probed']['loopback']}, key {told['probed']['key']}"
    if told["restored"]["after"] != told["changed"]["before"]:
        yield f"tfo_sysctl restored {told['restored']['after']}, before it was {told['changed']['before']}"
