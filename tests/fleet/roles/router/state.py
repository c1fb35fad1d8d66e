# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the router is told to do: a JSON file, read again whenever it was replaced."""
from __future__ import annotations

import json
import time
from pathlib import Path

FILE = Path("/var/lib/fleet/state.json")
DEFAULT = {"rtt_ms": 50.0, "boxes": []}
LOOK_SECONDS = 0.1


class Reader:
    """Keeps the state's last content; looks at the file at most every LOOK_SECONDS."""

    def __init__(self, file: Path = FILE) -> None:
        self._file, self._stamp, self._looked = file, None, 0.0
        self._state = DEFAULT

    def read(self) -> dict:
        """The state as it is now: the file's, or the default without one."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                status = self._file.stat()
                stamp = (status.st_mtime_ns, status.st_ino)
            except FileNotFoundError:
                stamp = None
            if stamp != self._stamp:
                self._stamp = stamp
                self._state = DEFAULT | json.loads(self._file.read_text(encoding="utf-8")) if stamp else DEFAULT
        return self._state
