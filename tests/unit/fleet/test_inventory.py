# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fleet's inventory evaluates, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INVENTORY = Path(__file__).resolve().parents[2] / "fleet" / "inventory"


@pytest.mark.parametrize(("implementation", "built"), [("", False), ("rust", True)])
def test_shadowsocks_rust_is_built_where_it_is_wanted(
    implementation: str, built: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "built"
    builder = tmp_path / "python3"
    builder.write_text(f"#!/bin/sh\ntouch {told}\necho {tmp_path}/archive\n", encoding="utf-8")
    builder.chmod(0o755)
    (tmp_path / "archive.sha256").write_text("abc archive\n", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("IMPLEMENTATION", implementation)
    ansible = [Path(sys.executable).parent / "ansible", "-i", INVENTORY, "c1", "-m", "ansible.builtin.debug"]
    shown = subprocess.run(
        [*ansible, "-a", "var=shadowsocks_archive_checksum"], check=True, capture_output=True, text=True
    )
    assert ("sha256:abc" in shown.stdout, told.exists()) == (built, built)
