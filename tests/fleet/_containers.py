# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts as containers: made, started, restarted, removed; a label says from what a container was made."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _images
import rust
from _machine import IMPLEMENTATION, NUMBER, PREFIX, FleetError, podman, say
from _topology import Host, Profile

ROLES = Path(__file__).parent / "roles"
LABEL = "fastopen.fleet"
WORKERS = 8
BOOT_SECONDS = 90
# SYS_ADMIN is for the units' own sandboxing (DynamicUser), unmask=ALL makes /proc/sys writable.
FLAGS = (
    "--systemd=always --cgroupns=private --pids-limit=0 --cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN,SYS_NICE,AUDIT_WRITE "
    "--security-opt=unmask=ALL --security-opt=seccomp=unconfined --stop-timeout=10 "
    "--sysctl=net.ipv6.conf.all.accept_dad=0 --sysctl=net.ipv6.conf.default.accept_dad=0"
).split()


def container(name: str) -> str:
    """The container's name for a host's."""
    return f"{PREFIX}-{name}"


def existing() -> dict[str, dict[str, str]]:
    """Our containers by host name: `state` (podman's word), `release`, `variant`, `recipe`."""
    found = {}
    for entry in json.loads(podman("ps", "--all", "--format=json", f"--filter=label={LABEL}.number={NUMBER}") or "[]"):
        labels = entry["Labels"]
        name = labels[LABEL]
        found[name] = {key: labels[f"{LABEL}.{key}"] for key in ("variant", "recipe")}
        found[name] |= {"state": entry["State"], "release": entry["Image"].rpartition(":")[2].partition("-")[0]}
    return found


def up(profile: Profile, fresh: Iterable[str], variant: str | None) -> None:
    """Have every host of the profile run: `fresh` ones anew, others as they are unless their recipe changed."""
    _images.build({*_images.RELEASES, *(host.release for host in profile.hosts)})
    _connect(profile)
    present = existing()
    new = []
    for host in profile.hosts:
        kept = present.get(host.name)
        kind = variant or host.variant
        if kept and host.name not in fresh and kept["release"] == host.release:
            kind = kept["variant"]
        recipe = _recipe(profile, host, kind)
        if not kept or host.name in fresh or kept["recipe"] != recipe:
            new.append((host, kind, recipe))
    if new:
        say(f"new: {' '.join(host.name for host, _kind, _recipe in new)}")
        remove([host.name for host, _kind, _recipe in new if host.name in present])
        _each(lambda entry: _create(profile, *entry), new)
    made = {host.name for host, _kind, _recipe in new}
    asleep = [host for host in profile.hosts if host.name in made or present[host.name]["state"] != "running"]
    _each(_start, asleep)
    _each(wait, [host for host in profile.hosts if host not in asleep] if asleep else ())
    for host in profile.hosts:
        if host.role == "origin" and IMPLEMENTATION != "libev":
            podman("cp", str(rust.build().archive), f"{container(host.name)}:/srv/rust.tar.xz")


def remove(names: Iterable[str]) -> None:
    """Remove hosts at once, with what they wrote."""
    targets = [container(name) for name in names]
    if targets:
        podman("rm", "--force", "--time=0", *targets)


def reboot(host: Host, hard: bool = False) -> None:
    """Restart the container: for its systemd and its network namespace that is a reboot; ``hard``: nothing is stopped
    before, and nothing does anything any more, while one process after the other is killed."""
    if hard:
        podman("exec", container(host.name), "sh", "-c", "kill -STOP -1")
    podman("restart", *(["--time=0"] if hard else []), container(host.name))
    wait(host)


def _start(host: Host) -> None:
    """Start it and wait until it is up: a hundred that boot at once would all be too late."""
    podman("start", container(host.name))
    wait(host)


def wait(host: Host) -> None:
    """Wait until systemd has finished booting without a failed unit, and ssh greets."""
    # A loop over there, not `--wait`: a systemctl that asks before the bus is up hangs for half a minute.
    loop = f"for turn in $(seq {BOOT_SECONDS}0); do state=$(systemctl is-system-running 2>/dev/null); "
    loop += "case $state in running | degraded) break ;; esac; sleep 0.1; done; echo $state; systemctl --failed --plain"
    state, _newline, failed = podman("exec", container(host.name), "sh", "-c", loop, check=False).partition("\n")
    if state != "running":
        hint = f"see: fleet exec {host.name} journalctl"
        raise FleetError(f"{host.name} is {state or 'gone'} instead of running; {hint}\n{failed.strip()}")
    deadline = time.monotonic() + BOOT_SECONDS
    while not _greets(host.address):
        if time.monotonic() > deadline:
            raise FleetError(
                f"ssh on {host.name} ({host.address}) does not answer; see: fleet exec {host.name} journalctl"
            )
        time.sleep(0.1)


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _connect(profile: Profile) -> None:
    """Make the networks that are missing."""
    present = podman("network", "ls", "--format={{.Name}}").split()
    for network in profile.networks:
        if network.name not in present:
            options = ["--internal"] if network.inside else []
            if len(network.subnets) > 1:
                options.append("--ipv6")
            subnets = [f"--subnet={subnet}" for subnet in network.subnets]
            podman("network", "create", "--disable-dns", *options, *subnets, network.name)


def _create(profile: Profile, host: Host, variant: str, recipe: str) -> None:
    flags = [f"--name={container(host.name)}", f"--hostname={host.name}"]
    labels = {"": host.name, ".variant": variant, ".recipe": recipe, ".number": NUMBER}
    flags += [f"--label={LABEL}{key}={value}" for key, value in labels.items()]
    for network, (interface, addresses) in host.attached.items():
        # The same hardware address for ever: a new one would be unreachable until its neighbours forget the old one.
        mac = ":".join(f"{byte:02x}" for byte in (2, 0, *map(int, addresses[0].split("."))))
        settings = [f"interface_name={interface}", f"mac={mac}", *(f"ip={address}" for address in addresses)]
        flags.append(f"--network={network}:{','.join(settings)}")
    flags += [f"--add-host={name}:{address}" for name, known in profile.names.items() for address in known]
    if host.role == "router":
        flags.append("--device=/dev/net/tun")
    podman("create", *FLAGS, *flags, _images.tag(host.release, variant))
    if host.role:
        podman("cp", f"{ROLES / host.role}/.", f"{container(host.name)}:/usr/local/lib/fleet/")


def _recipe(profile: Profile, host: Host, variant: str) -> str:
    """A digest of everything a container is made from."""
    digest = hashlib.sha256(repr((host, profile.names, FLAGS, _images.tag(host.release, variant))).encode())
    for path in sorted((ROLES / host.role).glob("*")) if host.role else ():
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _each(action: Callable, items: Iterable) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(action, items))
