# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the host, for an operator at a console and for the timers that systemd runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _machine, _run
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import (
    _alone,
    _down,
    _drop_in,
    _lease,
    _record,
    _status,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome

WHY: dict[str, t.Any] = {"metavar": "TEXT", "type": _ascii.shown}
"""Ansible refuses a result with bytes that are no UTF-8, and so it would every later one that tells of this."""


def main(arguments: t.Optional[t.Sequence[str]] = None) -> int:
    """Run a command; 0 when it did what it says, 1 when it could not, with the reason on standard error. A lease's undoing
    that did not get through has _lease.AGAIN."""
    options = _parser().parse_args(arguments)
    if os.geteuid() != 0 and any(map(_closed, (_record.FOLDER, _record.RUN_FOLDER))):
        _warn("needs root (sudo): nobody else can read what is kept here")
        return 1
    try:
        return options.action(options)
    except EXPECTED as error:
        _say(f"fastopen: {error}", sys.stderr)
        return _lease.AGAIN if options.action is _expire else 1


def _closed(folder: str) -> bool:
    return os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK)


def _say(text: str, stream: t.Optional[t.TextIO] = None) -> None:
    (stream or sys.stdout).write(f"{text}\n")


def _warn(text: str) -> None:
    _say(f"fastopen: {text}", sys.stderr)


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("fastopen", description="TCP Fast Open of this host's Shadowsocks services.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: t.Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        new = commands.add_parser(name, help=text, description=text)
        new.set_defaults(action=action)
        return new

    status = command("status", _show, "what is under TFO here, and who says so")
    status.add_argument("--json", action="store_true", help="for programs")
    off = command("off", _off, "take TFO off every service, and keep it off until a rollout is told to try again")
    off.add_argument("--why", default="taken off at the console", help="kept, and shown to rollouts", **WHY)
    undo = command("undo", _undo, "take TFO off these services; for the guard")
    undo.add_argument("--by", default="guard", choices=("guard", "operator"))
    undo.add_argument("--why", required=True, **WHY)
    undo.add_argument("units", nargs="+", metavar="UNIT")
    guard = command(
        "guard", _guard, "look whether paths lose SYNs with data, and take off what is proven; its timer does that"
    )
    guard.add_argument("--because", default="look", choices=("look", "suspicion"), help="what the counters say")
    guard.add_argument(
        "--watch", dest="undoes", action="store_false", help="only tell what is proven, take nothing off"
    )
    guard.add_argument(
        "--return", dest="returns", action="store_true", help="bring back what it took off, once proven good"
    )
    guard.add_argument(
        "--hold", type=float, default=_machine.HOLD_SECONDS, metavar="SECONDS", help="before that, at first"
    )
    guard.add_argument("--textfile", default="", metavar="FOLDER", help="of node_exporter, for metrics")
    expire = command("expire", _expire, "end a run's lease, if it has not been renewed; its timer does that")
    expire.add_argument("run", metavar="RUN")
    return top


def _show(options: argparse.Namespace) -> int:
    found = _status.observe()
    _say(json.dumps(found, indent=1) if options.json else "\n".join(_lines(found)))
    return 0


def _lines(found: t.Mapping[str, t.Any]) -> list[str]:
    boot = f"{_words(found['boot_value'])}, by {found['boot_file'] or 'the kernel itself'}"
    lines = [f"kernel   {_words(found['value'])}", f"at boot  {boot}"]
    for unit in found["units"]:
        lines.append(f"{unit['unit']}: {unit['stage']}, {unit['state']}{'' if unit['active'] else ', not running'}")
        lines += [f"  ! {problem}" for problem in unit["problems"]]
    lines += [f"! {problem}" for problem in _status.of_host(found)]
    if not found["units"]:
        lines.append("no service is under TFO by us")
    for unit, one in found["undone"].items():
        lines.append(f"{unit}: taken off by {one['by']} at {one['when']}: {one['why']}")
    lines += _guarded(found["guard"])
    if found["claim"]:
        one = found["claim"]
        lines.append(
            f"held by run {one['run']} of {one['who']} since {one['since']}, {one['ends_in_seconds']:.0f} s left"
        )
    if found["kill_switch"]:
        lines.append(f"kill switch on since {found['kill_switch']['when']}, by {found['kill_switch']['by']}")
    return lines


FOUND = {
    "innocent": "carries SYN data",
    "suspected": "may lose SYNs with data, which is not proven",
    "lost": "loses SYNs with data",
    "refused": "takes no SYN data, which costs no time",
    "paused": "gets no SYN data while this host's kernel has paused TFO",
    "unreachable": "was not reachable, not even plainly",
}


def _guarded(guard: t.Optional[t.Mapping[str, t.Any]]) -> list[str]:
    if guard is None:
        return []
    suspicion = f"suspicion {guard['suspicion']:g}, attempts from {guard['threshold']:g} on"
    lines = [f"guard    last look {guard['ticked'] or guard['looked']}, {suspicion}"]
    lines += [f"  {one['unit']}: {one['host']} port {one['port']} {FOUND[one['found']]}" for one in guard["paths"]]
    for unit, one in guard["taken"].items():
        back = f", back since {one['returned']}" if one["returned"] else ""
        lines.append(f"  {unit}: the guard took it off at {one['when']}{back}, because {one['why']}")
    return lines


def _words(value: t.Optional[int]) -> str:
    if value is None:
        return "no TCP Fast Open"
    named = ((_tfo_bits.SEND, "may send"), (_tfo_bits.ACCEPT, "accepts"), (_tfo_bits.ALL_LISTENERS, "all listeners"))
    return f"{value} ({', '.join(word for bit, word in named if value & bit) or 'off'})"


def _off(options: argparse.Namespace) -> int:
    return _come_down(_down.Descent("operator", options.why, memory="add"))


def _undo(options: argparse.Namespace) -> int:
    return _come_down(_down.Descent(options.by, options.why, units=options.units, memory="add"))


def _come_down(descent: _down.Descent) -> int:
    with _alone.locked(_warn):
        return _tell(_alone.come_down(descent))


def _guard(options: argparse.Namespace) -> int:
    asked = _run.Asked(options.because, options.undoes, options.returns, options.hold, options.textfile)
    return _run.run(asked, _say)


def _expire(options: argparse.Namespace) -> int:
    with _alone.locked(_warn):
        try:
            lease = _record.load_lease()
        except _record.RecordError as error:
            descent = _down.Descent("lease", str(error), units=_unconfirmed(), memory="add")
            return _tell(_down.down(descent, check=False))
        if lease is None or lease.run != options.run or lease.live:
            return 0  # renewed, taken over, or done meanwhile
        if not lease.units:
            _lease.settle(_record.load().units)
            _lease.drop()
            return 0
        return _tell(_lease.expire(lease))


def _unconfirmed() -> list[str]:
    """What can still be told of a step whose lease is damaged: confirming puts a drop-in into /etc."""
    return [unit for unit, one in _drop_in.present().items() if one.folders == (_drop_in.STEPPED,)]


def _tell(result: Outcome) -> int:
    for one in result.differs:
        _say(f"{one['name']}: {one['why']}")
    for reason in result.reasons:
        _say(f"! {reason}", sys.stderr)
    _say({"plain": "plain, and proven so", "failed": "NOT proven plain"}[result.outcome])
    return 0 if result.outcome == "plain" else 1
