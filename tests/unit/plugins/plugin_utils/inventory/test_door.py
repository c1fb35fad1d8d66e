# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable that a role or playbook reads, of one host and of all together."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template as template
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _door, _variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._templates import evaluation
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)

URL = "http://origin.example/"
SS1 = Variables("ss1", {"ss_server_instances": [SERVER_INSTANCE]})
BOTH = ("server", "client")
RUST = {
    "shadowsocks_implementation": "rust",
    "shadowsocks_install": "archive",
    "shadowsocks_archive_url": {"x86_64": "https://h/x"},
    "shadowsocks_archive_checksum": {"x86_64": f"sha256:{'0a' * 32}"},
}


def own(name="h", **variables):
    """A host's variables, with templates that are evaluated."""
    return Variables(name, variables, evaluation(DataLoader())(variables))


def errors(used_by="rollout", sides=BOTH, **variables):
    """What the door says, without the host."""
    found = _door.check(used_by, own(**variables), {"ss1": SS1}.get, sides).errors
    assert all(line.startswith("h: ") for line in found)
    return [line[3:] for line in found]


@pytest.mark.parametrize("used_by", _variables.USED)
def test_defaults(used_by):
    """A host without any variable of ours is let in, with the default of each variable that is read."""
    report = _door.check(used_by, own(), {}.get, BOTH)
    assert (report.errors, report.warnings) == ([], [])
    shown = [one for one in _variables.variables(used_by) if not one.secret and not one.name.endswith("_instances")]
    assert report.variables == {one.name: one.default for one in shown}


@pytest.mark.parametrize("used_by", ["rollout", "audit", "capture", "status", "report"])
def test_folder_on_the_controller(used_by, monkeypatch):
    """One and the same for who writes there and for who reads: as Ansible has paths, with ~ and the environment."""
    monkeypatch.setenv("HOME", "/home/op")
    for path in ("~/reports", "$HOME/reports", "/home/op/reports"):
        report = _door.check(used_by, own(rollout_report_dir=path), {}.get, ())
        assert (report.errors, report.variables["rollout_report_dir"]) == ([], "/home/op/reports")


def test_typed():
    """Numbers and lists as text, as INI, -e and surveys bring them; templates are evaluated; no secret is returned."""
    report = _door.check(
        "rollout",
        own(
            rollout_bake_seconds="60",
            rollout_client_waves="['5%', 20]",
            rollout_retry="yes",
            rollout_probe_url=template("{{ origin }}"),
            origin=URL,
            tcp_fastopen_key="1-2-3-4",
            ss_client_instances=str([CLIENT_INSTANCE]),
            ss_server_fast_open=None,
        ),
        {"ss1": SS1}.get,
        BOTH,
    )
    assert report.errors == []
    values = report.variables
    assert (values["rollout_bake_seconds"], values["rollout_client_waves"]) == (60.0, ["5%", 20])
    assert (values["rollout_retry"], values["rollout_probe_url"], values["ss_server_fast_open"]) == (True, URL, None)
    assert not {"tcp_fastopen_key", "ss_client_instances"} & set(values)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"rollout_probe_requests": "50%"}, "rollout_probe_requests: '50%' is not 0 or a whole number from 5"),
        ({"rollout_client_waves": ["150%"]}, "rollout_client_waves: '150%' is no share of a fleet"),
        ({"rollout_max_slowdown_ms": None}, "rollout_max_slowdown_ms: is empty: give it a value, or leave it out"),
        ({"rollout_max_error_share": "5%"}, "rollout_max_error_share: '5%' is not a number from 0 to 0.1"),
        ({"rollout_confidence": 95}, "rollout_confidence: 95 is not a number from 0.5 to 0.9999"),
        ({"rollout_client_wave": [1]}, "rollout_client_wave: is no variable of this collection; did you mean"),
        ({"ss_server_instance": []}, "ss_server_instance: is no variable of this collection; did you mean"),
        ({"rollout_probe_url": "https://x/"}, "rollout_probe_url: 'https://x/' must be http://HOST"),
        ({"rollout_bake_seconds": template("{{ gone }}")}, "rollout_bake_seconds: cannot be read: 'gone' is undefined"),
        ({"tcp_fastopen_sysctl_file": "tfo"}, "tcp_fastopen_sysctl_file: 'tfo' is not a file /etc/sysctl.d/NAME.conf"),
        ({"rollout_probe_url": f"http://me:{MARKER}@h/"}, "rollout_probe_url: holds a login, which would be shown"),
        ({"tcp_fastopen_key": f"{MARKER}-x"}, "tcp_fastopen_key: key is not a cookie key"),
        ({"tcp_fastopen_key": 1234}, "tcp_fastopen_key: must be text, but was read as a number: quote it"),
        ({"tcp_fastopen_syncookies": 3}, "tcp_fastopen_syncookies: 3 is not a whole number from 0 to 2"),
        (
            {"tcp_fastopen_accept": "no", "tcp_fastopen_all_listeners": "yes"},
            "tcp_fastopen_all_listeners: needs tcp_fastopen_accept, which is false",
        ),
        ({"ss_client_instances": [CLIENT_INSTANCE]}, "rollout_probe_url: is not set"),
        ({"shadowsocks_implementation": "go"}, "shadowsocks_implementation: 'go' is not one of libev, rust"),
        ({"shadowsocks_install": "archive"}, "shadowsocks_install: archive is for shadowsocks-rust"),
        ({**RUST, "shadowsocks_archive_url": None}, "shadowsocks_archive_url: is not set, and shadowsocks_install is"),
        ({**RUST, "shadowsocks_archive_checksum": None}, "shadowsocks_archive_checksum: is not set, and"),
        ({**RUST, "shadowsocks_archive_checksum": {"x86_64": "sha256:0"}}, "shadowsocks_archive_checksum: x86_64: 's"),
        (
            {**RUST, "shadowsocks_archive_url": {"x86_64": "https://h/x", "aarch64": "https://h/a"}},
            "shadowsocks_archive_checksum: has nothing for aarch64, which the other one has",
        ),
        (
            {**RUST, "shadowsocks_archive_url": {"x86_64": f"https://me:{MARKER}@h/x"}},
            "shadowsocks_archive_url: x86_64: holds a login",
        ),
        ({**RUST, "shadowsocks_archive_url": "https://h/x"}, "shadowsocks_archive_url: is not a mapping from arch"),
        ({"ss_server_limit_nofile": "64k"}, "ss_server_limit_nofile: '64k' is not a whole number"),
        ({"ss_server_state": "absent "}, "ss_server_state: 'absent ' has blanks or a line end around it"),
        ({"ss_server_prune": "perhaps"}, "ss_server_prune: 'perhaps' is not true or false"),
    ],
)
def test_refused(variables, message):
    """One mistake, one line: variable, value, remedy."""
    (line,) = errors(**variables)
    assert line.startswith(message)
    assert MARKER not in line


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"shadowsocks_archive_url": '{"x86_64": "file:///srv/x.tar.xz"}'},
        {"shadowsocks_install": "none"},
        {"shadowsocks_install": "package", "shadowsocks_package": "ss-rust"},
    ],
)
def test_rust(change):
    """From an archive, a package, or as it is."""
    assert errors(**{**RUST, **change}) == []


def test_all_at_once():
    """Whatever is wrong anywhere."""
    found = errors(
        rollout_revert="All",
        rollout_retri=True,
        ss_server_instances=[{**SERVER_INSTANCE, "port": 0, "passwort": MARKER}],
        ss_client_instances="main",
    )
    assert [line.partition(":")[0] for line in found] == [
        "ss_client_instances",
        "rollout_revert",
        "rollout_retri",
        "ss_server_instances[main].passwort",
        "ss_server_instances[main].port",
    ]
    assert MARKER not in str(found)


def test_one_mistake_hides_no_other():
    """A value that is undefined, another that is wrong, and two ports that clash."""
    assert errors(
        used_by="deploy",
        ss_server_instances=[
            {**SERVER_INSTANCE, "password": template("{{ gone }}"), "port": 0},
            {**SERVER_INSTANCE, "name": "a"},
            {**SERVER_INSTANCE, "name": "b"},
        ],
        ss_client_instances=[{**CLIENT_INSTANCE, "local_port": 0}, {**CLIENT_INSTANCE, "name": "c", "server": "ss9"}],
    ) == [
        "ss_server_instances[main].port: 0 is not a whole number from 1 to 65535",
        "ss_server_instances[main].password: cannot be read: 'gone' is undefined",
        "ss_client_instances[main].local_port: 0 is not a whole number from 1 to 65535",
        "ss_client_instances[c].server: 'ss9' is no inventory host",
        "ss-server a and ss-server b both want port 8388/tcp: give one another port",
    ]


def test_instances_that_only_the_play_knows():
    """Else a rollout would find no witness on these hosts, without a word."""
    here, inventory = own(ss_client_instances=[CLIENT_INSTANCE], rollout_probe_url=URL), own(ss_server_instances=[])
    lookup = {"h": inventory, "ss1": SS1}.get
    (error,) = _door.check("rollout", here, lookup, BOTH).errors
    assert error.startswith("h: ss_client_instances: is set for a playbook, where other hosts do not see it")
    assert _door.check("deploy", here, lookup, BOTH).errors == []
    assert _door.check("rollout", here, {"h": here, "ss1": SS1}.get, BOTH).errors == []


def test_sides():
    """Instances of a side that the host does not have are not its business."""
    assert errors(sides=("client",), ss_server_instances=["x"]) == []
    assert errors(sides=("server",), ss_server_instances=["x"]) != []


def test_way_back_does_not_hang_on_the_way_up():
    """Nothing but what a rollback reads can stop it."""
    assert errors("rollback", rollout_bake_seconds="x", ss_server_instances="x", rollout_retri=1) == []
    assert errors("rollback", rollback_scop="all")[0].startswith("rollback_scop: is no variable")
    assert errors("rollback", rollback_scope="everything")[0].startswith("rollback_scope: 'everything' is not one of")
    assert errors("rollback", rollback_lift="yes") == ["rollback_lift: goes with rollback_scope=accept only"]
    assert errors("rollback", rollback_lift="yes", rollback_scope="accept") == []


def test_variable_of_somebody_else():
    """What only begins like ours is left alone."""
    assert errors(ss_server_port=8388, rollout_ticket="X-1", ss_server_password="x") == []


@pytest.mark.parametrize(
    ("used_by", "name", "meant"),
    [
        ("rollback", "rollout_scope", "rollback_scope"),
        ("rollback", "ROLLBACK_SCOPE", "rollback_scope"),
        ("rollback", "rollback-lift", "rollback_lift"),
        ("audit", "rollout_strict", "audit_strict"),
        ("audit", "audit_report_dir", "rollout_report_dir"),
        ("deploy", "ss_client_fast_open_mode", "ss_server_fast_open_mode"),
        ("deploy", "ss_servers_instances", "ss_server_instances"),
        ("deploy", "ss_sever_instances", "ss_server_instances"),
        ("deploy", "tcp_fast_open_accept", "tcp_fastopen_accept"),
        ("deploy", "shadowsock_version", "shadowsocks_version"),
        ("rollout", "rolout_revert", "rollout_revert"),
        ("deploy", "ss_server_fast_open_mod", "ss_server_fast_open_mode"),
        ("rollout", "rollout_Probe_url", "rollout_probe_url"),
    ],
)
def test_mistyped(used_by, name, meant):
    """Also in what it begins with: a rollback of everything that only goes half-way, say."""
    assert errors(used_by, **{name: "all"}) == [f"{name}: is no variable of this collection; did you mean {meant}?"]


@pytest.mark.parametrize(
    "name",
    [
        "my_server_instances",
        "_ss_server_instances",
        "ss_server2_instances",
        "ss_server_instances_a",
        "ss_server_instances2",
        "instances",
        "_strict",
        "outline_version",
        "rollout_ticket",
    ],
)
def test_not_mistyped(name):
    """What only ends like ours is somebody's own."""
    assert errors("audit", **{name: 1}) == errors("deploy", **{name: 1}) == []


def test_warnings():
    """What is allowed, but should be known."""
    report = _door.check(
        "rollout",
        own(
            rollout_probe_requests=0,
            ss_server_instances=[{**SERVER_INSTANCE, "plugin": "obfs-server"}],
        ),
        {}.get,
        BOTH,
    )
    assert report.errors == []
    assert report.warnings == [f"h: main: {_door.PLUGIN}", _door.UNMEASURED]


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        (("shadowsocks_servers", "shadowsocks_clients", "canary"), []),
        (("shadowsocks_servers", "canary", "canary2", "shadowsocks_clients"), []),
        (("shadowsocks_servers",), []),
        (("shadowsocks_servers", "canada", "canal"), []),
        (("shadowsocks_servers", "canarys"), ["group canarys: is not read; did you mean canary?"]),
        (("shadowsocks_server",), ["group shadowsocks_server: is not read; did you mean shadowsocks_servers?"]),
    ],
)
def test_groups(groups, found):
    """A canary that is misspelt would be none."""
    assert _door.group_errors(groups) == found
