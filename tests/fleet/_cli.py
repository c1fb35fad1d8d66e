# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded fleet: real systemd hosts in containers on this machine, on which the demo, the tests and the bench run."""

from __future__ import annotations

import argparse
import os
import sys
import time

import _boxes
import _containers
import _images
from _machine import NAMESPACE, NUMBER, FleetError, bootstrap, inside, locked, podman, podman_command, say
from _topology import CLIENT_NAMES, PROFILES, find

EPILOG = """\
profiles:
  demo    router (50 ms of round-trip time), origin (web server), servers ss1 ss2, clients c1 to c4;
          inventory: tests/fleet/inventory
  bench   b01 to b24 on one network; inventory: tests/fleet/inventory_bench
  scale   s001 to s100 on one network, 5 GB of memory; tests/bench makes its inventory

FASTOPEN_FLEET=1 (2, …) means another fleet beside the first, with the same addresses in a network namespace of its own:
FASTOPEN_FLEET=1 fleet inside ansible-playbook -i tests/fleet/inventory …
"""


def main() -> int:
    """Parse the command line, run the command, and turn what the user can act on into one message."""
    arguments = parser().parse_args()
    try:
        bootstrap()
        enter()
        return arguments.action(arguments) or 0
    except FleetError as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 1


def enter() -> None:
    """Go on in the network namespace of a fleet that has one: from outside of it nobody sees whether its hosts answer."""
    if NUMBER and not NAMESPACE.samefile("/proc/self/ns/net"):
        os.execvp("nsenter", [*inside(), sys.executable, *sys.argv])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser("fleet", description=__doc__, epilog=EPILOG)
    top.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: object, text: str) -> argparse.ArgumentParser:
        new = commands.add_parser(name, help=text, description=text)
        new.set_defaults(action=action)
        return new

    command("bootstrap", lambda _arguments: None, "install what this machine lacks and prepare it")
    command("images", do_images, "build the hosts' images, where their recipes changed")
    up = command("up", do_up, "start the fleet; what runs already is left alone")
    up.add_argument("--fresh", nargs="*", metavar="HOST", help="make these hosts anew (without names: all of them)")
    up.add_argument("--plain", action="store_true", help="new hosts come without shadowsocks-libev installed")
    up.add_argument("--rtt", type=milliseconds, metavar="MS", help="round-trip time through the router")
    down = command("down", do_down, "remove the fleet's containers and networks; images stay")
    for each in (up, down):
        each.add_argument("--profile", choices=PROFILES, default="demo", help="which fleet (default: demo)")
    command("status", do_status, "list the hosts, their addresses and states")
    run = command("exec", do_exec, "run a command on a host, as root; its exit status is passed on")
    run.add_argument("host", metavar="HOST")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD")
    within = command("inside", do_inside, "run a command on this machine from where the fleet's hosts are reached")
    within.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD")
    reboot = command("reboot", do_reboot, "restart a host and wait until it is up")
    reboot.add_argument("host", metavar="HOST")
    reboot.add_argument("--hard", action="store_true", help="as if its power had been cut")
    rtt = command("rtt", do_rtt, "set the round-trip time through the router")
    rtt.add_argument("rtt", type=milliseconds, metavar="MS")
    box = command("box", do_box, "make the network misbehave for a client; without a kind: list what is active")
    box.formatter_class = argparse.RawDescriptionHelpFormatter
    box.epilog = _boxes.HELP
    box.add_argument(
        "client", nargs="?", choices=(*CLIENT_NAMES, "all"), help="a client of profile demo, or all of them"
    )
    box.add_argument("kind", nargs="?", choices=(*_boxes.KINDS, "off"), metavar="KIND", help="see below")
    box.add_argument("argument", nargs="?", type=float, metavar="ARG", help="the kind's number")
    box.add_argument("--after", type=float, default=0.0, metavar="SECONDS", help="start it that much later")
    return top


def milliseconds(text: str) -> float:
    """A round-trip time between 0 and 10 s."""
    value = float(text)
    if not 0 <= value <= 10000:
        raise ValueError(text)
    return value


def do_images(_arguments: argparse.Namespace) -> None:
    """fleet images"""
    _images.build()


def do_up(arguments: argparse.Namespace) -> None:
    """fleet up"""
    profile = PROFILES[arguments.profile]
    known = [host.name for host in profile.hosts]
    fresh = known if arguments.fresh == [] else arguments.fresh or []
    if unknown := sorted(set(fresh) - set(known)):
        raise FleetError(f"no host {', '.join(unknown)} in profile {arguments.profile}; there are: {' '.join(known)}")
    start = time.monotonic()
    with locked():
        _containers.up(profile, fresh, "plain" if arguments.plain else None)
        if arguments.rtt is not None:
            _boxes.set_rtt(arguments.rtt)
    say(f"{len(known)} hosts of profile {arguments.profile} are up ({time.monotonic() - start:.1f} s)")


def do_down(arguments: argparse.Namespace) -> None:
    """fleet down"""
    profile = PROFILES[arguments.profile]
    with locked():
        present = _containers.existing()
        _containers.remove([host.name for host in profile.hosts if host.name in present])
        for network in profile.networks:
            podman("network", "rm", "--force", network.name, check=False)


def do_status(_arguments: argparse.Namespace) -> None:
    """fleet status"""
    present = _containers.existing()
    lines = []
    for name, profile in PROFILES.items():
        for host in profile.hosts:
            if kept := present.get(host.name):
                addresses = " ".join(address for _name, many in host.attached.values() for address in many)
                lines.append(
                    f"{name:6} {host.name:7} {kept['state']:9} {kept['release']:9} {kept['variant']:6} {addresses}"
                )
    print("\n".join(lines) or "no fleet is running; start one with: fleet up")


def do_exec(arguments: argparse.Namespace) -> None:
    """fleet exec"""
    if not find(arguments.host):
        raise FleetError(f"there is no host {arguments.host}; see: fleet status")
    if not arguments.command:
        raise FleetError(f"say what to run: fleet exec {arguments.host} CMD…")
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    name = _containers.container(arguments.host)
    command = podman_command("exec", "--interactive", *terminal, name, *arguments.command)
    os.execvp(command[0], command)


def do_inside(arguments: argparse.Namespace) -> None:
    """fleet inside"""
    if not arguments.command:
        raise FleetError("say what to run: fleet inside CMD…")
    command = [*inside(), *arguments.command]
    os.execvp(command[0], command)


def do_reboot(arguments: argparse.Namespace) -> None:
    """fleet reboot"""
    host = find(arguments.host)
    if not host or arguments.host not in _containers.existing():
        raise FleetError(f"no host {arguments.host} is running; see: fleet status")
    _containers.reboot(host, arguments.hard)


def do_rtt(arguments: argparse.Namespace) -> None:
    """fleet rtt"""
    with locked():
        _boxes.set_rtt(arguments.rtt)


def do_box(arguments: argparse.Namespace) -> None:
    """fleet box"""
    clients = CLIENT_NAMES if arguments.client in (None, "all") else (arguments.client,)
    if arguments.kind is None:
        print("\n".join(_boxes.listed(clients)) or "no box is active")
        return
    with locked():
        if arguments.kind == "off":
            _boxes.remove(clients)
        else:
            _boxes.add(clients, arguments.kind, arguments.argument, arguments.after)
