# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else wrote and a deployment would touch or run into: named, each on a line."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _deploy,
    _deployment,
    _foreign,
    _listeners,
    _observe,
    _owned,
    _packaged,
    _service,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, SERVER_SERVICE

WANTED = _observe.Wanted("server", [SERVER_SERVICE])
UNIT = "ss-server@main.service"
TEMPLATE = "[Service]\nExecStart=/usr/local/bin/ss-server -c /etc/mine/%i.json\n"


def refused(wanted=WANTED):
    """The lines."""
    return _foreign.refusals(wanted, _observe.observe(wanted))


@pytest.fixture
def host(fake_host):
    """A host, and that nothing on it changes while it is looked at."""
    yield fake_host
    assert fake_host.done == []


def asked(**change):
    """Another service."""
    return dataclasses.replace(WANTED, services=[{**SERVER_SERVICE, **change}])


def test_virgin(host):
    """The package's own server is nobody's."""
    assert refused() == []


def test_deployed(fake_host):
    """What we wrote is ours, whoever has edited it since."""
    _deploy.deploy(WANTED, check=False)
    fake_host.holders = [_listeners.Holder("tcp", "0.0.0.0", 8388, 1000, "ss-server", UNIT)]
    assert refused() == refused(asked(password="new")) == []
    fake_host.put(f"{fake_host.config_dir}/ss-server-main.json", "{}")
    assert refused() == []


@pytest.mark.parametrize("folder", ["unit_dir", "run_unit_dir", "lib_unit_dir"])
def test_template(host, folder):
    """Overwritten, or shadowed: its instances would run something else (field: A4)."""
    path = getattr(host, folder) / "ss-server@.service"
    host.put(path, TEMPLATE)
    wants = host.unit_dir / "multi-user.target.wants"
    (wants / "ss-server@office.service").symlink_to(path)
    line, *more = refused()
    assert str(path) in line
    assert ("ss-server@office.service" in line) == (folder == "unit_dir")
    assert line.endswith(_foreign.REMEDY)
    assert more == []
    assert refused(_observe.Wanted("client", [CLIENT_SERVICE])) == []


def test_linked_template(host):
    """A link is somebody's work, too."""
    (host.unit_dir / "ss-server@.service").symlink_to("/opt/ss-server@.service")
    assert any("is a link to /opt/ss-server@.service" in line for line in refused())


@pytest.mark.parametrize("target", ["/dev/null", "/etc/systemd/system/other.service"])
def test_instance_of_somebody_else(host, target):
    """Masked, or another name of something."""
    (host.unit_dir / UNIT).symlink_to(target)
    assert [line.partition(". ")[0] for line in refused()] == [
        f"{UNIT} is masked" if target == "/dev/null" else f"{UNIT} is another name of a unit of somebody else"
    ]


def test_unit_file_of_the_instance(host):
    """systemd would take it in place of our template."""
    host.put(host.unit_dir / UNIT, TEMPLATE)
    (line,) = refused()
    assert f"{host.unit_dir / UNIT}, from which {UNIT} would run" in line


@pytest.mark.parametrize(
    ("text", "why"), [("", "is masked"), (TEMPLATE, "from which ss-server@main.service would run")]
)
def test_deployed_instance_that_somebody_took(fake_host, text, why):
    """What stands in its place since is not ours, when it is to be restarted and when it is to go."""
    _deploy.deploy(WANTED, check=False)
    path = fake_host.unit_dir / UNIT
    if text:
        fake_host.put(path, text)
    else:
        path.symlink_to("/dev/null")
    fake_host.loaded.clear()
    before, done = fake_host.tree(), list(fake_host.done)
    (line,) = refused(asked(password="new"))
    assert why in line
    for wanted in [asked(password="new"), *([_observe.Wanted("server", [], prune=True)] if text else [])]:
        with pytest.raises(_deploy.Refused, match=UNIT):
            _deploy.deploy(wanted, check=False)
    assert (fake_host.tree(), fake_host.done) == (before, done)


@pytest.mark.parametrize("path", ["ss-server-main.json", "ss-server-main.acl"])
def test_config(host, path):
    """Without our record it is not ours."""
    host.put(host.config_dir / path, "{}")
    (line,) = refused()
    assert line.startswith(f"{host.config_dir / path} is there and would be overwritten. ")


def test_drop_in(host):
    """The name of ours is a plain one."""
    path = host.unit_dir / f"{UNIT}.d/acl.conf"
    host.put(path, "[Service]\n")
    assert refused()[0].startswith(f"{path} is there and would be overwritten")


@pytest.mark.parametrize("name", ["ss-server-main.acl", "acl.conf"])
def test_access_list_of_somebody_beside_ours(fake_host, name):
    """Without one in our config it is not ours: it stays as long as nothing of ours takes its place."""
    _deploy.deploy(WANTED, check=False)
    folder = fake_host.config_dir if name.endswith(".acl") else fake_host.unit_dir / f"{UNIT}.d"
    fake_host.put(folder / name, "[white_list]\n")
    for wanted in (WANTED, asked(password="new"), dataclasses.replace(WANTED, services=[], prune=True)):
        assert refused(wanted) == []
        assert str(folder / name) not in _deployment.compare(wanted, _observe.observe(wanted)).remove
    (line,) = refused(asked(acl="[black_list]"))
    assert line.startswith(f"{folder / name} is there and would be overwritten")


def test_access_list_of_ours(fake_host):
    """Also where a killed run has left it without its config, or it was edited."""
    wanted = asked(acl="[white_list]")
    _deploy.deploy(wanted, check=False)
    config, acl, drop_in = _observe.own_paths(UNIT)
    fake_host.put(drop_in, "[Service]\n# edited\n")
    assert refused(asked(acl="[black_list]")) == []
    _deploy.deploy(wanted, check=False)
    fake_host.put(config, "{}")
    assert {acl, drop_in} <= set(_deployment.compare(WANTED, _observe.observe(WANTED)).remove)


TOUCHED = {
    "config": ("packaged_config", '{"server_port":443, "password":"x"}', "is not as the package made it"),
    "password": ("packaged_config", '{"server_port":8388, "password":"my own"}', "is not as the package made it"),
    "defaults": ("packaged_defaults", "START=no\n", "is not the package's"),
}


@pytest.mark.parametrize(("attribute", "text", "why"), TOUCHED.values(), ids=TOUCHED)
def test_packaged_server_in_use(host, attribute, text, why):
    """Its config is not the package's own any more (field: A3)."""
    host.put(getattr(host, attribute), text)
    (line,) = refused()
    assert line.startswith(
        f"{_packaged.UNIT} (active, starts at boot) is somebody's service ({getattr(host, attribute)}"
    )
    assert why in line
    assert not _deployment.compare(WANTED, _observe.observe(WANTED)).mask
    assert refused(dataclasses.replace(WANTED, packaged=False)) == []
    assert refused(_observe.Wanted("server", [])) == []


def test_packaged_server_that_nobody_uses(fake_host):
    """It is left as it is."""
    fake_host.put(fake_host.packaged_config, "{}")
    for verb in ("stop", "disable"):
        fake_host._systemctl(verb, _packaged.UNIT)
    assert refused() == []
    assert not _deployment.compare(WANTED, _observe.observe(WANTED)).mask


@pytest.mark.parametrize("kind", ["unit", "drop-in"])
def test_packaged_server_with_a_unit_of_somebody(host, kind):
    """A unit of that name, or a drop-in."""
    path = host.unit_dir / _packaged.UNIT
    if kind == "drop-in":
        host.put(f"{path}.d/override.conf", "[Service]\nLimitNOFILE=9\n")
        host.loaded.clear()
    else:
        host.put(path, TEMPLATE)
        host.loaded.clear()
    assert any(line.startswith(_packaged.UNIT) and str(path) in line for line in refused())


def holder(address="0.0.0.0", port=8388, protocol="tcp", unit="nginx.service", **change):
    """Somebody's listener."""
    return _listeners.Holder(protocol, address, port, 77, "nginx", unit)._replace(**change)


@pytest.mark.parametrize(
    ("change", "one", "meets"),
    [
        ({}, holder(), True),
        ({}, holder("203.0.113.9"), True),
        ({}, holder("::"), True),
        ({}, holder(protocol="udp"), False),
        ({"mode": "tcp_and_udp"}, holder(protocol="udp"), True),
        ({"mode": "udp_only"}, holder(), False),
        ({"server": ["203.0.113.7"]}, holder("203.0.113.9"), False),
        ({"server": ["0.0.0.0"]}, holder("::1"), False),
        ({"server": ["0.0.0.0"]}, holder("203.0.113.9"), True),
        ({"server": ["::"]}, holder("::1"), True),
        ({"server": ["203.0.113.7"]}, holder("203.0.113.7"), True),
        ({"server": ["ss1.example"]}, holder("203.0.113.7"), True),
        ({"server_port": 8389}, holder(), False),
        ({}, holder(unit=_packaged.UNIT), False),
        ({}, holder(pid=0, unit="", maybe=("",)), True),
    ],
)
def test_port(host, change, one, meets):
    """Held by somebody else, with pid and program."""
    host.holders = [one]
    lines = refused(asked(**change))
    assert bool(lines) == meets
    if meets and one.pid:
        assert f"is held by pid 77 (nginx, {one.unit}). Stop it, or give the instance another port" in lines[0]


def test_port_of_an_instance_that_left_the_list(fake_host):
    """It runs on until it is said that it goes."""
    _deploy.deploy(asked(name="old", instance="old"), check=False)
    old = "ss-server@old.service"
    other = "ss-server@other.service"
    _owned.store({**_owned.load(), other: "other"})
    for one in (holder(unit=old), holder(pid=0, unit="", maybe=(old, other))):
        fake_host.holders = [one]
        (line,) = refused()
        assert "deployed as instance old: list that with state: absent, set ss_server_prune: true" in line
        assert refused(dataclasses.replace(WANTED, absent=["old"])) == []
        assert refused(dataclasses.replace(WANTED, prune=True)) == []


@pytest.mark.parametrize(
    ("mode", "gid", "fine"), [(0o755, 0, True), (0o750, 990, True), (0o700, 990, False), (0o750, 0, False)]
)
def test_folder_of_the_configs(host, mode, gid, fine):
    """One that was there first must let the services' group in (field: C)."""
    host.group = 990
    seen = dataclasses.replace(_observe.observe(WANTED), folder=(mode, 0, gid))
    lines = _foreign.refusals(WANTED, seen)
    assert (lines == []) == fine
    assert fine or f"(make it so: chgrp shadowsocks {_service.CONFIG_DIR} && chmod 0750" in lines[0]
    host.group = None
    seen = dataclasses.replace(_observe.observe(WANTED), folder=(0o700, 0, 0))
    assert "(make it so: groupadd --system shadowsocks; chgrp" in _foreign.refusals(WANTED, seen)[0]


def test_everything_at_once(host):
    """Nothing is changed, and one run names all of it."""
    host.put(host.unit_dir / "ss-server@.service", TEMPLATE)
    host.put(host.config_dir / "ss-server-main.json", "{}")
    host.put(host.packaged_config, "{}")
    host.holders = [holder()]
    before = host.tree()
    assert len(refused()) == 4
    with pytest.raises(_deploy.Refused) as caught:
        _deploy.deploy(WANTED, check=False)
    assert len(str(caught.value).splitlines()) == 5
    assert _deploy.deploy(WANTED, check=True).refused == refused()
    assert host.tree() == before


def test_nothing_installs_what_is_missing(host):
    """The package is wanted, and there is no apt: refused, before a file is written."""
    seen = dataclasses.replace(_observe.observe(WANTED), installed={}, apt=False)
    wanted = dataclasses.replace(WANTED, by_apt=True)
    (line,) = _foreign.refusals(wanted, seen)
    assert line.startswith("ss-server is not installed, and apt-get") and "shadowsocks_install: archive" in line
    assert _foreign.refusals(WANTED, seen) == []
    assert _foreign.refusals(wanted, dataclasses.replace(seen, apt=True)) == []
    assert _foreign.refusals(wanted, dataclasses.replace(seen, installed={"ss-server": 1.0})) == []
