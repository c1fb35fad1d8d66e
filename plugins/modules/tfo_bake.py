#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_bake
short_description: Wait while real traffic uses what was changed
version_added: 0.1.0
description:
  - Serves the role rollout only. Waits on the controller; does not wait in check mode.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  seconds:
    description: How long to wait.
    type: float
    required: true
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Bake the canary
  fastopen.shadowsocks.tfo_bake:
    seconds: 300
  run_once: true
"""

RETURN = r"""
seconds:
  description: How long it waited.
  returned: success
  type: float
"""
