# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps of its TCP Fast Open, for root only.

/var/lib/fastopen/record.json   Record: what was confirmed, asked for, undone, and the kill switch
/run/fastopen/lease.json        Lease: which run holds the host, and its step that is not confirmed yet
/run/fastopen/ended.json        the run that was ended here before it was through, and by what
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._switch import Line, Wants
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _folders

PROGRAM = "/usr/local/lib/fastopen/fastopen"
FOLDER = "/var/lib/fastopen"
RUN_FOLDER = "/run/fastopen"
ROOM_BYTES = 16384
"""More than a record of dozens of services."""

BITS = {
    ("server", "flag"): _tfo_bits.SEND | _tfo_bits.ACCEPT,
    ("server", "listener"): _tfo_bits.SEND | _tfo_bits.ACCEPT | _tfo_bits.ALL_LISTENERS,
    ("server", "own"): _tfo_bits.SEND | _tfo_bits.ACCEPT,
    ("client", "flag"): _tfo_bits.SEND,
}
"""The bits that a service needs: with --fast-open a server needs 0x1 too, or it exits (libev) or fails (rust). A listener runs
without; that it accepts is proven by a fast open of its own host, which needs it."""
STAGES = {"server": "accept", "client": "send"}

Unit = dict[str, t.Any]
"""One service under TFO: ``side``, ``mode`` (flag, listener, or own: fast_open by its own config), and what the way down needs to prove it plain:
``program``, ``port`` (None: no TCP), ``address``, ``url`` ('' where no request can be made); ``servers`` of a client, [address, port]
each, and ``ipv6_first``, for the guard. ``fell``: a restart of ours has left it down, so that the way down starts it again.
``unjudged``: a deployment gave it other servers, or another command, than the rollout has judged it with."""


class RecordError(Exception):
    """A kept file cannot be read, or the lock (see _lock) is not to be had; the message says what to do."""


@dataclasses.dataclass
class Record:
    """``units`` are confirmed. ``raised``: bits that were clear before and that we set; ``lowered``: the reverse.

    ``asked``/``refused``: bits that role tcp_fastopen wants set or clear. ``undone``: by unit, {side, by, when, why,
    intended}, the last of which is the stage that a rollout had confirmed and nobody has taken back: else off.
    ``killed``: {by, when} while the kill switch is on.
    """

    units: dict[str, Unit] = dataclasses.field(default_factory=dict)
    raised: int = 0
    lowered: int = 0
    line: t.Optional[Line] = None
    asked: int = 0
    refused: int = 0
    undone: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    killed: t.Optional[dict[str, str]] = None


@dataclasses.dataclass
class Lease:
    """``deadline`` is a time of CLOCK_MONOTONIC in seconds: setting the clock does not move it. ``units`` are stepped;
    ``renewed`` are those of them that were confirmed before."""

    run: str
    who: str = ""
    since: str = ""
    deadline: float = 0.0
    timer: str = ""
    units: dict[str, Unit] = dataclasses.field(default_factory=dict)
    raised: int = 0
    renewed: list[str] = dataclasses.field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether it has not ended yet."""
        return time.monotonic() < self.deadline


def now() -> str:
    """The time for people: UTC, ISO 8601, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def intended(record: Record, lease: t.Optional[Lease], side: str) -> str:
    """The stage that the last rollout has confirmed for a side: off where an operator, or a rollout, took it back, and
    still the stage where the guard or a lease took it off."""
    confirmed = any(entry["side"] == side for entry in record.units.values())
    renewed = (
        any(lease.units[unit]["side"] == side for unit in lease.renewed if unit in lease.units) if lease else False
    )
    kept = any(one["side"] == side and one.get("intended") == STAGES[side] for one in record.undone.values())
    if side == "server" and record.killed is not None:
        return "off"
    return STAGES[side] if confirmed or renewed or kept else "off"


def under(record: Record, lease: t.Optional[Lease]) -> dict[str, Unit]:
    """Every unit that is kept as being under TFO; one that both have, as it is stepped."""
    return {**record.units, **(lease.units if lease else {})}


def wants(record: Record, lease: t.Optional[Lease]) -> Wants:
    """Which bits are wanted by whom; with lease None only by what outlives a reboot."""
    needed = 0
    for unit in [*record.units.values(), *(lease.units.values() if lease else ())]:
        needed |= BITS[(unit["side"], unit["mode"])]
    return Wants(needed, record.asked, record.refused, record.killed is not None)


def load() -> Record:
    """The record; an empty one where nothing was ever kept. Raises RecordError where it is damaged."""
    kept = _read(f"{FOLDER}/record.json")
    try:
        record = Record(**kept)
        if record.line is not None:
            line = t.cast("dict[str, t.Any]", record.line)
            record.line = Line(line["file"], tuple(line["before"]), line["ours"], line["was"])
        _check(record, Record())
        return record
    except (TypeError, KeyError, AttributeError) as error:
        raise RecordError(f"{FOLDER}/record.json is damaged ({error}): move it away and run again") from None


def store(record: Record) -> None:
    """Keep the record; an empty one leaves no file. Raises OSError."""
    _write(f"{FOLDER}/record.json", None if record == Record() else dataclasses.asdict(record))


def persist(record: Record, boot: _switch.Boot) -> None:
    """Write our line. It is kept before its file has it, so that nobody who comes after a call that was killed in between
    takes it for somebody else's; one that goes is known until it has gone. What cannot be kept stops no way down.
    Raises OSError."""
    if boot.line is not None and boot.files:
        with contextlib.suppress(OSError, RecordError):
            kept = load()
            kept.line = boot.line
            store(kept)
    _switch.persist(boot)
    record.line = boot.line and boot.line.written


def ensure_room() -> None:
    """Raise OSError where the record could not be kept, before anything is changed on the host."""
    _folders.check(FOLDER)
    try:
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".", suffix=".fastopen-new", dir=FOLDER) as stream:
            stream.write(b" " * ROOM_BYTES)
            stream.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, FOLDER) from error
    with contextlib.suppress(OSError):  # something is kept there
        os.rmdir(FOLDER)


def load_lease() -> t.Optional[Lease]:
    """The lease, live or ended; None where no run holds this host. Raises RecordError."""
    kept = _read(f"{RUN_FOLDER}/lease.json")
    try:
        if not kept:
            return None
        lease = Lease(**kept)
        _check(lease, Lease(""))
        return lease
    except (TypeError, KeyError, AttributeError) as error:
        raise RecordError(f"{RUN_FOLDER}/lease.json is damaged ({error}): move it away and run again") from None


def store_lease(lease: t.Optional[Lease]) -> None:
    """Keep the lease, or with None forget it. Raises OSError."""
    _write(f"{RUN_FOLDER}/lease.json", None if lease is None else dataclasses.asdict(lease))


def ended() -> dict[str, str]:
    """The run that was ended here before it was through: {run, why}, or {}."""
    kept = _read(f"{RUN_FOLDER}/ended.json")
    return {"run": str(kept.get("run")), "why": str(kept.get("why"))} if kept else {}


def end_run(run: str, why: str) -> None:
    """Keep that this run has no say here any more, and why. Raises OSError."""
    _write(f"{RUN_FOLDER}/ended.json", {"run": run, "why": why})


def _check(kept: t.Union[Record, Lease], empty: t.Union[Record, Lease]) -> None:
    """Raise TypeError, KeyError or AttributeError for what the way down would stumble over."""
    for name, value in vars(empty).items():
        kind = (int, float) if isinstance(value, float) else type(value)
        if value is not None and not isinstance(getattr(kept, name), kind):
            raise TypeError(f"{name} is a {type(getattr(kept, name)).__name__}")
    parts = {"side", "mode", "program", "address", "port", "url"}
    entries = [(parts, unit) for unit in kept.units.values()]
    if isinstance(kept, Record):
        entries += [({"side", "by", "when", "why"}, one) for one in kept.undone.values()]
        entries += [({"by", "when"}, kept.killed)] if kept.killed is not None else []
    for missing in [wanted - entry.keys() for wanted, entry in entries]:
        if missing:
            raise KeyError(*sorted(missing))
    if any((unit["side"], unit["mode"]) not in BITS for unit in kept.units.values()):
        raise KeyError("mode")


def _read(path: str) -> dict[str, t.Any]:
    try:
        _folders.check(os.path.dirname(path))
        state = _files.read(path)
        if state is None:
            return {}
        if state.link:
            raise ValueError("it is a link")
        kept = json.loads(state.content)
        if not isinstance(kept, dict):
            raise ValueError(f"a {type(kept).__name__}")
        return kept
    except PermissionError:
        return {}
    except _folders.FolderError as error:
        raise RecordError(str(error)) from None
    except ValueError as error:
        raise RecordError(f"{path} is damaged ({error}): move it away and run again") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror}): move it away and run again") from None


def _write(path: str, content: t.Optional[dict[str, t.Any]]) -> None:
    _folders.check(os.path.dirname(path))
    if content is None:
        _files.remove(path)
        return
    text = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    _files.write(path, text, 0o600, os.geteuid(), os.getegid())
