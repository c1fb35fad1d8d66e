# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that rust runs: deployed beside libev's package, instead of libev, and with another binary."""

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _back,
    _binary,
    _deploy,
    _deployment,
    _foreign,
    _observe,
    _packaged,
    _process,
    _service,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, MARKER, SERVER_SERVICE

UNIT = "ss-server@main.service"
RUST = {"implementation": "rust", "server": ["203.0.113.7"]}
SERVER = {**SERVER_SERVICE, **RUST}
CLIENT = {**CLIENT_SERVICE, **RUST}


def wanted(*services, **change):
    """As a module asks for it."""
    side = "server" if services[0]["program"] == "ss-server" else "client"
    params = {"side": side, "services": services, "secrets": None, "limit_nofile": 1, "absent": [], "prune": False}
    return _deploy.build({**params, "packaged": True, "by_apt": False, "archive": {}, **change})


@pytest.fixture(autouse=True)
def joined(monkeypatch):
    """Services with their secrets in them."""
    monkeypatch.setattr(_deploy._secrets, "join", lambda services, _secrets: list(services))


def deploy(*services, **change):
    """For real, and again without a difference."""
    done = _deploy.deploy(wanted(*services, **change), check=False)
    assert not _deploy.deploy(wanted(*services, **change), check=True).changed
    return done


@pytest.mark.parametrize(("service", "unit"), [(SERVER, UNIT), (CLIENT, "ss-local@main.service")])
def test_beside_the_package(fake_host, service, unit):
    """Units of ours start rust's binary, and libev's own server is none of our business."""
    deploy(service)
    binary = "ssserver" if service is SERVER else "sslocal"
    assert fake_host.processes[fake_host.running[unit]].argv[0] == f"/usr/bin/{binary}"
    assert _packaged.UNIT in fake_host.running
    seen = _observe.observe(wanted(service))
    assert (_observe.port_of(unit, seen), _observe.mode_of(unit, seen)) == (_service.port(service), "tcp_only")
    assert _back._port(unit, seen) == _service.port(service)


@pytest.mark.parametrize(
    ("config", "port"),
    [({"servers": []}, None), ({"servers": "x"}, None), ({"servers": [1]}, None), ({"server_port": 1}, 1), ({}, None)],
)
def test_config_that_somebody_edited(fake_host, config, port):
    """It says nothing, and nothing breaks."""
    deploy(SERVER)
    fake_host.put(f"{fake_host.config_dir}/ss-server-main.json", json.dumps(config))
    assert _observe.port_of(UNIT, _observe.observe(wanted(SERVER))) == port


def test_instead_of_libev(fake_host):
    """The same unit starts another binary with another config; workers that were processes go."""
    workers = [{**SERVER_SERVICE, "name": f"main-{number}", "reuse_port": True} for number in (1, 2)]
    deploy(*workers)
    done = deploy({**SERVER, "workers": 2})
    assert {one["name"] for one in done.differs if "no longer wanted: it is stopped" in one["why"]} == {
        "ss-server@main-1.service",
        "ss-server@main-2.service",
    }
    assert UNIT in fake_host.running
    assert not [unit for unit in fake_host.running if "main-" in unit]
    assert MARKER not in str(done.diff)


def test_instances_that_stay_would_not_start(fake_host):
    """They share the template, and rust cannot read libev's config."""
    old = {**SERVER_SERVICE, "name": "old", "instance": "old", "server_port": 8389}
    deploy(SERVER_SERVICE, old)
    (line,) = _foreign.refusals(wanted(SERVER), _observe.observe(wanted(SERVER)))
    assert line.startswith(
        "ss-server@old.service is not listed, stays, and would start ssserver with a config of ss-server: list it"
    )
    for change in ({"absent": ["old"]}, {"prune": True}):
        assert _foreign.refusals(wanted(SERVER, **change), _observe.observe(wanted(SERVER, **change))) == []
    assert _foreign.refusals(wanted(SERVER, {**old, **RUST}), _observe.observe(wanted(SERVER))) == []
    assert _foreign.refusals(wanted(SERVER_SERVICE), _observe.observe(wanted(SERVER_SERVICE))) == []


def test_another_binary(fake_host, tmp_path, monkeypatch):
    """What runs since before its binary was written is restarted."""
    binary = tmp_path / "ssserver"
    binary.touch()
    monkeypatch.setattr(
        _observe._binary, "find", lambda name: str(binary) if name == "ssserver" else f"/usr/bin/{name}"
    )
    deploy(SERVER)
    process = fake_host.processes[fake_host.running[UNIT]]
    time.sleep(2 * _process.TICK_SECONDS)
    os.utime(binary, (0, 0))  # the time at which it was built, as dpkg keeps it
    seen = _observe.observe(wanted(SERVER))
    plan = _deployment.compare(wanted(SERVER), seen)
    assert plan.restart == [UNIT]
    assert plan.differs[-1]["why"] == f"runs since before {binary} was written: it is restarted"
    fake_host.processes[fake_host.running[UNIT]] = _process.Process(process.argv, time.time())
    assert _deployment.compare(wanted(SERVER), _observe.observe(wanted(SERVER))).restart == []


def test_missing(fake_host):
    """By the name of the binary, at the place where an archive puts it."""
    fake_host.version = None
    done = _deploy.deploy(wanted(SERVER), check=True)
    assert done.missing == ["ssserver"]
    assert _observe.observe(wanted(SERVER)).programs == {"ss-server": "/usr/local/bin/ssserver"}


def test_another_archive(fake_host, monkeypatch):
    """It is to be installed as if there were none, and what it replaces is told."""
    monkeypatch.setattr(_deploy._archive, "difference", lambda checksums: "is another" if checksums else "")
    for archive, missing in (({}, []), ({"x86_64": "sha256:1"}, ["ssserver"])):
        done = _deploy.deploy(wanted(SERVER, archive=archive), check=True)
        assert (done.missing, [line for line in done.steps if line.endswith("is another")]) == (
            missing,
            [f"{_binary.find(one)} is another" for one in missing],
        )
    nobody = wanted(SERVER, services=[], archive={"x86_64": "sha256:1"})
    assert _deploy.deploy(nobody, check=True).missing == []
