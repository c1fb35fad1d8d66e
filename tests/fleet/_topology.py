# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the fleet: networks, hosts and their fixed addresses (the inventories beside this file repeat them)."""

from __future__ import annotations

from dataclasses import dataclass, field

from _machine import IMPLEMENTATION, NEXT, PREFIX

MANAGEMENT = f"{PREFIX}-management"
CLIENTS, SERVERS = f"{PREFIX}-clients", f"{PREFIX}-servers"


@dataclass(frozen=True)
class Network:
    """A bridge; `inside` ones have neither a way out nor address translation."""

    name: str
    subnets: tuple[str, ...]
    inside: bool = False


@dataclass(frozen=True)
class Host:
    """A container: `attached` maps a network to (interface name, addresses)."""

    name: str
    release: str
    variant: str
    attached: dict[str, tuple[str, tuple[str, ...]]]
    role: str = ""

    @property
    def address(self) -> str:
        """Where ssh reaches it."""
        return next(iter(self.attached.values()))[1][0]


@dataclass(frozen=True)
class Profile:
    """A fleet: its networks, its hosts, and the names that every host knows."""

    networks: tuple[Network, ...]
    hosts: tuple[Host, ...]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _data(network: int, host: int) -> tuple[str, str]:
    return f"10.203.{network}.{host}", f"fd00:203:{network}::{host}"


def _demo() -> Profile:
    networks = (
        Network(MANAGEMENT, ("10.203.0.0/24",)),
        Network(CLIENTS, ("10.203.1.0/24", "fd00:203:1::/64"), inside=True),
        Network(SERVERS, ("10.203.2.0/24", "fd00:203:2::/64"), inside=True),
    )

    def management(host: int) -> dict[str, tuple[str, tuple[str, ...]]]:
        return {MANAGEMENT: ("mgmt", (f"10.203.0.{host}",))}

    both = {CLIENTS: ("clients", _data(1, 2)), SERVERS: ("servers", _data(2, 2))}
    hosts = [
        Host("router", "trixie", "plain", management(2) | both, role="router"),
        Host("origin", "trixie", "plain", management(5) | {SERVERS: ("data", _data(2, 5))}, role="origin"),
    ]
    members = [("ss1", "bookworm", SERVERS, 11), ("ss2", "trixie", SERVERS, 12)]
    members += [(f"c{n}", "bookworm" if n % 2 else "trixie", CLIENTS, 20 + n) for n in range(1, 5)]
    for name, release, network, number in members:
        data = _data(1 if network == CLIENTS else 2, number)
        made = (NEXT, "plain") if IMPLEMENTATION == NEXT else (release, "ss")
        hosts.append(Host(name, *made, management(number) | {network: ("data", data)}))
    names = {host.name: host.attached[next(reversed(host.attached))][1] for host in hosts if host.name != "router"}
    return Profile(networks, tuple(hosts), names)


def _many(name: str, network: int, letter: str, count: int) -> Profile:
    """Hosts that differ by nothing but their number: the addresses are those of `count` from .101 on."""
    width = len(str(count))
    hosts = tuple(
        Host(
            f"{letter}{n:0{width}}",
            ("trixie", "bookworm")[n % 2],
            "ss",
            {f"{PREFIX}-{name}": ("data", (f"10.203.{network}.{100 + n}",))},
        )
        for n in range(1, count + 1)
    )
    return Profile((Network(f"{PREFIX}-{name}", (f"10.203.{network}.0/24",)),), hosts)


PROFILES = {"demo": _demo(), "bench": _many("bench", 4, "b", 24), "scale": _many("scale", 5, "s", 100)}
CLIENT_NAMES = tuple(host.name for host in PROFILES["demo"].hosts if CLIENTS in host.attached and not host.role)


def find(name: str) -> Host | None:
    """The host of that name in any profile."""
    return next((host for profile in PROFILES.values() for host in profile.hosts if host.name == name), None)
