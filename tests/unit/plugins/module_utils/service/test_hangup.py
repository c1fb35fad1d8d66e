# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that outlives its terminal, and the modules that do it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _hangup
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_service, tfo_stage
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import SERVER_SERVICE

HUNG_UP = """
import os, runpy, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if sys.argv[2:]:
    runpy.run_path(sys.argv[1])["ignore"]()
os.kill(os.getpid(), signal.SIGHUP)
"""


@pytest.mark.parametrize(("more", "status"), [(["ignored"], 0), ([], -signal.SIGHUP)])
def test_end_of_the_terminal(more, status):
    """Without it the process dies of it."""
    done = subprocess.run([sys.executable, "-c", HUNG_UP, _hangup.__file__, *more], check=False)
    assert done.returncode == status


@pytest.mark.parametrize(
    ("main", "arguments"),
    [(tfo_service.main, {"services": [SERVER_SERVICE]}), (tfo_stage.main, {"state": "plain"})],
    ids=["tfo_service", "tfo_stage"],
)
def test_modules_that_restart_services(fake_host, run_module, main, arguments):
    """They do not end with their terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        run_module(main, side="server", **arguments)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
