# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's variables as the judge reads them."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy


def of(variables: t.Mapping[str, t.Any]) -> Policy:
    """The limits of a run, from variables that the door has let in."""
    return Policy(
        confidence=variables["rollout_confidence"],
        requests=variables["rollout_probe_requests"],
        max_error_share=variables["rollout_max_error_share"],
        max_slowdown_ms=variables["rollout_max_slowdown_ms"],
        max_reverted_share=variables["rollout_max_reverted_share"],
    )
