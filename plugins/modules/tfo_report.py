#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_report
short_description: Render a journal as an HTML page
version_added: 0.1.0
description:
  - Renders the journal of a rollout, or of an audit, as one self-contained HTML page that needs neither network nor script.
    It says what happened, why, and what to do next, with the time line, every wave and the figures behind its verdict.
  - A journal of a run that has not ended gives a page that says so.
  - Runs on the controller; no host is contacted.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  journal:
    description: The journal. Left empty, it is the newest of a rollout in O(report_dir).
    type: path
    default: ""
  report_dir:
    description: The folder on the controller that keeps the journals.
    type: path
    default: ""
  page:
    description: The file to write. Left empty, it is beside the journal, with the ending C(.html).
    type: path
    default: ""
extends_documentation_fragment: [fastopen.shadowsocks._controller]
"""

EXAMPLES = r"""
- name: Render the newest journal
  fastopen.shadowsocks.tfo_report:
    report_dir: rollout-reports
"""

RETURN = r"""
journal:
  description: The journal that was read.
  returned: success
  type: str
page:
  description: The page that was written; in check mode, that would be.
  returned: success
  type: str
lines:
  description: Where the page is, for people.
  returned: success
  type: list
  elements: str
"""
