# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest Python that runs this collection's modules on a host."""

from __future__ import annotations

import sys
import typing as t

OLDEST = (3, 9)


def require(version: t.Sequence[t.Any] = sys.version_info) -> None:
    """Raises ImportError on an older one, and says what to do."""
    if tuple(version[:2]) < OLDEST:
        found, wanted = (".".join(map(str, one[:2])) for one in (version, OLDEST))
        raise ImportError(
            f"This host's Python is {found}, and fastopen.shadowsocks needs {wanted} or later:"
            " name another one in ansible_python_interpreter. Nothing was changed"
        )
