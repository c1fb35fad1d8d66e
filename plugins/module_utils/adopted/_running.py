# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a unit that is to be adopted runs, and as its files have it by now."""

from __future__ import annotations

import contextlib
import glob
import os

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _adoptable
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start, _process, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service._identify import Unfit

RESTART = "restart it yourself first, so that a step brings nothing but TCP Fast Open"


def process(unit: str, state: _systemd.Unit) -> _process.Process:
    """The unit's main process. Raises Unfit where it does not run."""
    if not state.active:
        raise Unfit(f"{unit} is {state.active_state} ({state.sub_state}): only what runs can be adopted; start it")
    if not state.pid:
        raise Unfit(f"{unit}: {_adoptable.NO_MAIN_PROCESS}")
    running = _process.read(state.pid)
    if running is None:
        raise Unfit(f"{unit} ended just now: only what runs can be adopted; see journalctl --unit {unit}")
    return running


def refuse_edited(unit: str, state: _systemd.Unit, running: _process.Process) -> None:
    """A restart must bring nothing but our change: an edit that its owner has not brought into effect is his to try.

    Raises Unfit, SystemdError.
    """
    if _exec_start.DROP_IN not in state.drop_ins:
        if state.needs_reload:
            raise Unfit(f"{unit}: its unit has changed: systemctl daemon-reload, and restart it")
        if running.replaced:
            raise Unfit(f"{unit} runs on with a {running.replaced} that was upgraded or removed: {RESTART}")
    files = [path for path in state.drop_ins.split() if os.path.basename(path) != _exec_start.DROP_IN]
    told = _systemd.systemctl("show", "--property=EnvironmentFiles", "--", unit).split("\n")
    files += [one for line in told for one in glob.glob(line.partition("=")[2].rpartition(" (")[0])]
    for path in (state.fragment, *files):
        with contextlib.suppress(OSError):
            if running.older_than(os.stat(path).st_mtime):
                raise Unfit(f"{path} has changed after the start of {unit}: {RESTART}")
