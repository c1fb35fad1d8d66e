# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployed host of the stage's tests: what the guard takes off, a stage has put there."""

from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils.stage.conftest import (
    both,
    client,
    server,
)

__all__ = ["both", "client", "server"]
