# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's Python: new enough, and it compiles each of our modules once."""

from __future__ import annotations

import builtins
import importlib
import inspect
import sys
import zipfile
import zipimport

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python


def test_old():
    """Says which one it is, which is needed, and where to name it."""
    with pytest.raises(ImportError, match=r"Python is 3\.8, .* needs 3\.9 or later: .* ansible_python_interpreter"):
        _python.ready((3, 8, 18, "final", 0))
    _python.ready((3, 9, 0))
    _python.ready((4, 0))


def test_name_that_lasts(tmp_path, monkeypatch):
    """The system's own for the same Python, whatever its release calls it; another Python keeps its name."""
    system, found = tmp_path / "python3", tmp_path / "python3.11"
    monkeypatch.setattr(_python, "SYSTEM", str(system))
    monkeypatch.setattr(sys, "executable", str(found))
    assert _python.lasting() == str(found)
    found.touch()
    system.symlink_to("python3.11")
    assert _python.lasting() == str(system)
    system.unlink()
    system.touch()
    assert _python.lasting() == str(found)


@pytest.fixture(name="zipped")
def fixture_zipped(tmp_path, monkeypatch):
    """A zip on the path with a package and a module in it, and a Python that was not made ready."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zipped_once/__init__.py", "PACKAGE = 1\n")
        archive.writestr("zipped_once/sub/__init__.py", "")
        archive.writestr("zipped_once/sub/module.py", "def told():\n    return __file__\n")
    monkeypatch.setattr(sys, "path_hooks", [hook for hook in sys.path_hooks if hook is not _python.Importer])
    monkeypatch.syspath_prepend(str(path))
    yield path
    for name in [name for name in sys.modules if name.startswith("zipped_once")]:
        del sys.modules[name]
    sys.path_importer_cache.clear()


def compiled(monkeypatch):
    """The names of the files that are compiled from here on."""
    names = []
    real = builtins.compile

    def noted(source, filename, *rest, **more):
        names.append(str(filename).partition("a.zip")[2])
        return real(source, filename, *rest, **more)

    monkeypatch.setattr(builtins, "compile", noted)
    return names


def test_once(zipped, monkeypatch):
    """Each module is compiled once, has its name and its file, and its source can be had, as tracebacks and we need it."""
    _python.ready()
    _python.ready()
    assert sys.path_hooks.count(_python.Importer) == 1
    names = compiled(monkeypatch)
    module = importlib.import_module("zipped_once.sub.module")
    assert [name for name in names if name] == [
        "/zipped_once/__init__.py",
        "/zipped_once/sub/__init__.py",
        "/zipped_once/sub/module.py",
    ]
    assert module.__file__ == module.told() == f"{zipped}/zipped_once/sub/module.py"
    assert sys.modules["zipped_once"].__file__ == f"{zipped}/zipped_once/__init__.py"
    assert inspect.getsource(module.told) == "def told():\n    return __file__\n"


def test_what_it_is_for(zipped, monkeypatch):
    """Should this fail, Python has mended it, and Importer can go."""
    names = compiled(monkeypatch)
    importlib.import_module("zipped_once.sub.module")
    assert names.count("/zipped_once/sub/module.py") == 2


def test_no_such_module(zipped):
    """As with Python's own."""
    _python.ready()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("zipped_once.other")
    with pytest.raises(zipimport.ZipImportError):
        _python.Importer(str(zipped)).get_filename("zipped_once.other")
