# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host, beside a copy of the collection's module_utils: calls of tfo_stage that die before their n-th edge.

An edge is whatever changes the host: a file, a folder, the sysctl, a command to systemd. A command counts twice: the
call dies before it, or as soon as it runs. Before a rename the temporary file is there. python3 _life_driver.py reads
{"state", "request", "kill"} from its input.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import traceback
import typing as t

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import (
    _proc,
)  # noqa: E402  (found by the line before)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _stage  # noqa: E402
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED  # noqa: E402
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Request  # noqa: E402

DEAD = "dead"
_READING = ("show",)


class Edges:
    """Counts the edges, and kills this process before the one of that number; 0: none."""

    def __init__(self, kill: int) -> None:
        self.kill = kill
        self.seen: list[str] = []

    def next(self, name: str) -> bool:
        """Keep an edge; whether it is the one."""
        self.seen.append(name)
        return len(self.seen) == self.kill

    def before(self, name: str, arguments: t.Sequence[t.Any]) -> None:
        """Die, if this is the edge."""
        if self.next(f"{name} {' '.join(map(str, arguments))}"):
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(
        self, name: str, function: t.Callable[..., t.Any], needed: t.Optional[bool] = None
    ) -> t.Callable[..., t.Any]:
        """A function whose call is an edge, if its path is there (``needed``) or is not; None: always."""

        def wrapped(*arguments: t.Any, **options: t.Any) -> t.Any:
            if needed in (None, os.path.lexists(str(arguments[0]))):
                self.before(name, arguments)
            return function(*arguments, **options)

        return wrapped

    def run(self, command: list[str], **options: t.Any) -> t.Any:
        """subprocess.run of systemctl and systemd-run."""
        told = [word for word in command[1:] if word not in ("--no-ask-password", "--quiet")]
        if told[0] in _READING or command[0] not in ("systemctl", "systemd-run"):
            return _run(command, **options)
        name = " ".join([command[0], *told])[:120]
        self.before(name, ["(before)"])
        if self.next(f"{name} (begun)"):
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.kill(os.getpid(), signal.SIGKILL)
        return _run(command, **options)


_run = vars(subprocess)["run"]


def call(state: str, request: dict[str, t.Any], kill: int = 0) -> dict[str, t.Any]:
    """Run it in this process, and return its outcome with the ``edges`` that it passed."""
    edges = Edges(kill)
    for name, needed in (("rename", True), ("unlink", True), ("rmdir", True), ("mkdir", False)):
        setattr(os, name, edges.wrap(name, getattr(os, name), needed))
    _proc.write_sysctl = edges.wrap("sysctl", _proc.write_sysctl)
    subprocess.run = edges.run
    try:
        if state == "expire":  # what the lease's timer runs
            outcome = {"outcome": {0: "expired"}.get(_cli.main(["expire", request["run"]]), "failed"), "reasons": []}
        else:
            outcome = dataclasses.asdict(_stage.run(state, Request(**request), check=False))
    except EXPECTED as error:
        outcome = {"outcome": "error", "reasons": [str(error)], "changed": None}
    return {**outcome, "edges": edges.seen}


def forked(state: str, request: dict[str, t.Any], kill: int = 0) -> dict[str, t.Any]:
    """The same in a child; {"outcome": "dead"} where it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        try:
            with os.fdopen(writer, "w") as stream:
                json.dump(call(state, request, kill), stream)
        except BaseException:  # or the child would go on as its parent
            traceback.print_exc()
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"outcome": DEAD, "reasons": [], "edges": []}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    print(json.dumps(forked(**given)))
