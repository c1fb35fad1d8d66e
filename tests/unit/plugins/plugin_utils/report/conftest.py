# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that are run as tasks would, see _rollouts, and the journals that they leave."""

import pytest
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.action.conftest import run
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report import _rollouts
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.report._pages import KINDS

__all__ = ["run"]


@pytest.fixture(scope="module", name="monkeypatched")
def fixture_monkeypatched():
    """For a whole module."""
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.fixture(scope="module", name="journals")
def fixture_journals(tmp_path_factory, monkeypatched):
    """One of each kind, by name."""
    run = _rollouts.Run(monkeypatched)
    found = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        getattr(_rollouts, kind)(run, str(folder))
        (found[kind],) = folder.glob("*.jsonl")
    return found
