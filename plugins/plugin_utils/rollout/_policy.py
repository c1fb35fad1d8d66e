# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's limits as the judge reads them."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._compare import Policy


def of(limits: t.Mapping[str, t.Any], prefix: str = "rollout_") -> Policy:
    """The limits of a run from variables that the door has let in, or, without a ``prefix``, from options of that name."""
    return Policy(
        confidence=limits[f"{prefix}confidence"],
        requests=limits[f"{prefix}probe_requests"],
        max_error_share=limits[f"{prefix}max_error_share"],
        max_slowdown_ms=limits[f"{prefix}max_slowdown_ms"],
        max_reverted_share=limits[f"{prefix}max_reverted_share"],
    )
