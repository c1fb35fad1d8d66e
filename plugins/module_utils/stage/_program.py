# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that stays on the host: the modules' own code as one file, so that the host can help itself."""

from __future__ import annotations

import functools
import io
import os
import re
import sys
import typing as t
import zipfile

from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _folders
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record

_IMPORT = re.compile(r"^from (ansible_collections\.\S+) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)
_MAIN = """\
import sys

from {ready} import ready

ready()

from {main} import main

sys.exit(main())
"""
_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The same time in every build, so that the same code is the same file (zip's first date)."""


def install(main: str) -> bool:
    """Put the program there where it is another one, and say whether that was so. ``main`` is the name of the imported
    module whose main() it runs. Raises FolderError, OSError."""
    content = build(main)
    _folders.make(os.path.dirname(_record.PROGRAM), 0o755)
    old = _files.read(_record.PROGRAM)
    if old is not None and (old.content, old.mode) == (content, 0o755):
        return False
    _files.write(_record.PROGRAM, content, 0o755, os.geteuid(), os.getegid())
    return True


@functools.lru_cache(maxsize=None)
def build(main: str) -> bytes:
    """A zip that Python runs (zipapp's format), of a module and all that it imports of this collection."""
    found = sources(main)
    packages = {name.rpartition(".")[0] for name in found}
    packages |= {part for name in packages for part in _parents(name)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        entries = {f"{name.replace('.', '/')}/__init__.py": "" for name in packages}
        entries.update({f"{name.replace('.', '/')}.py": text for name, text in found.items()})
        entries["__main__.py"] = _MAIN.format(ready=_python.__name__, main=main)
        for path, text in sorted(entries.items()):
            archive.writestr(zipfile.ZipInfo(path, _OLDEST), text, zipfile.ZIP_DEFLATED)
    return f"#!{_python.lasting()}\n".encode() + stream.getvalue()


def sources(main: str) -> dict[str, str]:
    """The modules of the program by name, from wherever they were imported: a checkout, or Ansible's own zip."""
    found: dict[str, str] = {}
    waiting = [_python.__name__, main]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        loader = t.cast(t.Any, sys.modules[name].__loader__)
        found[name] = loader.get_source(name)
        waiting += [imported for imported in _imports(found[name]) if imported in sys.modules]
    return found


def _imports(source: str) -> list[str]:
    """What could be modules of collections in a source's imports; those within a function are none of the program's."""
    found = []
    for module, several, one in _IMPORT.findall(source):
        names = (several or one).replace(",", " ").split()
        found += [name for name in (module, *(f"{module}.{name}" for name in names)) if not _package(name)]
    return found


def _package(name: str) -> bool:
    return hasattr(sys.modules.get(name), "__path__")


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
