# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failures that a module reports as its own message; anything else is a fault of ours and shows a traceback."""

from __future__ import annotations

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _apply, _host, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _tunnel

EXPECTED = (
    _apply.ApplyError,
    _host.HostError,
    _kernel.KernelError,
    _record.RecordError,
    _systemd.SystemdError,
    _tunnel.TunnelError,
    OSError,
)
