# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which machine this is, so that two inventory names for one are told from two machines."""

from __future__ import annotations

import os

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii


def identity(proc: str = "/proc") -> str:
    """The boot of its kernel, and the namespace of its processes, '' where /proc does not say.

    Not /etc/machine-id: machines that were cloned from one image share it. Containers share the boot, and each has a
    namespace of processes of its own (pid_namespaces(7)).
    """
    try:
        boot = _ascii.strip(_ascii.read(os.path.join(proc, "sys", "kernel", "random", "boot_id")))
        return f"{boot} {os.readlink(os.path.join(proc, 'self', 'ns', 'pid'))}"
    except OSError:
        return ""
