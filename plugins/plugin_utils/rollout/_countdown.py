# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seconds that a bake still takes, on a terminal."""

from __future__ import annotations

import threading
import time
import typing as t

CLEARED = "\r\x1b[K"
"""To the first column, and nothing from there on (ECMA-48, CR and EL)."""


def can_redraw(stream: t.TextIO, environment: t.Mapping[str, str]) -> bool:
    """Whether a line of this stream may be written over: a terminal that can, which no machine records."""
    return stream.isatty() and not environment.get("CI") and environment.get("TERM", "dumb") != "dumb"


class Countdown:
    """One line, drawn over itself every second by a thread of its own; with ``stop`` both are gone.

    The cursor is left in the first column, so that what others print meanwhile, such as warnings, begins there.
    """

    def __init__(self, stream: t.TextIO, clock: t.Callable[[], float] = time.monotonic) -> None:
        """``clock`` in seconds."""
        self._stream = stream
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: t.Optional[threading.Thread] = None

    def start(self, seconds: float) -> None:
        """Draw from the next second on: what ends at once is never seen."""
        self.stop()
        self._stopped.clear()
        self._thread = threading.Thread(target=self.draw, args=(seconds, self._stopped.wait), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Clear the line; nothing is drawn any more once this returns."""
        if self._thread:
            self._stopped.set()
            self._thread.join()
            self._thread = None

    def draw(self, seconds: float, stopped: t.Callable[[float], bool]) -> None:
        """Draw until ``stopped``, which waits so many seconds for it, then clear the line."""
        end, drawn = self._clock() + seconds, False
        while not stopped(1.0):
            self._write(f"{CLEARED}  baking, {max(0, round(end - self._clock()))} s left\r")
            drawn = True
        if drawn:
            self._write(CLEARED)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
