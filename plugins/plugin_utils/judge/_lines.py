# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as lines for people."""

from __future__ import annotations

from typing import Any


def lines(result: dict[str, Any]) -> list[str]:
    """The verdict as text for the terminal: every number that decided, or one line each while it is still measured."""
    shown = [f"verdict: {result['verdict']}", *(f"  {reason}" for reason in result["reasons"])]
    for name, finding in [*result["hosts"].items(), *result["servers"].items(), ("kept clients", result["pooled"])]:
        summary, *details = finding["reasons"] or ["nothing to judge"]
        shown.append(f"{name}: {finding['verdict']}: {summary}")
        shown += [] if result["measure"] else [f"  {detail}" for detail in details]
    control, coverage = result["control"], result["coverage"]
    if control["clients"]:
        shown.append(f"control: {len(control['suffering'])} of {control['clients']} clients outside the wave suffer")
    shown.append(
        f"coverage: {coverage['networks']} networks judged; a breakage of {coverage['detectable_share']:.0%} of the "
        f"networks or more would have shown with {coverage['confidence']:.0%} probability"
    )
    return shown
