# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do after a run."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _advice, _end

ROLLOUT = "ansible-playbook fastopen.shadowsocks.rollout"
UNDEPLOYED = "deployed otherwise than the inventory says (x.json): run playbook deploy first"
RETRY = f"Mend what is named above, then run it again: {ROLLOUT} -e rollout_retry=true"
LATER = "Without rollout_retry, later runs leave reverted clients alone: c1."
DEPLOY = "Deploy first: ansible-playbook fastopen.shadowsocks.deploy"
AGAIN = f"Mend what is named above, then run it again: {ROLLOUT}"


def side(outcome, host="c1", why="because", **more):
    """A client at the end."""
    return _end.Side(host, "client", outcome, why, **more)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([side("promoted"), side("skipped", "c2")], ["Next: ansible-playbook fastopen.shadowsocks.audit"]),
        ([side("planned")], [f"Nothing was changed. Next: {ROLLOUT}"]),
        ([side("inconclusive")], [f"Run it again for more samples: {ROLLOUT}"]),
        ([side("failed")], [AGAIN]),
        ([side("reverted")], [AGAIN]),
        ([side("reverted", remembered=True), side("promoted", "c2")], [RETRY, LATER]),
        (
            [side("reverted", remembered=True), side("inconclusive", "c2")],
            [RETRY, LATER, "Inconclusive hosts are plain; later runs try them again."],
        ),
        ([side("refused", why=UNDEPLOYED)], [f"{DEPLOY} --limit c1", f"Then run it again: {ROLLOUT}"]),
        ([side("refused", why=UNDEPLOYED), side("failed", "c2")], [f"{DEPLOY} --limit c1", AGAIN]),
        ([side("refused", f"c{n}", UNDEPLOYED) for n in range(11)], [DEPLOY, f"Then run it again: {ROLLOUT}"]),
    ],
)
def test_mend_before_all_else(found, told):
    """With its command; what later runs do comes after it."""
    assert _advice.advice(found, None) == told


def test_run_that_stopped():
    """Where, and that first."""
    first, later = _advice.advice([side("reverted", remembered=True)], {"name": "wave 2"})
    assert (first, later) == (f"The run stopped at wave 2. {RETRY}", LATER)


@pytest.mark.parametrize("stopped", [None, {"name": "wave 2"}])
@pytest.mark.parametrize(("limit", "typed"), [("canary", "canary"), ("all:!c3", "'all:!c3'")])
@pytest.mark.parametrize("outcome", ["reverted", "refused", "inconclusive", "planned"])
def test_again_with_its_limit(outcome, limit, typed, stopped):
    """Who types what is told changes no host that the run was not to change; the limit is one word of the shell."""
    told = _advice.advice([side(outcome, remembered=outcome == "reverted")], stopped, limit, "Next, others")[0]
    assert told.endswith(f"{ROLLOUT} --limit {typed}{' -e rollout_retry=true' * (outcome == 'reverted')}")


@pytest.mark.parametrize(
    ("canaries", "hosts", "told"),
    [
        (["c1", "ss1"], ["ss1"], f"Next, the clients, canaries first: {ROLLOUT} --limit canary"),
        (["ss1"], ["ss1"], f"Next, the clients: {ROLLOUT}"),
        (["c1"], ["c1", "ss1"], f"Next, the other clients: {ROLLOUT}"),
        (["c1"], ["c1", "c2"], ""),
        (["c1"], ["c2"], ""),
        ([], ["c1"], ""),
        (["c1", "c2", "c3"], ["c1", "c2", "c3"], ""),
    ],
)
def test_what_a_limit_has_left(canaries, hosts, told):
    """The clients, and after the canaries the others; a limit that the inventory does not know is named to nobody."""
    assert _advice.left(["c1", "c2", "c3"], canaries, hosts) == told
    assert _advice.left([], canaries, hosts) == ""


@pytest.mark.parametrize(("outcome", "told"), [("promoted", "Next, others"), ("failed", AGAIN)])
def test_next(outcome, told):
    """Once all hosts are well."""
    assert _advice.advice([side(outcome)], None, None, "Next, others") == [told]
