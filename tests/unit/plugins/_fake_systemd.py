# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd in memory: units, templates and drop-ins are files below a folder, merged as systemd.unit(5) says."""

from __future__ import annotations

import fnmatch
import os
import shutil
import time
from pathlib import Path

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _packaged, _process

PACKAGED = "[Service]\nType=simple\nExecStart=/usr/bin/ss-server -c $CONFFILE $DAEMON_ARGS\n"


class FakeSystemd:
    """Answers systemctl and systemd-run, and fails on what it does not know.

    Units are files in ``unit_dir`` (/etc), ``run_unit_dir`` and ``lib_unit_dir``, with their drop-ins beside them.
    ``done`` lists what changed something, in order. ``broken`` units die at their start, ``unmet`` ones do not start, and
    nothing has failed: a condition of theirs does not hold, which systemd-analyze tells unless it is ``mute``. ``told``
    overrides what is shown of a unit, {unit: {property: value}}, ``systemd`` its version. ``transient`` units are those of
    systemd-run;
    ``waiting`` are timers.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unit_dir = root / "etc/systemd/system"
        self.run_unit_dir = root / "run/systemd/system"
        self.lib_unit_dir = root / "usr/lib/systemd/system"
        self.done: list[str] = []
        self.broken: set[str] = set()
        self.unmet: set[str] = set()
        self.mute = False
        self.running: dict[str, int] = {}
        self.failed: set[str] = set()
        self.processes: dict[int, _process.Process] = {}
        self.loaded: dict[str, dict[str, str]] = {}
        self.transient: set[str] = set()
        self.waiting: set[str] = set()
        self.told: dict[str, dict[str, str]] = {}
        self.systemd = 252
        self.owners: dict[int, tuple[int, int]] = {}
        for folder in (self.unit_dir, self.run_unit_dir, self.lib_unit_dir):
            folder.mkdir(parents=True)
        self.put(self.lib_unit_dir / _packaged.UNIT, PACKAGED)

    def put(self, path: Path | str, text: str, mode: int = 0o644) -> None:
        """A file that somebody else wrote, root's."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        os.chmod(path, mode)
        self.owners[os.stat(path).st_ino] = (0, 0)

    def _systemctl(self, verb: str, *arguments: str) -> tuple[int, str]:
        options = [word for word in arguments if word.startswith("--")]
        named = [word for word in arguments if not word.startswith("--")]
        units = [self._id(unit) for word in named for unit in self._matching(word)]
        if verb == "--version":
            return 0, f"systemd {self.systemd} ({self.systemd}.1-1)\n+PAM -BPF\n"
        if verb == "show":
            asked = options[0].removeprefix("--property=").split(",")
            return 0, "\n".join(self._show(unit, asked) for unit in units)
        self.done.append(" ".join((verb, *arguments)))
        for unit in units:
            known = self._load_state(unit) == "loaded"
            alive = unit in self.running or unit in self.failed or self._wants(unit).is_symlink()
            if (verb == "reset-failed" and not alive) or (verb == "stop" and not known and not alive):
                return 5, f"Failed to {verb} {unit}: Unit {unit} not loaded."
            if verb in ("enable", "disable", "restart", "start") and not known:
                return 5, f"Unit {unit} not found."
            if verb == "enable":
                self._wants(unit).parent.mkdir(exist_ok=True)
                self._wants(unit).unlink(missing_ok=True)
                self._wants(unit).symlink_to(self._fragment(unit))
            elif verb == "disable":
                self._wants(unit).unlink(missing_ok=True)
            elif verb == "mask":
                (self.unit_dir / unit).unlink(missing_ok=True)  # it is refused over a file, which no test does
                (self.unit_dir / unit).symlink_to("/dev/null")
            elif verb == "unmask":
                (self.unit_dir / unit).unlink(missing_ok=True)
            if verb == "stop" or (verb in ("disable", "mask") and "--now" in options):
                self._stop(unit)
                self.transient.discard(unit)
            elif verb in ("restart", "start"):
                self._stop(unit)
                self.failed.discard(unit)
                self._start(unit)
            elif verb == "reset-failed":
                self.failed.discard(unit)
        if verb == "daemon-reload":
            self.loaded.clear()
        known_verbs = (
            "enable",
            "disable",
            "mask",
            "unmask",
            "restart",
            "start",
            "stop",
            "reset-failed",
            "daemon-reload",
        )
        assert verb in known_verbs, verb
        return 0, ""

    def _matching(self, word: str) -> list[str]:
        """A pattern stands for the units in memory that it matches."""
        return sorted(fnmatch.filter({*self.transient, *self.running}, word)) if "*" in word else [word]

    def _systemd_run(self, *arguments: str) -> tuple[int, str]:
        options = dict(word.partition("=")[::2] for word in arguments if word.startswith("--"))
        self.transient.add(options.get("--unit", "run-u1") + (".timer" if "--on-active" in options else ".service"))
        self.done.append(" ".join(("systemd-run", *arguments)))
        return 0, ""

    def _wants(self, unit: str) -> Path:
        return self.unit_dir / "multi-user.target.wants" / unit

    def _found(self, unit: str) -> list[Path]:
        """Where systemd looks for a unit's files, in its order: the instance's before the template's, /etc first."""
        names = [unit, f"{unit.partition('@')[0]}@.service"] if "@" in unit else [unit]
        return [folder / name for name in names for folder in (self.unit_dir, self.run_unit_dir, self.lib_unit_dir)]

    def _fragment(self, unit: str) -> Path | None:
        return next((path for path in self._found(unit) if os.path.lexists(path)), None)

    def _id(self, unit: str) -> str:
        """The unit's real name, where this one is an alias."""
        fragment = self._fragment(unit)
        alias = fragment is not None and fragment.is_symlink() and os.readlink(fragment) != "/dev/null"
        return os.path.basename(os.readlink(fragment)) if alias else unit

    def _drop_ins(self, unit: str) -> list[Path]:
        """By file name; of two with the same name the one that is found first."""
        found: dict[str, Path] = {}
        for path in self._found(unit):
            for drop_in in Path(f"{path}.d").glob("*.conf"):
                found.setdefault(drop_in.name, drop_in)
        return [found[name] for name in sorted(found)]

    def _files(self, unit: str) -> dict[str, str]:
        """The unit as its files are now, in the order in which they are merged."""
        fragment = self._fragment(unit)
        paths = [fragment, *self._drop_ins(unit)] if fragment else []
        return {str(path): path.read_text(encoding="utf-8") for path in paths}

    def _settings(self, unit: str) -> dict[str, list[str]]:
        """The unit as systemd has loaded it; an empty value forgets the ones before."""
        found: dict[str, list[str]] = {}
        for text in self.loaded.setdefault(unit, self._files(unit)).values():
            for line in text.replace("\\\n", " ").splitlines():
                key, equals, value = line.partition("=")
                if equals and not line.startswith(("#", ";")):
                    found[key] = [*found.get(key, []), value] if value else []
        return found

    def _argv(self, unit: str) -> list[str]:
        (line,) = self._settings(unit)["ExecStart"]
        program, _at, instance = unit.removesuffix(".service").partition("@")
        return line.lstrip("@-:+!|").replace("%p", program).replace("%i", instance).split()

    def _load_state(self, unit: str) -> str:
        fragment = self._fragment(unit)
        if fragment is None:
            return "loaded" if unit in self.transient else "not-found"
        return "masked" if fragment.is_symlink() else "loaded"

    def _show(self, unit: str, asked: list[str]) -> str:
        state = self._load_state(unit)
        settings = self._settings(unit) if state == "loaded" else {}
        fragment, *drop_ins = self.loaded[unit] if settings else [self._fragment(unit) or ""]
        stale = bool(settings) and self.loaded[unit] != self._files(unit)
        enabled = self._wants(unit).is_symlink()
        active = "active" if unit in {*self.running, *self.transient, *self.waiting} else "inactive"
        active = "failed" if unit in self.failed else active
        argv = self._argv(unit) if settings.get("ExecStart") else []
        fields = {
            "Type": "".join(settings.get("Type", ["simple"])[-1:]),
            "MainPID": self.running.get(unit, 0),
            "NRestarts": 0,
            "Result": "exit-code" if active == "failed" else "success",
            "ExecStart": f"{{ path={argv[0]} ; argv[]={' '.join(argv)} ; ignore_errors=no }}" if argv else "",
            "PrivateNetwork": "".join(settings.get("PrivateNetwork", ["no"])[-1:]),
            "NetworkNamespacePath": "".join(settings.get("NetworkNamespacePath", [])[-1:]),
            "Id": unit,
            "JoinsNamespaceOf": " ".join(settings.get("JoinsNamespaceOf", [])),
            "LoadState": state,
            "ActiveState": active,
            "SubState": {"active": "running", "failed": "failed"}.get(active, "dead"),
            "FragmentPath": fragment,
            "SourcePath": "",
            "DropInPaths": " ".join(drop_ins),
            "UnitFileState": {"not-found": "", "masked": "masked"}.get(state, "enabled" if enabled else "disabled"),
            "NeedDaemonReload": "yes" if stale else "no",
            "Transient": "yes" if unit in self.transient else "no",
            **self.told.get(unit, {}),
        }
        return "".join(f"{key}={value}\n" for key, value in fields.items() if key in asked)

    def _condition(self, unit: str) -> tuple[int, str]:
        if unit not in self.unmet or self.mute:
            return 0, "Conditions succeeded.\n"
        return 1, f"{unit}: ConditionPathExists=/run/x failed.\nConditions failed.\n"

    def _start(self, unit: str) -> None:
        if unit in self.unmet:
            return
        if unit in self.broken:
            self.failed.add(unit)
            return
        if unit.endswith(".timer"):
            self.waiting.add(unit)
            return
        self.running[unit] = pid = 1000 + len(self.processes)
        self.processes[pid] = _process.Process(self._argv(unit), time.time())
        (self.root / f"proc/{pid}").mkdir(parents=True)
        (self.root / f"proc/{pid}/root").symlink_to("/")
        (self.root / f"proc/{pid}/cmdline").write_text("".join(f"{word}\0" for word in self.processes[pid].argv))

    def _stop(self, unit: str) -> None:
        if unit in self.running:
            shutil.rmtree(self.root / f"proc/{self.running.pop(unit)}")
        self.waiting.discard(unit)
