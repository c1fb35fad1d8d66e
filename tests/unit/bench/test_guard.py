# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench of the guard measures what a host runs: it is read by hand, and would else break unseen."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "guard.py"
SPEC = importlib.util.spec_from_file_location("bench_guard", BENCH)
assert SPEC and SPEC.loader
guard = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(guard)


def test_each_command_works_and_the_tick_is_no_look(tmp_path: Path) -> None:
    commands = guard.commands(tmp_path, sys.executable)
    for command in commands.values():
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (tmp_path / "fastopen").unlink()
    assert subprocess.run(commands["tick"], check=True, stdout=subprocess.PIPE).stdout == b""
