# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet and the router's program, which is copied into a container as it is, lie outside the Python packages."""

from __future__ import annotations

import sys
from pathlib import Path

FLEET = Path(__file__).parents[2] / "fleet"
sys.path += [str(FLEET), str(FLEET / "roles/router")]
