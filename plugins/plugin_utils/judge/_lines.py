# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as lines for people."""

from __future__ import annotations

from typing import Any


def lines(result: dict[str, Any], details: bool = False) -> list[str]:
    """The verdict as text for the terminal, a line each; with ``details`` odds, limits and counters below it."""
    shown = [f"verdict: {'measures more' if result['measure'] else result['verdict']}"]
    shown += [f"  {reason}" for reason in result["reasons"]]
    for name, finding in [*result["hosts"].items(), *result["servers"].items(), ("kept clients", result["pooled"])]:
        asked = name in result["measure"] or (name == "kept clients" and result["measure"] and finding["more"])
        shown.append(f"{name}: {'measures more' if asked else finding['verdict']}: {finding['summary']}")
        shown += [f"  {detail}" for detail in finding["reasons"][1:]] if details else []
    coverage = result["coverage"]
    shown.append(
        f"coverage: {coverage['networks']} networks judged; a breakage of {coverage['detectable_share']:.0%} of the "
        f"networks or more would have shown with {coverage['confidence']:.0%} probability"
    )
    return shown
