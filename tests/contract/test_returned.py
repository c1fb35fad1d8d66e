# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RETURN against what a module really returns: the modules that change nothing, run here, over loopback, as any user."""

from __future__ import annotations

import importlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _owned
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record

PYTHON_TYPES = {"bool": bool, "dict": dict, "float": (float, int), "int": int, "list": list, "str": str}
# What AnsibleModule adds by itself to every answer.
COMMON = {"changed", "deprecations", "diff", "invocation", "warnings"}


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a listener on 127.0.0.1; the kernel answers in its name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def arguments(module: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How the module is called; what this machine keeps of itself is left out."""
    for folder in ("FOLDER", "RUN_FOLDER"):
        monkeypatch.setattr(_record, folder, str(tmp_path / folder))
    monkeypatch.setattr(_owned, "FOLDER", str(tmp_path / "owned"))
    return {
        "tfo_discover": {},
        "tfo_probe": {},
        "tfo_path": {"targets": [{"host": "127.0.0.1", "port": port}], "attempts": 1},
        "tfo_sysctl": {"send": True, "snapshot": str(tmp_path / "kernel.json"), "_ansible_check_mode": True},
    }[module]


def differences(returned: dict[str, Any], documented: dict[str, Any], prefix: str = "") -> list[str]:
    """What one of the two has and the other has not, and values of another type than documented; null fits any type."""
    found = [f"{prefix}{name} is not documented" for name in returned if name not in documented]
    for name, result in documented.items():
        if name not in returned:
            found += [f"{prefix}{name} is not returned"] if result.get("returned") in ("always", "success") else []
            continue
        value = returned[name]
        if value is not None and not isinstance(value, PYTHON_TYPES.get(result["type"], object)):
            found.append(f"{prefix}{name} is {type(value).__name__} and documented as {result['type']}")
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict) and result.get("contains"):
                found += differences(entry, result["contains"], f"{prefix}{name}.")
    return found


def answer(program: Any, arguments: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What a module returns of its own; it has to succeed."""
    with patch_module_args(arguments), pytest.raises(SystemExit) as stopped:
        program.main()
    returned = json.loads(capsys.readouterr().out)
    assert stopped.value.code == 0, returned.get("msg")
    return {name: value for name, value in returned.items() if name not in COMMON}


@pytest.mark.parametrize("module", ["tfo_discover", "tfo_path", "tfo_probe", "tfo_sysctl"])
def test_module_returns_what_it_documents(
    module: str, arguments: dict[str, Any], documentation: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    program = importlib.import_module(f"ansible_collections.fastopen.shadowsocks.plugins.modules.{module}")
    assert differences(answer(program, arguments, capsys), documentation["return"]) == []
