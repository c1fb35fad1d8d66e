# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployed host in memory, and what tests of the stage ask of it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc, _sysctl_files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deploy, _observe
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record, _request, _stage
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._others import FLAG, LISTENER, serve
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, MARKER, SERVER_SERVICE

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
SERVICES = {"server": SERVER_SERVICE, "client": {**CLIENT_SERVICE, "server_host": "ss1"}}


class Stage:
    """A host with one service a side, deployed and plain; ``ask`` brings a side to a state as tfo_stage does."""

    def __init__(self, host, sides):
        self.host = host
        for side in sides:
            _deploy.deploy(_observe.Wanted(side, [SERVICES[side]]), check=False)
        self.plain = self.observe()
        host.done.clear()

    @staticmethod
    def request(side, **change):
        """What a rollout asks of a side."""
        url = "http://origin/" if side == "client" else ""
        asked = _request.Request(side, [SERVICES[side]], probe_url=url, run="run1", who="me@here", lease_seconds=60.0)
        return dataclasses.replace(asked, **change)

    def ask(self, state, side, check=False, **change):
        """Bring a side to a state."""
        result = _stage.run(state, self.request(side, **change), check)
        assert MARKER not in str(dataclasses.asdict(result))
        return result

    def flagged(self, side):
        """Whether the side's process runs with our flag."""
        return "--fast-open" in self.host.processes[self.host.running[UNITS[side]]].argv

    def places(self, side):
        """Where the side's drop-in is: stepped (/run), confirmed (/etc)."""
        folders = {"stepped": _drop_in.STEPPED, "confirmed": _drop_in.CONFIRMED}
        return [name for name, folder in folders.items() if folder in self.folders(side)]

    @staticmethod
    def folders(side):
        """The folders that hold the side's drop-in."""
        found = _drop_in.present().get(UNITS[side])
        return found.folders if found else ()

    def boot(self):
        """What the next boot sets the bits to, as text; None where no file does."""
        return _sysctl_files.boot_value(_proc.FASTOPEN).value

    def lease(self):
        """The lease as it is kept, {} where there is none."""
        path = self.host.run_dir / "lease.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def end_lease(self):
        """Let the lease's time pass."""
        lease = _record.load_lease()
        lease.deadline = 0.0
        _record.store_lease(lease)

    def observe(self):
        """Everything that a way down must bring back: files, units, bits."""
        argv = {unit: self.host.processes[pid].argv for unit, pid in self.host.running.items()}
        run = sorted(str(path) for path in self.host.run_unit_dir.rglob("*"))
        return self.host.tree(), argv, self.host.sysctl(), run


@pytest.fixture
def server(fake_host):
    """A host with a server."""
    return Stage(fake_host, ["server"])


@pytest.fixture
def client(fake_host):
    """A host with a client."""
    return Stage(fake_host, ["client"])


@pytest.fixture
def both(fake_host):
    """A host with both."""
    return Stage(fake_host, ["server", "client"])


@pytest.fixture
def others(fake_host):
    """A host where nothing of ours is deployed."""
    return Stage(fake_host, [])


@pytest.fixture
def mixed(others):
    """A server that gets the flag beside a program that knows no flag."""
    serve(others, FLAG)
    serve(others, LISTENER)
    return others


@pytest.fixture(params=["server", "client"])
def side(request):
    """Each side."""
    return request.param


@pytest.fixture
def stage(fake_host, side):
    """A host with a service of the side."""
    return Stage(fake_host, [side])
