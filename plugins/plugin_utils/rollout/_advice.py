# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do after a run: first the mend and the next command, then what later runs do."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _lines
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._end import Side, Wave

ROLLOUT = "ansible-playbook fastopen.shadowsocks.rollout"
AUDIT = "ansible-playbook fastopen.shadowsocks.audit"
DEPLOY = "ansible-playbook fastopen.shadowsocks.deploy"
DEPLOY_FIRST = "run playbook deploy first"
"""What a refusal says that a deployment mends."""


def again(limit: t.Optional[str]) -> str:
    """The command that runs it again, over the hosts of its ``limit``."""
    return f"{ROLLOUT}{f' --limit {shlex.quote(limit)}' if limit else ''}"


def advice(
    found: t.Sequence[Side], stopped: t.Optional[Wave], run_limit: t.Optional[str] = None, following: str = ""
) -> list[str]:
    """Sentences with commands. ``stopped``: the wave at which the run did; ``run_limit``: what --limit was, which the run has
    again where it is run again; ``following``: what its limit has left out and comes next, see ``left``."""
    outcomes = {one.outcome for one in found}
    remembered = _names(one for one in found if one.outcome == "reverted" and one.remembered)
    undeployed = _names(one for one in found if one.outcome == "refused" and DEPLOY_FIRST in one.why)
    mend = [one for one in found if one.outcome in ("reverted", "failed", "refused", "unreachable")]
    same = again(run_limit)
    retried = f"{same}{' -e rollout_retry=true' if remembered else ''}"
    told = [f"Deploy first: {DEPLOY}{_limit(undeployed)}"] if undeployed else []
    if stopped:
        told.append(f"The run stopped at {stopped['name']}. Mend what is named above, then run it again: {retried}")
    elif any(one.host not in undeployed for one in mend):
        told.append(f"Mend what is named above, then run it again: {retried}")
    elif undeployed:
        told.append(f"Then run it again: {same}")
    elif "inconclusive" in outcomes:
        told.append(f"Run it again for more samples: {same}")
    elif "planned" in outcomes:
        told.append(f"Nothing was changed. Next: {same}")
    elif following:
        told.append(following)
    else:
        told.append(f"Next: {AUDIT}")
    if remembered:
        told.append(f"Without rollout_retry, later runs leave reverted clients alone: {_lines.named(remembered)}.")
    if "inconclusive" in outcomes and not told[-1].startswith("Run it again"):
        told.append("Inconclusive hosts are plain; later runs try them again.")
    return told


def left(clients: t.Collection[str], canaries: t.Collection[str], hosts: t.Collection[str]) -> str:
    """What comes after a run over these hosts that was well: the clients, canaries first, after servers alone; the other
    clients after canaries alone; '' after any other."""
    first, mine = set(canaries) & set(clients), set(clients) & set(hosts)
    if clients and not mine:
        return (
            f"Next, the clients, canaries first: {ROLLOUT} --limit canary" if first else f"Next, the clients: {ROLLOUT}"
        )
    return f"Next, the other clients: {ROLLOUT}" if mine and mine <= first < set(clients) else ""


def _names(sides: t.Iterable[Side]) -> list[str]:
    return list(dict.fromkeys(one.host for one in sides))


def _limit(names: t.Sequence[str]) -> str:
    return f" --limit {','.join(names)}" if len(names) <= _lines.SHOWN_HOSTS else ""
