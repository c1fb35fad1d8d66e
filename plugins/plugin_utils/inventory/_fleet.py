# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From inventory variables to the services that a host must run; every mistake found before a host is touched."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import (
    CLIENT_SPEC,
    SERVER_SPEC,
    check,
)

WILDCARDS = ("0.0.0.0", "::", "::0")
ANY_ADDRESS = ["::", "0.0.0.0"]
"""What ss-server binds without an address. It sets IPV6_V6ONLY on '::', so both are needed; a family that the host
lacks is skipped by ss-server as long as one address works (src/server.c, main)."""


class FleetError(Exception):
    """The inventory says something that cannot work. ``errors`` holds one line a mistake."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclasses.dataclass(frozen=True)
class Host:
    """The variables of one inventory host that matter here, templated."""

    name: str
    address: str
    server_instances: t.Sequence[t.Any] = ()
    client_instances: t.Sequence[t.Any] = ()
    insecure_server: bool = False
    insecure_client: bool = False


Lookup = t.Callable[[str], t.Optional[Host]]
"""Gives an inventory host by name, or None where there is no such host."""


def server_services(host: Host) -> list[dict[str, t.Any]]:
    """The ss-server services of a host, one a worker. Raises FleetError."""
    instances = _checked(host, "ss_server_instances", SERVER_SPEC, host.server_instances, host.insecure_server)
    _refuse(_same(host, "ss_server_instances", "name", [i["name"] for i in instances]))
    services = []
    for instance in instances:
        count = instance["workers"]
        names = [instance["name"]] if count == 1 else [f"{instance['name']}-{n}" for n in range(1, count + 1)]
        services += [_server_service(instance, name, count > 1) for name in names]
    _refuse(_same(host, "ss_server_instances", "name", [s["name"] for s in services]))
    return services


def client_services(host: Host, lookup: Lookup) -> list[dict[str, t.Any]]:
    """The client services of a host, their servers looked up. Raises FleetError."""
    instances = _checked(host, "ss_client_instances", CLIENT_SPEC, host.client_instances, host.insecure_client)
    errors: list[str] = _same(host, "ss_client_instances", "name", [i["name"] for i in instances])
    services = []
    for instance in instances:
        try:
            services.append(_client_service(host, instance, lookup))
        except FleetError as error:
            errors += error.errors
    _refuse(errors)
    return services


def validate(hosts: t.Iterable[Host], lookup: Lookup) -> list[str]:
    """Every mistake of all hosts, one line each; an empty list when the fleet can be rolled out."""
    errors: list[str] = []
    for host in hosts:
        services = []
        for resolve in (server_services, lambda one: client_services(one, lookup)):
            try:
                services += resolve(host)
            except FleetError as error:
                errors += error.errors
        errors += _same_port(host, services)
    return list(dict.fromkeys(errors))


def _refuse(errors: list[str]) -> None:
    if errors:
        raise FleetError(errors)


def _checked(
    host: Host, variable: str, spec: dict[str, t.Any], raw: t.Sequence[t.Any], insecure: bool
) -> list[dict[str, t.Any]]:
    if isinstance(raw, (str, bytes)) or not isinstance(raw, t.Sequence):
        raise FleetError([f"{host.name}: {variable} is not a list"])
    instances, errors = [], []
    for index, entry in enumerate(raw):
        instance, found = check(spec, entry, insecure=insecure)
        label = instance.get("name", index) if isinstance(instance, dict) else index
        errors += [f"{host.name}: {variable}[{label}]: {error}" for error in found]
        instances.append(instance)
    _refuse(errors)
    return instances


def _same(host: Host, variable: str, what: str, values: list[str]) -> list[str]:
    twice = sorted({value for value in values if values.count(value) > 1})
    return [f"{host.name}: {variable}: two instances have the {what} {value!r}" for value in twice]


def _server_service(instance: dict[str, t.Any], name: str, reuse_port: bool) -> dict[str, t.Any]:
    address = instance["address"]
    return {
        "program": "ss-server",
        "name": name,
        "server": ANY_ADDRESS if address in (None, *WILDCARDS) else [address],
        "server_port": instance["port"],
        "reuse_port": reuse_port,
        **_common(instance, ("method", "password", "acl", "nameserver")),
    }


def _client_service(host: Host, instance: dict[str, t.Any], lookup: Lookup) -> dict[str, t.Any]:
    service = {
        "program": instance["program"],
        "name": instance["name"],
        "local_address": instance["local_address"],
        "local_port": instance["local_port"],
        **_common(instance, ("tunnel_address",)),
    }
    if instance["server_instance"] is None:
        service.update(server=[instance["server"]], **{k: instance[k] for k in ("server_port", "method", "password")})
        return service
    where = f"{host.name}: ss_client_instances[{instance['name']}]"
    server = lookup(instance["server"])
    if server is None:
        raise FleetError([f"{where}: server {instance['server']!r} is no inventory host"])
    listed = server.server_instances if isinstance(server.server_instances, t.Sequence) else []
    named = [raw for raw in listed if isinstance(raw, dict)]
    found = [raw for raw in named if raw.get("name") == instance["server_instance"]]
    if not found:
        known = ", ".join(str(raw.get("name")) for raw in named) or "none"
        raise FleetError(
            [f"{where}: server {server.name} has no instance {instance['server_instance']!r} (it has: {known})"]
        )
    target, errors = check(SERVER_SPEC, found[0], insecure=server.insecure_server)
    _refuse([f"{server.name}: ss_server_instances[{instance['server_instance']}]: {error}" for error in errors])
    service.update(
        server=[_reached_at(server, target)],
        server_host=server.name,
        server_port=target["port"],
        method=target["method"],
        password=target["password"],
    )
    return service


def _reached_at(server: Host, instance: dict[str, t.Any]) -> str:
    if instance["public_address"] is not None:
        return instance["public_address"]
    return server.address if instance["address"] in (None, *WILDCARDS) else instance["address"]


def _common(instance: dict[str, t.Any], keys: tuple[str, ...]) -> dict[str, t.Any]:
    shared = ("mode", "timeout_seconds", "plugin", "plugin_opts", *keys)
    return {key: instance[key] for key in shared if instance[key] is not None}


def _same_port(host: Host, services: list[dict[str, t.Any]]) -> list[str]:
    """Two services that would listen on one address, port and protocol (workers of one instance may)."""
    seen: dict[tuple[str, int], list[tuple[set[str], str, str]]] = {}
    errors = []
    for service in services:
        label = f"{service['program']} {service['name']}"
        group = service["name"].rsplit("-", 1)[0] if service.get("reuse_port") else label
        if service["program"] == "ss-server":
            addresses, port = set(service["server"]), service["server_port"]
        else:
            addresses, port = {service["local_address"]}, service["local_port"]
        for protocol in {"tcp_only": ["tcp"], "udp_only": ["udp"]}.get(service["mode"], ["tcp", "udp"]):
            for others, other_group, other in seen.setdefault((protocol, port), []):
                overlap = addresses & others or addresses & set(WILDCARDS) or others & set(WILDCARDS)
                if overlap and not (service.get("reuse_port") and other_group == group):
                    errors.append(f"{host.name}: {other} and {label} both want port {port}/{protocol}")
            seen[(protocol, port)].append((addresses, group, label))
    return errors
