#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_journal
short_description: Keep what happens in a rollout
version_added: 0.1.0
description:
  - Begins a JSON journal on the controller, or adds an event to one. The file is complete after every call, so a run that is
    killed leaves its trace. Writes nothing in check mode.
  - A journal that cannot be begun is an error. Later, one that cannot be written is a warning, and the rollout goes on.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  report_dir:
    description: The folder on the controller in which to begin a journal. It is made where it is missing.
    type: path
  path:
    description: The journal to add to.
    type: path
  event:
    description: What happened.
    type: dict
    required: true
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Begin the journal
  fastopen.shadowsocks.tfo_journal:
    report_dir: rollout-reports
    event:
      step: preflight
  register: journal
  run_once: true
"""

RETURN = r"""
path:
  description: The journal's path, empty in check mode.
  returned: success
  type: str
"""
