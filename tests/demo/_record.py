# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what a rollout shows and writes, without anything of the machine that it ran on."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

TERMINAL, JOURNAL = "rollout.txt", "rollout.jsonl"
PATH = re.compile(r"(Journal|Report): (?P<folder>/\S*/)(?P<name>rollout-\S+)")


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run a rollout, its output here as it comes, and kept in folder with its journal; its exit status."""
    shown, journal = [], ""
    with subprocess.Popen(
        command, env={**environment, "ANSIBLE_FORCE_COLOR": "1"}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            found = PATH.search(line)
            if found and found[1] == "Journal":
                journal = found["folder"] + found["name"]
            shown.append(PATH.sub(r"\1: rollout-reports/\g<name>", line))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TERMINAL).write_text("".join(shown), encoding="utf-8")
    lines = [json.loads(line) for line in Path(journal).read_text(encoding="utf-8").splitlines()]
    lines[1].update(who="ops@control", process="")
    kept = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (folder / JOURNAL).write_text(kept, encoding="utf-8")
    return process.returncode
