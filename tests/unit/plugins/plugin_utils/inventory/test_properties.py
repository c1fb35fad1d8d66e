# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door under any input: it never raises, shows no secret, and what it lets in can be used."""

from __future__ import annotations

import datetime
import ipaddress
import json

from ansible.utils.helpers import pct_to_int
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets, _service
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory import _door, _variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._acl import LISTS, MODES, AccessList
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._address import Address, HostPort
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._fleet import FleetError, side
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._instances import (
    CLIENT_KEYS,
    SERVER_KEYS,
    check,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._inventory import Variables
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._lists import Sizes
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Wrong
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import (
    CLIENT_INSTANCE,
    MARKER,
    SERVER_INSTANCE,
)
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        "",
        " ",
        "10%",
        "0%",
        "150%",
        "1.5",
        "-1",
        "1_0",
        "٣",
        "null",
        "yes",
        "off",
        "[1]",
        "{'a': 1}",
        "[[",
        "nan",
        "1e9",
        "0x10",
    ]
    + [
        "203.0.113.7:8388",
        "[::1]",
        "[::1]:53",
        "a..b",
        "fe80::1%eth0",
        "a\x00b",
        "a\n",
        "all",
        "absent",
        "1" * 400,
        "[" * 500,
    ]
    + ["{{ x }}", "/etc/x.conf", "http://h/", "http://[::1", "1-2-3-4", "tcp_only", "listener", "\ud800"]
)
SCALARS = st.one_of(
    WORDS,
    st.text(max_size=20),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.just(datetime.datetime(2024, 1, 1)),
    st.binary(max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)
ALL = [(name, one) for group in _variables.ROLES.values() for name, one in ((one.name, one) for one in group)]


def mutated(name: str) -> st.SearchStrategy[str]:
    """A slip of a name."""
    return st.sampled_from([name, name[:-1], name + "s", name.replace("_", "__", 1), name[:5] + name[6:]])


@given(st.sampled_from(ALL), VALUES)
def test_variable(variable, value):
    """Typed, or refused on one line; what was read reads the same again."""
    _name, one = variable
    try:
        read = one.kind.read(value)
    except Wrong as error:
        assert str(error)
        assert str(error).isprintable()
        assert len(str(error)) < 500
        return
    assert one.kind.read(read) == read
    if not one.name.endswith("_instances"):
        json.dumps(read, allow_nan=False)


@given(VALUES)
def test_sizes_mean_at_least_one_host(value):
    """Of whatever fleet, as Ansible works out `serial`, and never all at once by accident."""
    try:
        sizes = Sizes().read(value)
    except Wrong:
        return
    assert sizes
    for hosts in (1, 3, 1000):
        assert all(1 <= (pct_to_int(size, hosts)) for size in sizes)


@given(st.sampled_from(list(_variables.USED)), st.data())
def test_door(used_by, data):
    """Any values under any names, known ones and slips: lines with the host's name, and no exception."""
    names = data.draw(st.lists(st.sampled_from([name for name, _one in ALL]).flatmap(mutated), max_size=5, unique=True))
    variables = {name: data.draw(VALUES) for name in names}
    report = _door.check(used_by, Variables("h", variables), lambda _name: None, ("server", "client"))
    assert all(line.startswith("h: ") and "\n" not in line for line in report.errors)
    json.dumps(report.variables, allow_nan=False)
    json.dumps(report.errors)


def entries(base, keys):
    """A good instance with some keys of it, or others, replaced."""
    changes = st.dictionaries(st.one_of(st.sampled_from(sorted(keys)), WORDS), VALUES, max_size=3)
    return changes.map(lambda change: {**base, **change})


@given(st.one_of(VALUES, entries(SERVER_INSTANCE, SERVER_KEYS)))
def test_server_instance(raw):
    """What is let in makes a config that is JSON."""
    instance, mistakes = check(SERVER_KEYS, raw)
    assert MARKER not in str(mistakes)
    if mistakes or instance["state"] == "absent":
        return
    ss1 = Variables("ss1", {"ss_server_instances": [raw]})
    for service in side("server", ss1, [raw], {"ss1": ss1}.get).services:
        bare, secrets = _secrets.part([service])
        assert _secrets.join(bare, secrets) == [service]
        assert json.loads(_service.config_text(service))["password"] == instance["password"]
        assert all(len(line) < 2000 for line in _service.unit_text("ss-server", 1, "/usr/bin/ss-server").split("\n"))


@given(st.one_of(VALUES, entries(CLIENT_INSTANCE, CLIENT_KEYS)))
def test_client_instance(raw):
    """Refused by name, or a service."""
    ss1 = Variables("ss1", {"ss_server_instances": [SERVER_INSTANCE], "ansible_host": "192.0.2.1"})
    try:
        services = side("client", Variables("c1", {}), [raw], {"ss1": ss1}.get).services
    except FleetError as error:
        assert error.errors
        assert all(line.startswith("c1: ss_client_instances") for line in error.errors)
        assert MARKER not in str(error)
        return
    for service in services:
        assert json.loads(_service.config_text(service))["local_port"] == service["local_port"]


ADDRESSES = st.one_of(
    VALUES,
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.from_regex(r"[a-z0-9._:\[\]%-]{1,12}", fullmatch=True),
)


@given(ADDRESSES)
def test_address(value):
    """An address in its usual form, or a name that is none."""
    try:
        read = Address().read(value)
    except Wrong:
        return
    assert ":" not in read or ipaddress.ip_address(read).version == 6
    assert read == read.strip("[]") and "%" not in read and not any(char.isspace() for char in read)
    port = HostPort().read(f"[{read}]:80" if ":" in read else f"{read}:80")
    assert port.rpartition(":")[2] == "80"


LINES = st.one_of(
    st.sampled_from([f"[{name}]" for name in (*LISTS, *MODES)]),
    st.sampled_from(
        ["# x", "", "10.0.0.0/8", "10.0.0.0/x", "::1/129", "[x]", "[a-z]+", "a" * 300, "\t[white_list]\r", "é" * 127]
    ),
    st.text(max_size=12),
)


@given(st.lists(LINES, max_size=6).map("\n".join))
def test_access_list(text):
    """Read as shadowsocks-libev reads it, line by line of at most 255 bytes, no line of it means something else."""
    try:
        AccessList().read(text)
    except Wrong:
        return
    section = False
    for raw in text.encode().split(b"\n"):
        assert len(raw) + 1 <= 255
        line = raw.strip(b" \t\r\v\f")
        if line.startswith(b"[") and line.endswith(b"]") and line[1:-1].replace(b"_", b"").isalnum():
            assert line[1:-1].decode() in (*LISTS, *MODES)
            section = True
        assert section or not line or line.startswith(b"#")
