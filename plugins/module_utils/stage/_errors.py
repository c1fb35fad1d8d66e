# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failures that a module reports as its own message; anything else is a fault of ours and shows a traceback."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service._secrets import SecretsError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service._systemd import SystemdError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._record import RecordError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._tunnel import TunnelError

EXPECTED = (KernelError, RecordError, SecretsError, SystemdError, TunnelError, OSError)
