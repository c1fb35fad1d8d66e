# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of what a host has with what is wanted: pure, so a table."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _deployment,
    _exec_start,
    _files,
    _observe,
    _packaged,
    _process,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER, SERVER_SERVICE

GID = 990
WRITTEN, STARTED, FUTURE = 1000.0, 2000.0, 9e9
CONFIG = "/etc/shadowsocks/ss-server-main.json"
ACL = "/etc/shadowsocks/ss-server-main.acl"
DROP_IN = "/etc/systemd/system/ss-server@main.service.d/acl.conf"
UNIT_FILE = "/etc/systemd/system/ss-server@.service"
UNIT = "ss-server@main.service"
PACKAGED = "shadowsocks-libev.service"
WANTED = _observe.Wanted("server", [SERVER_SERVICE])
PROGRAMS = {"ss-server": "/usr/bin/ss-server"}


def settled(wanted: _observe.Wanted = WANTED) -> _observe.Seen:
    """A host that is as wanted."""
    files = {
        path: _files.State(file.text.encode(), file.mode, 0, GID if file.group else 0, mtime=WRITTEN)
        for path, file in _service.files(wanted.services, wanted.limit_nofile, PROGRAMS).items()
    }
    units = {}
    processes: dict = {}
    owned = {}
    for pid, service in enumerate(wanted.services, 100):
        unit = _service.unit(service)
        owned[unit] = service["instance"]
        units[unit] = _systemd.Unit(unit, "loaded", "active", "running", "enabled", pid)
        processes[unit] = _process.Process([f"/usr/bin/{service['program']}", "-c", "x.json"], STARTED)
    packaged = _packaged.Packaged(_systemd.Unit(PACKAGED, load_state="masked"))
    return _observe.Seen(owned, files, units, processes, GID, packaged, (0o750, 0, GID), PROGRAMS)


def virgin() -> _observe.Seen:
    """A host with the package as apt leaves it, and nothing of ours."""
    paths = _service.files([SERVER_SERVICE], 1, PROGRAMS)
    packaged = _packaged.Packaged(_systemd.Unit(PACKAGED, "loaded", "active", "running", "enabled", 7))
    units = {UNIT: _systemd.Unit(UNIT)}
    return _observe.Seen({}, dict.fromkeys(paths), units, dict.fromkeys(units), None, packaged, programs=PROGRAMS)


def with_file(seen: _observe.Seen, path: str, **change) -> _observe.Seen:
    """The host with one file changed."""
    return dataclasses.replace(seen, files={**seen.files, path: seen.files[path]._replace(**change)})


def with_unit(seen: _observe.Seen, name: str = UNIT, **change) -> _observe.Seen:
    """The host with one unit in another state."""
    return dataclasses.replace(seen, units={**seen.units, name: dataclasses.replace(seen.units[name], **change)})


def with_packaged(seen: _observe.Seen, touched: str = "", **change) -> _observe.Seen:
    """The host with the package's server in another state."""
    unit = dataclasses.replace(seen.packaged.unit, **change)
    return dataclasses.replace(seen, packaged=_packaged.Packaged(unit, touched))


def with_process(seen: _observe.Seen, **change) -> _observe.Seen:
    """The host with another process."""
    return dataclasses.replace(seen, processes={**seen.processes, UNIT: seen.processes[UNIT]._replace(**change)})


def asks(**change) -> _observe.Wanted:
    """Wanted with another service."""
    return dataclasses.replace(WANTED, services=[{**SERVER_SERVICE, **change}])


def steps(plan: _deployment.Plan) -> dict:
    """The plan's steps that are not empty."""
    names = ("write", "attributes", "remove", "leave", "stop", "enable", "restart", "mask", "reload")
    return {name: getattr(plan, name) for name in names if getattr(plan, name)}


WORKERS = dataclasses.replace(
    WANTED, services=[{**SERVER_SERVICE, "name": f"main-{n}", "reuse_port": True} for n in (1, 2)]
)
BELOW = _exec_start.resolve(
    [_exec_start.Source(UNIT_FILE, "[Service]\nExecStart=/usr/bin/ss-server -c /etc/shadowsocks/%p-%i.json\n", 0o644)]
)
FAST_OPEN = _files.State(_exec_start.drop_in(BELOW, "server").encode(), 0o644, 0, 0, mtime=STARTED + 1)
DROP_INS = _observe.fast_open_paths(UNIT)
FOREIGN = _files.State(b"[Service]\nExecStart=/usr/bin/ss-server -c /etc/mine.json\n", 0o644, 0, 0, mtime=WRITTEN)
WITH_ACL = settled(asks(acl="[white_list]"))
EXTRA = {**SERVER_SERVICE, "name": "extra", "instance": "extra", "server_port": 8389}
TWO = dataclasses.replace(WANTED, services=[SERVER_SERVICE, EXTRA])
STEPPED = "/run/systemd/system/ss-server@extra.service.d/zz-fastopen.conf"
GONE = dataclasses.replace(WANTED, services=[], prune=True)

TABLE = [
    pytest.param(WANTED, settled(), {}, id="as wanted"),
    pytest.param(
        WANTED,
        virgin(),
        {"write": [CONFIG, UNIT_FILE], "enable": [UNIT], "restart": [UNIT], "mask": True, "reload": True},
        id="virgin",
    ),
    pytest.param(asks(password="other"), settled(), {"write": [CONFIG], "restart": [UNIT]}, id="password"),
    pytest.param(asks(server_port=8443), settled(), {"write": [CONFIG], "restart": [UNIT]}, id="port"),
    pytest.param(
        asks(server_port=443),
        settled(),
        {"write": [CONFIG, UNIT_FILE], "restart": [UNIT], "reload": True},
        id="port that needs a capability",
    ),
    pytest.param(
        dataclasses.replace(WANTED, limit_nofile=99),
        settled(),
        {"write": [UNIT_FILE], "restart": [UNIT], "reload": True},
        id="limit of files",
    ),
    pytest.param(WANTED, with_file(settled(), CONFIG, mode=0o600), {"attributes": [CONFIG]}, id="mode drifted"),
    pytest.param(WANTED, with_file(settled(), CONFIG, gid=0), {"attributes": [CONFIG]}, id="group drifted"),
    pytest.param(WANTED, with_file(settled(), UNIT_FILE, uid=5), {"attributes": [UNIT_FILE]}, id="owner drifted"),
    pytest.param(
        WANTED,
        with_file(settled(), CONFIG, link=True),
        {"write": [CONFIG], "restart": [UNIT]},
        id="a link in place of the file",
    ),
    pytest.param(
        WANTED, with_file(settled(), CONFIG, mtime=STARTED + 1), {"restart": [UNIT]}, id="process older than its config"
    ),
    pytest.param(
        WANTED,
        with_file(settled(), UNIT_FILE, mtime=STARTED + 1),
        {"restart": [UNIT]},
        id="process older than its unit",
    ),
    pytest.param(WANTED, with_file(settled(), CONFIG, mtime=FUTURE), {}, id="a config from the future"),
    pytest.param(
        WANTED,
        with_file(settled(), CONFIG, mtime=STARTED + _process.TICK_SECONDS / 2),
        {},
        id="started in the tick of the write",
    ),
    pytest.param(WANTED, with_process(settled(), argv=["ss-server", "--fast-open"]), {}, id="process with the flag"),
    pytest.param(WANTED, with_unit(settled(), file_state="disabled"), {"enable": [UNIT]}, id="disabled"),
    pytest.param(
        WANTED,
        with_unit(settled(), active_state="failed", sub_state="failed", pid=0),
        {"restart": [UNIT]},
        id="dead",
    ),
    pytest.param(
        WANTED,
        with_unit(settled(), active_state="activating", sub_state="auto-restart", pid=0),
        {"restart": [UNIT]},
        id="dying in a loop",
    ),
    pytest.param(WANTED, with_unit(settled(), needs_reload=True), {"reload": True}, id="not yet reloaded"),
    pytest.param(
        WANTED,
        with_packaged(settled(), load_state="loaded", active_state="active"),
        {"mask": True},
        id="the package's server came back",
    ),
    pytest.param(WANTED, with_packaged(settled(), load_state="not-found"), {}, id="no packaged server"),
    pytest.param(WANTED, with_packaged(settled(), "edited", load_state="loaded"), {}, id="somebody's packaged server"),
    pytest.param(
        dataclasses.replace(WANTED, packaged=False),
        with_packaged(settled(), load_state="loaded", active_state="active"),
        {},
        id="the package is left alone",
    ),
    pytest.param(
        GONE,
        settled(),
        {"leave": [CONFIG, UNIT_FILE], "stop": [UNIT]},
        id="removed instance",
    ),
    pytest.param(
        GONE,
        dataclasses.replace(settled(), files={**settled().files, **dict.fromkeys(DROP_INS, FAST_OPEN)}),
        {"leave": [CONFIG, UNIT_FILE, *DROP_INS], "stop": [UNIT]},
        id="removed instance under TFO",
    ),
    pytest.param(dataclasses.replace(WANTED, services=[]), settled(), {}, id="an empty list removes nothing"),
    pytest.param(WANTED, settled(TWO), {}, id="an instance that left the list stays"),
    pytest.param(
        dataclasses.replace(WANTED, services=[], absent=["other"]), settled(), {}, id="absent is by name only"
    ),
    pytest.param(
        dataclasses.replace(WANTED, absent=["extra"]),
        settled(TWO),
        {"leave": ["/etc/shadowsocks/ss-server-extra.json"], "stop": ["ss-server@extra.service"]},
        id="absent instance",
    ),
    pytest.param(
        dataclasses.replace(WANTED, prune=True),
        dataclasses.replace(settled(TWO), files={**settled(TWO).files, STEPPED: FAST_OPEN}),
        {
            "leave": ["/etc/shadowsocks/ss-server-extra.json", STEPPED],
            "stop": ["ss-server@extra.service"],
        },
        id="removed instance under a step, beside one that stays",
    ),
    pytest.param(
        GONE,
        dataclasses.replace(settled(), files={**settled().files, DROP_INS[1]: FOREIGN}),
        {"leave": [CONFIG, UNIT_FILE], "stop": [UNIT]},
        id="removed instance with somebody else's drop-in of that name",
    ),
    pytest.param(
        WORKERS,
        dataclasses.replace(
            settled(),
            files={**settled().files, **dict.fromkeys(settled(WORKERS).files), UNIT_FILE: settled().files[UNIT_FILE]},
        ),
        {
            "write": ["/etc/shadowsocks/ss-server-main-1.json", "/etc/shadowsocks/ss-server-main-2.json"],
            "leave": [CONFIG],
            "stop": [UNIT],
            "enable": ["ss-server@main-1.service", "ss-server@main-2.service"],
            "restart": ["ss-server@main-1.service", "ss-server@main-2.service"],
        },
        id="one process becomes two workers",
    ),
    pytest.param(
        asks(acl="[white_list]"),
        settled(),
        {"write": [CONFIG, ACL, DROP_IN], "restart": [UNIT], "reload": True},
        id="access list added",
    ),
    pytest.param(asks(acl="[white_list]"), WITH_ACL, {}, id="access list as wanted"),
    pytest.param(asks(acl="[black_list]"), WITH_ACL, {"write": [ACL], "restart": [UNIT]}, id="access list changed"),
    pytest.param(
        WANTED,
        WITH_ACL,
        {"write": [CONFIG], "remove": [ACL, DROP_IN], "restart": [UNIT], "reload": True},
        id="access list removed",
    ),
    pytest.param(
        WANTED,
        dataclasses.replace(settled(), files={**settled().files, UNIT_FILE: FOREIGN}),
        {"write": [UNIT_FILE], "restart": [UNIT], "reload": True},
        id="foreign template in the way",
    ),
    pytest.param(
        GONE,
        dataclasses.replace(virgin(), files={UNIT_FILE: FOREIGN}, units={}),
        {},
        id="foreign template that nobody wants is left",
    ),
]


@pytest.mark.parametrize(("wanted", "seen", "expected"), TABLE)
def test_compare(wanted, seen, expected):
    """Exactly the steps that lead from what is there to what is wanted; no step, no difference, and the other way."""
    plan = _deployment.compare(wanted, seen)
    assert steps(plan) == expected
    assert bool(plan.differs) == bool(set(expected) - {"reload"})
    assert MARKER not in str(plan.differs)


@pytest.mark.parametrize(("wanted", "seen", "expected"), TABLE)
def test_differences_name_their_steps(wanted, seen, expected):
    """Every file and unit of a step is told, with the reason."""
    plan = _deployment.compare(wanted, seen)
    touched = {*plan.write, *plan.attributes, *plan.remove, *plan.leave, *plan.stop, *plan.enable, *plan.restart}
    assert {one["name"] for one in plan.differs} == touched | ({PACKAGED} if plan.mask else set())
    assert all(one["why"] and one["what"] in ("file", "service") for one in plan.differs)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (virgin(), "is inactive (dead)"),
        (with_unit(settled(), active_state="activating", sub_state="auto-restart"), "is activating (auto-restart)"),
        (with_file(settled(), CONFIG, mtime=STARTED + 1), "runs since before its files were written"),
        (with_file(settled(), CONFIG, content=b"{}"), "reads a file that changes"),
        (dataclasses.replace(settled(), processes={UNIT: None}), "is active (running)"),
        (
            dataclasses.replace(settled(), installed={"ss-server": STARTED + 1}),
            "runs since before /usr/bin/ss-server was written",
        ),
        (dataclasses.replace(settled(), unplugged={UNIT}), "runs without its plugin: it is restarted"),
        (
            dataclasses.replace(settled(), folder=(0o700, 0, 0)),
            "is 0700, so that the services cannot read their configs",
        ),
        (with_file(settled(), CONFIG, mode=0o600), f"is 0600 0:{GID}, not 0640 root:shadowsocks"),
    ],
)
def test_reasons(seen, reason):
    """What a person reads."""
    assert any(reason in one["why"] for one in _deployment.compare(WANTED, seen).differs)


@pytest.mark.parametrize(("prune", "kept"), [(False, ["main", "other", "phone"]), (True, ["main", "phone"])])
def test_what_stays_ours(prune, kept):
    """Of the other side everything, and of this one what does not go: the next run finds no stranger there."""
    others = {"ss-server@other.service": "other", "ss-local@phone.service": "phone"}
    seen = dataclasses.replace(settled(), owned={UNIT: "main", **others})
    plan = _deployment.compare(dataclasses.replace(WANTED, prune=prune), seen)
    assert sorted(plan.owned.values()) == kept


def test_template_keeps_what_an_instance_that_stays_needs():
    """A port below 1024, say: without it that instance would not come up again at its next start."""
    capable = _service.files([SERVER_SERVICE], WANTED.limit_nofile, PROGRAMS, {"ss-server"})[UNIT_FILE].text
    alone = with_file(settled(), UNIT_FILE, content=capable.encode())
    beside = dataclasses.replace(alone, owned={**alone.owned, "ss-server@other.service": "other"})
    assert _deployment.compare(WANTED, beside).write == []
    assert _deployment.compare(WANTED, alone).write == [UNIT_FILE]
    gone = dataclasses.replace(beside, files={**beside.files, UNIT_FILE: None})
    assert _deployment.compare(WANTED, gone).write == [UNIT_FILE]


def test_folder_that_nobody_needs():
    """Where nothing is wanted the folder of the configs may be as it is."""
    seen = dataclasses.replace(settled(), folder=(0o700, 0, 0))
    assert _deployment.compare(dataclasses.replace(WANTED, services=[]), seen).differs == []
