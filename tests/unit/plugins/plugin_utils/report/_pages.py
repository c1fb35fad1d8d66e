# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of journals, and what a reader sees of them."""

from __future__ import annotations

import datetime
import html
import re

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.report import _page
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report import _rollouts

LATER = _rollouts.STARTED + datetime.timedelta(days=1)
KINDS = ("good", "reverted", "refused", "everybody_refused", "killed", "unmeasured", "unbaked")


def page(path, now=LATER):
    """The page of a journal."""
    return _page.render(_journal.read(str(path)), now)


def words(content):
    """What a reader sees, without markup."""
    content = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", content, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", content)).split())
