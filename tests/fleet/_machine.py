# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet needs of the machine it runs on: packages, kernel knobs, an ssh key, and a podman that works there."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("FASTOPEN_CACHE") or Path.home() / ".cache/fastopen.shadowsocks")
SSH_KEY = CACHE / "fleet/id_ed25519"
CONTAINERS_CONF = CACHE / "fleet/containers.conf"
RUN = Path("/run/fastopen-fleet")
IMPLEMENTATION = os.environ.get("IMPLEMENTATION") or "libev"
NEXT = "forky"  # Debian's next release, which IMPLEMENTATION names as well: it has no shadowsocks-libev
"""What the inventory has the hosts run: libev, rust, or mixed: each kind of client with each kind of server."""
NUMBER = int(os.environ.get("FASTOPEN_FLEET") or 0)
"""Which fleet is meant: 0 in the machine's own network namespace, or one beside it, with the same addresses in another."""
PREFIX = f"fastopen{NUMBER or ''}"
"""Of the names of its containers and networks."""
NETWORKS = CACHE / "fleet" / f"networks{NUMBER or ''}"
NAMESPACE = Path("/run/netns") / PREFIX
CGROUP = "/sys/fs/cgroup"

# Debian package: what shows that it is there (a command, or a file). netavark is silent about a missing iptables.
PACKAGES = {
    "podman": "podman",
    "runc": "runc",
    "netavark": "/usr/lib/podman/netavark /usr/libexec/podman/netavark",
    "iptables": "iptables",
    "nftables": "nft",
    "mmdebstrap": "mmdebstrap",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "openssh-client": "ssh",
}
# podman's own start-up files must live in memory, or a machine whose /run is on disk believes after a reboot that
# the containers still run.
VOLATILE = ("/run/containers", "/run/libpod", "/run/netns")
# key: least value wanted. A systemd takes about four inotify instances; containers on one bridge must not pass the
# host's iptables, whose masquerade rule would rewrite what the router container forwards.
KNOBS = {
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 65536,
    "kernel/pid_max": 32768,
    "net/ipv4/ip_forward": 1,
}
BRIDGE_KNOBS = ("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables")
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
# Limits: podman's own defaults are above what a machine without CAP_SYS_RESOURCE may set.
CONF = f"""\
[containers]
default_ulimits = ["nofile={FILES}:{FILES}", "nproc=4096:4096"]
log_driver = "k8s-file"
base_hosts_file = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_backend = "netavark"
"""

NEEDS_ROOT = (
    "the fleet needs root, for bridges that this machine is on and for kernel settings; rootless podman keeps its networks "
    "to itself. With sudo: `sudo make demo`, `sudo tests/fleet/fleet …`; or as root of a virtual machine with Debian 12 or later"
)


class FleetError(Exception):
    """Something the user can act on; the message says how."""


def say(text: str) -> None:
    """Progress for the person at the terminal; standard output stays free for data."""
    print(f"fleet: {text}", file=sys.stderr, flush=True)


def run(*command: str, check: bool = True, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    """Run a command and return its standard output; a failure becomes a FleetError with what it printed."""
    done = subprocess.run(
        command, input=stdin, text=True, capture_output=True, check=False, env=None if env is None else os.environ | env
    )
    if check and done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise FleetError(f"`{' '.join(command)}` failed with status {done.returncode}:\n{tail}")
    return done.stdout


@contextmanager
def locked(name: str = f"{PREFIX}.lock") -> Iterator[None]:
    """One command at a time changes anything of a fleet; others wait. `name`: what has a lock of its own."""
    (CACHE / "fleet").mkdir(parents=True, exist_ok=True)
    with (CACHE / "fleet" / name).open("w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def bootstrap() -> None:
    """Bring the machine to where `podman(...)` and ssh work; milliseconds, and no waiting, when it is already there."""
    if sys.platform != "linux":
        raise FleetError("the fleet needs Linux; in a Debian virtual machine run: make demo")
    if os.geteuid() != 0:
        raise FleetError(NEEDS_ROOT)
    require(PACKAGES)
    for key, least in KNOBS.items():
        knob = Path("/proc/sys", key)
        if int(knob.read_text()) < least:
            knob.write_text(str(least))
    for key in BRIDGE_KNOBS:
        knob = Path("/proc/sys", key)
        if knob.exists() and knob.read_text().strip() != "0":
            knob.write_text("0")
    CONTAINERS_CONF.parent.mkdir(parents=True, exist_ok=True)
    if not CONTAINERS_CONF.exists() or CONTAINERS_CONF.read_text() != CONF:
        CONTAINERS_CONF.write_text(CONF)
    if not SSH_KEY.exists():
        with locked("machine.lock"):
            if not SSH_KEY.exists():
                run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fastopen-fleet", "-f", str(SSH_KEY))
    if _wants_namespace() and not _kept():
        with locked("machine.lock"):
            if not _kept():
                _make_namespace()
    if NUMBER:
        with locked("machine.lock"):
            if not (NAMESPACE.exists() and NAMESPACE.stat().st_dev != NAMESPACE.parent.stat().st_dev):
                _make_network_namespace()


def podman_command(*arguments: str) -> list[str]:
    """The command line that runs podman where the fleet's containers live."""
    mount = [f"--mount={_namespace()}"] if _wants_namespace() else []
    enter = ["nsenter", *mount, *inside()[1:]] if mount or NUMBER else []
    place = [f"--network-config-dir={NETWORKS}"] if NUMBER else []
    return [*enter, "env", f"CONTAINERS_CONF={CONTAINERS_CONF}", "podman", *place, *arguments]


def inside() -> list[str]:
    """What stands before a command that is to reach the fleet's hosts; nothing for the one in the machine's own network."""
    return ["nsenter", f"--net={NAMESPACE}"] if NUMBER else []


def podman(*arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Run podman and return its standard output."""
    return run(*podman_command(*arguments), check=check, stdin=stdin)


def _present(sign: str) -> bool:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return any(shutil.which(name, path=path) or (name[0] == "/" and Path(name).exists()) for name in sign.split())


def require(packages: dict[str, str]) -> None:
    """Have these Debian packages: `packages` maps each to what shows that it is there, as PACKAGES does.

    Installs what is missing on Debian, as root; raises FleetError with the command elsewhere.
    """
    if not _missing(packages):
        return
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        raise FleetError(_how_to_install(_missing(packages)))
    with locked("machine.lock"):
        if missing := _missing(packages):
            say(f"apt-get install {' '.join(missing)}")
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            run("apt-get", "update", env=quiet)
            run("apt-get", "install", "-y", "--no-install-recommends", *missing, env=quiet)


def _missing(packages: dict[str, str]) -> list[str]:
    return [package for package, sign in packages.items() if not _present(sign)]


def _how_to_install(missing: list[str]) -> str:
    managers = {
        "apt-get": "apt-get install",
        "dnf": "dnf install",
        "zypper": "zypper install",
        "pacman": "pacman -S",
        "apk": "apk add",
    }
    command = next((words for name, words in managers.items() if shutil.which(name)), "your package manager:")
    return f"missing here: {', '.join(missing)}; install with: {command} {' '.join(missing)}"


def _wants_namespace() -> bool:
    """Whether cgroups are version 1 or hybrid here: then the fleet lives in a mount namespace with version 2."""
    return not Path(CGROUP, "cgroup.controllers").exists()


def _namespace() -> Path:
    """The kept mount namespace, named for the boot it belongs to, since /run itself may outlive the boot."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return RUN / boot


def _make_network_namespace() -> None:
    """A network of its own for this fleet, so that its addresses are the same as every fleet's, and a way out of it."""
    say(f"network namespace {PREFIX}")
    ours, theirs, outer = f"10.252.{NUMBER}.1", f"10.252.{NUMBER}.2", f"{PREFIX}-up"
    try:
        for command in (
            f"ip netns add {PREFIX}",
            f"ip link add {outer} type veth peer name out netns {PREFIX}",
            f"ip addr add {ours}/30 dev {outer}",
            f"ip link set {outer} up",
            f"ip -n {PREFIX} link set lo up",
            f"ip -n {PREFIX} addr add {theirs}/30 dev out",
            f"ip -n {PREFIX} link set out up",
            f"ip -n {PREFIX} route add default via {ours}",
            f"iptables -t nat -A POSTROUTING -s {theirs}/32 -j MASQUERADE",
            f"iptables -I FORWARD -i {outer} -j ACCEPT",
            f"iptables -I FORWARD -o {outer} -j ACCEPT",
        ):
            run(*command.split())
        run("ip", "netns", "exec", PREFIX, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    except FleetError:
        run("ip", "netns", "del", PREFIX, check=False)
        raise


def _kept() -> bool:
    """Whether the mount namespace is there: then its file is on the kernel's nsfs, not on the folder's device."""
    return _namespace().exists() and _namespace().stat().st_dev != RUN.stat().st_dev


def _make_namespace() -> None:
    """Keep a mount namespace alive by a bind mount of its file (mount_namespaces(7)): no process has to hold it."""
    say("private mount namespace with cgroup version 2")
    for folder in (RUN, *map(Path, VOLATILE)):
        folder.mkdir(parents=True, exist_ok=True)
    if not RUN.is_mount():
        run("mount", "--bind", str(RUN), str(RUN))
    run("mount", "--make-private", str(RUN))
    _namespace().touch()
    volatile = " && ".join(f"mount -t tmpfs -o mode=0755 none {folder}" for folder in VOLATILE)
    script = f"umount -l {CGROUP} && mount -t cgroup2 none {CGROUP} && {volatile}"
    try:
        run("unshare", f"--mount={_namespace()}", "sh", "-c", script)
    except FleetError:
        run("umount", str(_namespace()), check=False)
        _namespace().unlink(missing_ok=True)
        raise
