# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inventory host an address in a client's config is. Names are compared, never resolved."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted._addresses import normal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import is_loopback

PUBLIC, CALLED, INTERFACE, ITSELF = "public_address", "ansible_host", "an interface's address", "the host itself"


@dataclasses.dataclass(frozen=True)
class Known:
    """What there is to know an inventory host by. ``public`` are the public_address of its server instances."""

    name: str
    ansible_host: str = ""
    public: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()


class Match(t.NamedTuple):
    """``host`` None: none fits, or several do, the ``candidates``. ``by`` says what was compared."""

    host: t.Optional[str]
    by: str = ""
    candidates: tuple[str, ...] = ()


class Fleet:
    """All hosts of the inventory, by address."""

    def __init__(self, hosts: t.Iterable[Known]) -> None:
        self._public: dict[str, dict[str, str]] = {}
        self._others: dict[str, dict[str, str]] = {}
        self._own: dict[str, set[str]] = {}
        for host in hosts:
            for address in host.public:
                _put(self._public, address, host.name, PUBLIC)
            for address in (host.name, host.ansible_host):
                _put(self._others, address, host.name, CALLED if address == host.ansible_host else "its name")
            for address in host.interfaces:
                _put(self._others, address, host.name, INTERFACE)
            self._own[host.name] = {normal(address) for address in host.interfaces}

    def match(self, address: str, client: str) -> Match:
        """The one host that this address in the config of ``client`` leads to.

        A host's own addresses lead to itself. A public_address is an operator's word and counts before the others;
        of those all are counted together, so that two hosts behind one address are never told apart by luck.
        """
        wanted = normal(address)
        if not wanted or _leads_home(wanted) or wanted in self._own.get(client, ()):
            return Match(client, ITSELF) if wanted else Match(None)
        found = self._public.get(wanted) or self._others.get(wanted) or {}
        if len(found) == 1:
            ((host, by),) = found.items()
            return Match(host, by)
        return Match(None, candidates=tuple(sorted(found)))

    def addresses(self) -> dict[str, str]:
        """The host behind each address that is one host's alone, by what ``normal`` makes of the address."""
        found = {**self._others, **self._public}
        return {
            address: next(iter(hosts))
            for address, hosts in found.items()
            if len(hosts) == 1 and address and not _leads_home(address)
        }


def _leads_home(address: str) -> bool:
    """Loopback, and the address of nothing, to which Linux connects as to loopback."""
    return is_loopback(address) or address in ("0.0.0.0", "::")


def _put(into: dict[str, dict[str, str]], address: str, host: str, by: str) -> None:
    into.setdefault(normal(address), {}).setdefault(host, by)
