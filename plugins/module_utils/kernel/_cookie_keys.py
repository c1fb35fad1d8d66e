# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cookie keys by a name each, so that those of two hosts can be compared and neither leaves its host."""

from __future__ import annotations

import hashlib
import hmac

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _proc


def names(run: str, proc: str = "/proc") -> list[str]:
    """The names of the keys that the kernel has, its own first, then its backup; another run has other names for them.

    None where there is no key yet, where only root may read it, or where the kernel has none.
    """
    try:
        text = _proc.read_sysctl(_proc.FASTOPEN_KEY, proc) or ""
    except PermissionError:
        return []
    keys = [_ascii.strip(key) for key in text.split(",")]
    if not keys[0].strip("0-"):
        return []
    return [hmac.new(run.encode(), _ascii.raw(key), hashlib.sha256).hexdigest()[:16] for key in keys]
