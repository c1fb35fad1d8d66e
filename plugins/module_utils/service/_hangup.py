# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that is lost in the middle does not end what runs on the host."""

from __future__ import annotations

import signal


def ignore() -> None:
    """Go on without a terminal: Ansible gives a module one unless it is told to pipeline, and with the connection it is gone, which
    would end the module (SIGHUP, signal(7)) between the stop of one service and the start of the next."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
