# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may not have a fleet is told so before anything is installed or made."""

from __future__ import annotations

import os
import re
from pathlib import Path

import _machine
import pytest

MAKEFILE = (Path(__file__).parents[3] / "Makefile").read_text(encoding="utf-8")


def test_ordinary_user_is_refused_before_anything_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name in ("CACHE", "CONTAINERS_CONF", "SSH_KEY"):
        monkeypatch.setattr(_machine, name, tmp_path / name)
    with pytest.raises(_machine.FleetError) as refused:
        _machine.bootstrap()
    assert "sudo make demo" in str(refused.value) and "rootless podman" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["demo", "molecule", "bench"])
def test_tools_are_installed_for_nobody_who_is_refused(target: str) -> None:
    """They take minutes."""
    assert re.search(rf"^{target}: machine ##", MAKEFILE, re.MULTILINE)
