# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests with and without TCP Fast Open in turn, so that whatever drifts on the path hits both kinds alike."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _counters
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _answers
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._temporary import TemporaryClient
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._tunnel import Fetch

Services = t.Sequence[t.Mapping[str, t.Any]]


class Terms(t.NamedTuple):
    """How a path is asked. ``timeout`` and ``pause`` in seconds: the pause after each request lets late retransmissions
    count where they belong.
    """

    url: str
    arms: t.Sequence[str]
    timeout: float
    pause: float


class Pair:
    """One service's path to its server, and a temporary client for each kind of requests."""

    def __init__(self, service: t.Mapping[str, t.Any], terms: Terms) -> None:
        self.path = _answers.Path(service["name"], _server(service), {arm: _answers.Answers() for arm in terms.arms})
        self._clients = {arm: TemporaryClient(service, terms.url, _answers.ARMS[arm]) for arm in terms.arms}
        self._made: dict[str, list[Fetch]] = {arm: [] for arm in _answers.ARMS}
        self._waited = 0.0  # seconds for answers that did not come, since the last one that did
        self._terms = terms

    def warm(self) -> bool:
        """The first connection of a client may only fetch the cookie, and no rollout is judged by that one."""
        client = self._clients.get("fast_open")
        return client is not None and client.fetch(self._terms.url, self._terms.timeout).ok

    def ask(self) -> None:
        """One request of each kind, none where the path is decided, or silent."""
        if _answers.decided(**self._made) or self._waited >= _answers.SILENT * self._terms.timeout:
            return
        for arm, client in self._clients.items():
            before, began = _counters.read(), time.monotonic()
            result = client.fetch(self._terms.url, self._terms.timeout)
            self._waited = 0.0 if result.ok else self._waited + time.monotonic() - began
            time.sleep(self._terms.pause)
            self.path.arms[arm].add(result, _counters.delta(before, _counters.read()))
            self.path.arms[arm].exits = client.exits
            self._made[arm].append(result)

    def close(self) -> None:
        """End the clients."""
        for client in self._clients.values():
            client.close()


def measure(services: Services, requests: int, terms: Terms) -> tuple[list[_answers.Path], bool]:
    """``requests`` of each kind, the services taken in turn, each at least once; and whether the cookies were fetched
    first. A client's death at that request counts as well. Raises ClientError.
    """
    pairs = [Pair(service, terms) for service in services]
    try:
        warmed = [pair.warm() for pair in pairs]
        for number in range(max(requests, len(pairs))):
            pairs[number % len(pairs)].ask()
    finally:
        for pair in pairs:
            pair.close()
    return [pair.path for pair in pairs], all(warmed)


def untold(services: Services, arms: t.Sequence[str], error: str) -> list[_answers.Path]:
    """The paths of a host that cannot be measured."""
    return [
        _answers.Path(service["name"], _server(service), {arm: _answers.Answers(errors=[error]) for arm in arms})
        for service in services
    ]


def _server(service: t.Mapping[str, t.Any]) -> str:
    return service.get("server_host") or service["server"][0]
