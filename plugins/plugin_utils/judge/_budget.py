# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many hosts may be bad before a wave goes back."""

from __future__ import annotations

import typing as t


class Budget(t.NamedTuple):
    """How many hosts may be bad: of clients more than one and more than ``share`` of those judged are too many.

    Counted over the run: ``judged`` and ``bad`` are those of earlier waves. A ``strict`` one allows none (servers).
    """

    share: float = 0.1
    judged: int = 0
    bad: int = 0
    strict: bool = False

    def exceeded(self, bad: int, judged: int) -> bool:
        """Whether a wave of so many judged hosts with so many bad ones is over it."""
        if self.strict:
            return bad > 0
        return self.bad + bad > max(1.0, round(self.share * (self.judged + judged), 6))
