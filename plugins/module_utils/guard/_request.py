# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of the SYN of a real request through a running ss-local: some boxes drop only SYNs with more data than an attempt has."""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Target
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _requests
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _sock_diag, _tunnel

LOOK_SECONDS = 0.02
AGAIN_SECONDS = 0.9
"""What takes so long until its handshake sent its SYN again, after one second (RFC 6298)."""


class Client(t.NamedTuple):
    """A running ss-local: where it listens, the user that it runs as, and what is asked for through it."""

    proxy: tuple[str, int]
    uid: int
    url: str


def client(unit: str, entry: t.Mapping[str, t.Any]) -> t.Optional[Client]:
    """The service, by its entry in the record; None where nothing can be asked through it. Raises SystemdError."""
    if entry["program"] != "ss-local" or not entry["url"] or entry["port"] is None:
        return None
    try:
        uid = os.stat(f"/proc/{_systemd.show([unit])[unit].pid}").st_uid
    except OSError:
        return None
    return Client((_requests.asked_at(entry["address"]), entry["port"]), uid, entry["url"])


def data_lost(asked: Client, target: Target, timeout: float) -> t.Optional[bool]:
    """Whether the SYN of a request was lost; None where nothing of it was seen, or its data was not taken.

    Followed is the first connection that the client opens to the server from now on: that of this request, or of another
    one at the same time, which is as good.
    """
    known = set(_sock_diag.connections(target.host, target.port, asked.uid))
    threading.Thread(target=_tunnel.fetch, args=(asked.proxy, asked.url, timeout), daemon=True).start()
    deadline, followed, first = time.monotonic() + timeout, None, 0.0
    while time.monotonic() < deadline:
        found = _sock_diag.connections(target.host, target.port, asked.uid)
        if followed is None:
            followed, first = next((cookie for cookie in found if cookie not in known), None), time.monotonic()
        seen = found.get(followed) if followed is not None else None
        if followed is not None and seen is None:  # it has ended between two looks
            return True if time.monotonic() - first >= AGAIN_SECONDS else None
        if seen and (seen.lost or seen.rtt_ms is not None):
            return True if seen.lost else False if seen.syn_data else None
        time.sleep(LOOK_SECONDS)
    return None
