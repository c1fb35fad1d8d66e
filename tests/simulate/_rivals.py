# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two judges of other tools, on the same samples: they look once, at a fixed number of requests."""

from __future__ import annotations

from math import ceil

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._interval import shift, z_fixed
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._arms import Arm, Client

CONFIDENCE, TOLERANCE = 0.98, 0.25
SUCCESS_SHARE, DURATION_MS, DURATION_PERCENTILE = 0.99, 500.0, 0.99


def mann_whitney(client: Client) -> bool:
    """Whether Kayenta's judge would pass the client's first-byte times.

    Its metric is High when the two-sided 98 % limits of the Hodges-Lehmann shift lie above 0.25 of that shift
    (NetflixACAJudge with MannWhitneyClassifier, tolerance 0.25, confLevel 0.98). No data: not passed.
    """
    if not client.plain.ok or not client.fast_open.ok:
        return False
    z = z_fixed(1 - (1 - CONFIDENCE) / 2)
    found = shift(client.plain.ttfb_ms, client.fast_open.ttfb_ms, z, z)
    return found.lower <= TOLERANCE * abs(found.estimate)


def thresholds(client: Client) -> bool:
    """Whether Flagger's two built-in checks would pass: at least 99 % answered, 99th percentile at most 500 ms."""
    arm: Arm = client.fast_open
    if not arm.ok or arm.ok / arm.requests < SUCCESS_SHARE:
        return False
    return sorted(arm.ttfb_ms)[ceil(DURATION_PERCENTILE * arm.ok) - 1] <= DURATION_MS
