# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: every call is killed before every edge that it passes, and then the host must be able to go on.

python3 _life_sweep.py reads {"request", "cells", "turn", "turns"} and prints {"calls", "failures"}. After each kill the service
must answer; then the next event comes (the same call again, the end of the lease, a rollback), one by turns. ``turn`` 0, 1, … of
``turns`` share the edges among hosts and runs.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import typing as t

import _life_driver
import _life_seen

LEASED = ("repeat", "lease", "rollback")
LONG, SHORT = 30.0, 1.2
GRACE = 30.0  # for a busy machine, on which what the lease starts is slow to begin
MOST = 80  # edges of a call
LEASE = "/run/fastopen/lease.json"


class Cell(t.NamedTuple):
    """A call, the calls that lead to where it starts, and what its repetition ends with."""

    name: str
    before: tuple[str, ...]
    state: str
    outcomes: tuple[str, ...]
    stage: str  # plain, stepped, confirmed or killed, once it has been repeated
    events: tuple[str, ...] = ("repeat", "rollback")
    every: int = 1  # of its edges


CELLS = {
    cell.name: cell
    for cell in (
        Cell("claim", (), "claimed", ("claimed",), "plain", LEASED),
        Cell("step", ("claimed",), "stepped", ("stepped",), "stepped", LEASED),
        Cell("renew", ("claimed", "stepped"), "stepped", ("stepped",), "stepped", LEASED),
        Cell("confirm", ("claimed", "stepped"), "confirmed", ("confirmed",), "confirmed", LEASED),
        Cell("present", (), "present", ("confirmed",), "confirmed", every=3),
        Cell("revert", ("claimed", "stepped"), "plain", ("plain",), "plain"),
        Cell("rollback", ("present",), "plain", ("plain",), "plain"),
        Cell("kill", ("present",), "killed", ("killed",), "killed"),
        Cell("kill stepped", ("claimed", "stepped"), "killed", ("killed",), "killed plain"),
        Cell("lift", ("killed",), "lifted", ("lifted",), "plain"),
        Cell("take over", ("other claimed", "other stepped"), "claimed", ("claimed",), "stepped", LEASED),
        Cell("expire", ("claimed", "stepped", "ended"), "expire", ("expired",), "plain"),
        Cell("release", ("claimed",), "released", ("released",), "plain"),
    )
}


class Sweep:
    """All kills of some cells on this host."""

    def __init__(self, request: dict[str, t.Any], turn: int, turns: int) -> None:
        self.request, self.turn, self.turns = request, turn, turns
        self.side = request["side"]
        self.unit = _life_seen.UNITS[self.side]
        self.runs = itertools.count(time.time_ns())
        self.calls = 0
        self.failures: list[str] = []
        self.base = _life_seen.see()
        self.left = ["/run/fastopen", "/run/fastopen/ended.json", *self.base["kept"]]

    def cell(self, cell: Cell) -> None:
        """Kill the call before each of its edges in turn."""
        numbers = range(1 + self.turn, MOST, self.turns * cell.every)
        for number, event in zip(numbers, itertools.cycle(cell.events)):
            if not self._once(cell, number, event):
                return
        self.failures.append(f"{cell.name}: more than {MOST} edges")

    def _once(self, cell: Cell, number: int, event: str) -> bool:
        """One kill; whether there was such an edge."""
        run = f"run-{next(self.runs)}"
        seconds = SHORT if event == "lease" else LONG
        asked = {**self.request, "run": run, "lease_seconds": seconds}
        self.what = f"{self.side}: {cell.name}, killed at edge {number}, {event}"
        wanted = {}
        for state in cell.before:
            other, _blank, name = state.rpartition(" ")
            given = {**asked, "run": f"{run}-other", "lease_seconds": seconds} if other else asked
            if name == "ended":
                self._end()
                continue
            if other:
                wanted = {"take_over": f"{run}-other"}
            done = _life_driver.forked(name, given)
            self._check(done["outcome"] not in ("failed", "refused", "skipped", "error"), f"{state}: {done}")
        asked.update(wanted)
        done = _life_driver.forked(cell.state, asked, number)
        self.calls += 1
        killed = done["outcome"] == _life_driver.DEAD
        self._alive()
        if killed:
            getattr(self, f"_{event}")(cell, asked)
        self._reset(asked)
        return killed

    def _alive(self) -> None:
        wrong = _life_seen.fetch(self.side)
        self._check(not wrong, f"no answer: {wrong}")
        seen = _life_seen.see()
        flagged = "--fast-open" in seen["argv"][self.unit]
        self._check(not flagged or bool(seen["value"] & 1), f"runs with the flag under {seen['value']}")

    def _repeat(self, cell: Cell, asked: dict[str, t.Any]) -> None:
        done = _life_driver.forked(cell.state, asked)
        self._check(done["outcome"] in cell.outcomes, f"repeated: {done['outcome']} {done['reasons']}")
        self._is(cell.stage)
        if cell.stage in ("plain", "killed plain", "confirmed", "killed"):
            _life_driver.forked("released", asked)
            self._nothing_runs()

    def _lease(self, cell: Cell, asked: dict[str, t.Any]) -> None:
        deadline = time.monotonic() + SHORT + GRACE
        while time.monotonic() < deadline and _life_seen.text(LEASE):
            time.sleep(0.05)
        self._nothing_runs()
        seen = _life_seen.see()
        confirmed = f"/etc/systemd/system/{self.unit}.d/{_life_seen.DROP_IN}" in seen["files"]
        self._check(not confirmed or cell.stage == "confirmed", "outlives its lease")
        self._is("confirmed" if confirmed else "plain")

    def _rollback(self, cell: Cell, asked: dict[str, t.Any]) -> None:
        self._reset(asked)

    @staticmethod
    def _end() -> None:
        """The lease ended long ago, and nothing but the test undoes the step."""
        for timer in _life_seen.run(*_life_seen.TIMERS).split():
            _life_seen.run("systemctl", "stop", timer) if timer.endswith(".timer") else None
        with open(LEASE, encoding="utf-8") as stream:
            lease = json.load(stream)
        with open(LEASE, "w", encoding="utf-8") as stream:
            json.dump({**lease, "deadline": 0.0}, stream)

    def _timers(self) -> list[str]:
        return _life_seen.run(*_life_seen.TIMERS).split()

    @property
    def _own(self) -> int:
        return 2 if self.side == "server" else 0

    def _is(self, stage: str) -> None:
        """Files, process and kernel are those of the stage."""
        seen = _life_seen.see()
        stepped, confirmed = (f"{top}/systemd/system/{self.unit}.d/{_life_seen.DROP_IN}" for top in ("/run", "/etc"))
        flag = stage in ("stepped", "confirmed", "killed")
        self._check(("--fast-open" in seen["argv"][self.unit]) == flag, f"{stage}: argv {seen['argv'][self.unit]}")
        self._check((stepped in seen["files"]) == (stage == "stepped"), f"{stage}: {stepped}")
        self._check((confirmed in seen["files"]) == (stage in ("confirmed", "killed")), f"{stage}: {confirmed}")
        off, boot = self.base["value"], self.base["boot"]
        on = self._own if stage in ("stepped", "confirmed") else 0
        self._check(seen["value"] == off | on, f"{stage}: value {seen['value']}")
        self._check(seen["boot"] == (boot | on if stage == "confirmed" else boot), f"{stage}: boot {seen['boot']}")
        self._check(seen["units"][self.unit]["NeedDaemonReload"] == "no", f"{stage}: needs daemon-reload")
        if stage in ("plain", "killed plain"):
            self._same(seen, self.base, ("files", "value", "boot", "argv", "units"))
        wrong = _life_seen.fetch(self.side)
        self._check(not wrong, f"{stage}: {wrong}")

    def _nothing_runs(self) -> None:
        self._check(not _life_seen.text(LEASE), f"a lease is left: {_life_seen.text(LEASE)}")

    def _reset(self, asked: dict[str, t.Any]) -> None:
        """A rollback by nobody's run, which leaves nothing at all."""
        for state in ("lifted", "plain"):
            done = _life_driver.forked(state, {**self.request, "run": "", "memory": "forget"})
            self._check(done["outcome"] == state, f"{state}: {done['outcome']} {done['reasons']}")
        seen = _life_seen.see()
        self._same(seen, self.base, ("files", "value", "boot", "argv", "units"))
        left = [path for path in seen["kept"] if path not in self.left]
        self._check(not left, f"left behind: {left}")
        self.left += left  # say it once
        for unit in self._timers():
            if unit.startswith("fastopen-lease"):
                _life_seen.run("systemctl", "stop", unit)

    def _same(self, seen: dict[str, t.Any], base: dict[str, t.Any], kinds: t.Sequence[str]) -> None:
        for kind in kinds:
            if seen[kind] != base[kind]:
                differs = [base[kind], seen[kind]]
                if isinstance(seen[kind], dict):
                    keys = {*seen[kind], *base[kind]}
                    differs = [k for k in sorted(keys) if seen[kind].get(k) != base[kind].get(k)]
                self._check(False, f"not as before: {kind}: {differs}")
                self.base = {**self.base, kind: seen[kind]}  # say it once

    def _check(self, right: bool, wrong: str) -> None:
        if not right:
            self.failures.append(f"{self.what}: {wrong}")


def main() -> None:
    """Sweep, and print what was found."""
    given = json.load(sys.stdin)
    sweep = Sweep(given["request"], given["turn"], given["turns"])
    for name in given["cells"]:
        sweep.cell(CELLS[name])
    print(json.dumps({"calls": sweep.calls, "failures": sweep.failures}))


if __name__ == "__main__":
    main()
