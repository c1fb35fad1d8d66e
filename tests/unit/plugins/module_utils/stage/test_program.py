# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the host: one file of the modules' own code that runs by itself."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _program

REAL_RUN = subprocess.run
OURS = "ansible_collections/fastopen/shadowsocks/plugins/module_utils/"


@pytest.fixture(name="sources")
def fixture_sources():
    """The text of every module inside, by path."""
    archive = zipfile.ZipFile(io.BytesIO(_program.build(_cli.__name__)))
    return {name: archive.read(name).decode() for name in archive.namelist()}


def run(path, *arguments):
    """Isolated: no PYTHONPATH, no user's packages, no site-packages."""
    command = [sys.executable, "-I", "-S", str(path), *arguments]
    return REAL_RUN(command, capture_output=True, text=True, check=False, cwd=path.parent)


def test_build_is_the_same_every_time():
    """Also in another process, so that it is only written when the code is another."""
    _program.build.cache_clear()
    first = _program.build(_cli.__name__)
    _program.build.cache_clear()
    assert _program.build(_cli.__name__) == first
    code = (
        "import hashlib, sys; from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli,"
        " _program; sys.stdout.write(_program.build(_cli.__name__).hex())"
    )
    paths = [path for path in sys.path if path]
    environment = {"PYTHONPATH": ":".join(paths), "PYTHONHASHSEED": "7"}
    done = REAL_RUN([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert bytes.fromhex(done.stdout) == first


def test_what_is_inside(sources):
    """Modules of this collection with everything that they import of it at their top; all else is the standard library."""
    modules = {name for name in sources if not name.endswith("__init__.py")} - {"__main__.py"}
    assert all(name.startswith(OURS) for name in modules)
    assert not any(text for name, text in sources.items() if name.endswith("__init__.py"))
    foreign = set()
    for name in [*modules, "__main__.py"]:
        for node in ast.parse(sources[name]).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                inside = (node.module or "").replace(".", "/")
                here = [f"{inside}.py", *(f"{inside}/{alias.name}.py" for alias in node.names)]
                names = [] if any(path in sources for path in here) else [str(node.module)]
            foreign |= {one.partition(".")[0] for one in names}
    assert foreign - set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"]], ids=" ".join)
def test_it_runs_with_nothing_but_python(tmp_path, arguments):
    """Reads this machine, whatever it is like."""
    path = tmp_path / "fastopen"
    path.write_bytes(_program.build(_cli.__name__))
    done = run(path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    if "--json" in arguments:
        found = json.loads(done.stdout)
        keys = {
            "value",
            "boot_value",
            "boot_file",
            "boot_agrees",
            "intended",
            "units",
            "claim",
            "kill_switch",
            "undone",
            "guard",
        }
        assert set(found) == keys
    else:
        assert done.stdout.startswith("kernel   ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--help"], 0, ("status", "off", "undo", "expire")),
        ([], 2, ("COMMAND",)),
        (["undo", "a.service"], 2, ("--why",)),
        (["undo", "--by", "nobody", "--why", "x", "a.service"], 2, ("guard", "operator")),
        (["expire"], 2, ("RUN",)),
    ],
)
def test_its_arguments(tmp_path, arguments, code, said):
    """What it knows, and what it misses."""
    path = tmp_path / "fastopen"
    path.write_bytes(_program.build(_cli.__name__))
    done = run(path, *arguments)
    assert done.returncode == code
    assert all(word in done.stdout + done.stderr for word in said)


def test_install(fake_host, monkeypatch):
    """Once, executable, for the Python that lasts, and again only where it was changed."""
    monkeypatch.setattr(_python, "lasting", lambda: "/system/python3")
    monkeypatch.setattr(_program, "build", _program.build.__wrapped__)
    assert _program.install(_cli.__name__) is True
    inode = fake_host.program.stat().st_ino
    assert _program.install(_cli.__name__) is False
    assert fake_host.program.stat().st_ino == inode
    assert fake_host.program.read_bytes().startswith(b"#!/system/python3\n")


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"x"), lambda path: path.chmod(0o600)])
def test_install_anew(fake_host, change):
    """Other code, or not executable by all."""
    _program.install(_cli.__name__)
    change(fake_host.program)
    assert _program.install(_cli.__name__) is True
    assert fake_host.program.stat().st_mode & 0o777 == 0o755
    assert fake_host.program.read_bytes() == _program.build(_cli.__name__)
