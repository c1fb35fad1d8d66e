# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do after a run: first the mend and the next command, then what later runs do."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _lines
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._end import Side, Wave

ROLLOUT = "ansible-playbook fastopen.shadowsocks.rollout"
AUDIT = "ansible-playbook fastopen.shadowsocks.audit"
DEPLOY = "ansible-playbook fastopen.shadowsocks.deploy"
DEPLOY_FIRST = "run playbook deploy first"
"""What a refusal says that a deployment mends."""


def advice(found: t.Sequence[Side], stopped: t.Optional[Wave], clients_left: bool, canaries: bool = False) -> list[str]:
    """Sentences with commands. ``stopped``: the wave at which the run did; ``clients_left``: its limit was servers only, and
    whether there are ``canaries`` among the clients."""
    outcomes = {one.outcome for one in found}
    remembered = _names(one for one in found if one.outcome == "reverted" and one.remembered)
    undeployed = _names(one for one in found if one.outcome == "refused" and DEPLOY_FIRST in one.why)
    mend = [one for one in found if one.outcome in ("reverted", "failed", "refused", "unreachable")]
    again = f"{ROLLOUT}{' -e rollout_retry=true' if remembered else ''}"
    told = [f"Deploy first: {DEPLOY}{_limit(undeployed)}"] if undeployed else []
    if stopped:
        told.append(f"The run stopped at {stopped['name']}. Mend what is named above, then run it again: {again}")
    elif any(one.host not in undeployed for one in mend):
        told.append(f"Mend what is named above, then run it again: {again}")
    elif undeployed:
        told.append(f"Then run it again: {ROLLOUT}")
    elif "inconclusive" in outcomes:
        told.append(f"Run it again for more samples: {ROLLOUT}")
    elif "planned" in outcomes:
        told.append(f"Nothing was changed. Next: {ROLLOUT}")
    elif clients_left:
        told.append(
            f"Next, the clients{', canaries first' if canaries else ''}: {ROLLOUT}{' --limit canary' if canaries else ''}"
        )
    else:
        told.append(f"Next: {AUDIT}")
    if remembered:
        told.append(f"Without rollout_retry, later runs leave reverted clients alone: {_lines.named(remembered)}.")
    if "inconclusive" in outcomes and not told[-1].startswith("Run it again"):
        told.append("Inconclusive hosts are plain; later runs try them again.")
    return told


def _names(sides: t.Iterable[Side]) -> list[str]:
    return list(dict.fromkeys(one.host for one in sides))


def _limit(names: t.Sequence[str]) -> str:
    return f" --limit {','.join(names)}" if len(names) <= _lines.SHOWN_HOSTS else ""
