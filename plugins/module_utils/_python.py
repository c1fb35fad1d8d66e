# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's Python: whether it is new enough, and that it reads this collection's code once. What runs there begins with it."""

from __future__ import annotations

import os
import sys
import typing as t
import zipimport

OLDEST = (3, 9)
SYSTEM = "/usr/bin/python3"


def ready(version: t.Sequence[t.Any] = sys.version_info) -> None:
    """Prepare for the imports that follow. Raises ImportError on an older Python, and says what to do."""
    if tuple(version[:2]) < OLDEST:
        found, wanted = (".".join(map(str, one[:2])) for one in (version, OLDEST))
        raise ImportError(
            f"This host's Python is {found}, and fastopen.shadowsocks needs {wanted} or later:"
            " name another one in ansible_python_interpreter. Nothing was changed"
        )
    if Importer not in sys.path_hooks:
        sys.path_hooks.insert(0, Importer)
        sys.path_importer_cache.clear()


def lasting() -> str:
    """This Python for what stays on the host, by the system's own name where that is the same: Ansible finds python3.11, which
    goes with the release that brought it."""
    try:
        return SYSTEM if os.path.samefile(SYSTEM, sys.executable) else sys.executable
    except OSError:
        return sys.executable


class Importer(zipimport.zipimporter):
    """For Ansible's zip and ours: zipimport compiles a module to tell the name of its file, and once more to run it
    (Lib/zipimport.py, get_filename, from Python 3.8 to 3.14). To compile is most of what a call costs a host."""

    def get_filename(self, fullname: str) -> str:
        """Where a module comes from. Raises ZipImportError where there is none."""
        path = os.path.join(self.archive, self.prefix, fullname.rpartition(".")[2])
        return os.path.join(path, "__init__.py") if self.is_package(fullname) else f"{path}.py"
