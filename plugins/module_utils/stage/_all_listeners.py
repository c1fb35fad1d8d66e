# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel bit 0x400, by which every later listener of the host accepts SYN data: it goes as soon as nobody needs it."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch, _tfo_bits
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record


def stop(record: _record.Record, lease: t.Optional[_record.Lease]) -> t.Optional[int]:
    """Clear it where we raised it and nothing that is kept needs it, before services restart: a socket that listens after
    that must get no queue of TFO, for 0x2 may stay. The kernel's value before; None where it cannot be put back, which
    whoever puts back the other bits tells."""
    raised = (record.raised | (lease.raised if lease else 0)) & _tfo_bits.ALL_LISTENERS
    try:
        value = _switch.run_time(_record.wants(record, lease), raised, lower=True)
        _switch.write(value)
    except KernelError:
        return None
    gone = raised & ~value.raised
    record.raised &= ~gone
    if lease:
        lease.raised &= ~gone
    return value.before
