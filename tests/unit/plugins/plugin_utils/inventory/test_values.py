# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be written for a value, in whatever form it comes, and what is refused with which remedy."""

from __future__ import annotations

import datetime

import pytest
from ansible.parsing.vault import VaultedValue
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._lists import Listing, Sizes
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import (
    Boolean,
    Choice,
    Integer,
    Number,
    Text,
    Wrong,
    read,
)
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER

SECRET = Text(words="the password", secret=True)
REQUESTS = Integer(5, 100_000, also=(0,))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Boolean(), True, True),
        (Boolean(), "yes", True),
        (Boolean(), "Off", False),
        (Boolean(), 0, False),
        (Boolean(), "1", True),
        (REQUESTS, 100, 100),
        (REQUESTS, "100", 100),
        (REQUESTS, 20.0, 20),
        (REQUESTS, 0, 0),
        (Number(0, 1), "0.25", 0.25),
        (Number(0, 1), 1, 1.0),
        (Choice(("wave", "all")), "all", "all"),
        (SECRET, "0123456", "0123456"),
        (SECRET, "two words", "two words"),
        (Text(optional=True), "", ""),
        (Sizes(), [1, "25%", "100%"], [1, "25%", "100%"]),
        (Sizes(), ["1", "05%"], [1, "5%"]),
        (Sizes(), '[1, "50%"]', [1, "50%"]),
        (Sizes(), "['10%', 3]", ["10%", 3]),
        (Listing(), [], []),
        (Listing(), '[{"name": "main"}]', [{"name": "main"}]),
        (Listing(), "[{'name': 'main', 'port': 8388}]", [{"name": "main", "port": 8388}]),
    ],
)
def test_read(kind, value, expected):
    """As Ansible itself reads it: YAML, INI, -e, a survey's text."""
    found = kind.read(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Boolean(), "maybe", "'maybe' is not true or false"),
        (Boolean(), "", "'' is not true or false"),
        (Boolean(), [True], "[True] is not true or false"),
        (REQUESTS, "50%", "'50%' is not 0 or a whole number from 5 to 100000"),
        (REQUESTS, 3, "3 is not 0 or a whole number"),
        (REQUESTS, True, "True is not 0 or a whole number"),
        (REQUESTS, 7.5, "7.5 is not 0 or a whole number"),
        (REQUESTS, "", "'' is not"),
        (REQUESTS, float("inf"), "inf is not"),
        (REQUESTS, [100], "[100] is not"),
        pytest.param(REQUESTS, 1 << 20_000, "what is given is not", id="more digits than Python writes"),
        (Text(), b"a", "b'a' must be text, but was read as no text: quote it"),
        (Number(0, 1), "5m", "'5m' is not a number from 0 to 1"),
        (Number(0, 1), float("nan"), "nan is not a number"),
        (Number(0, 1), "nan", "'nan' is not a number"),
        (Number(0, 1), 1.5, "1.5 is not a number from 0 to 1"),
        (Number(0, 1), False, "False is not a number"),
        (Number(0, 5, "seconds"), 9, "9 is not a number from 0 to 5 seconds"),
        (Choice(("wave", "all")), "All", "'All' is not one of wave, all; did you mean all?"),
        (Choice(("tcp_only", "udp_only")), True, "must be text, but was read as a boolean: quote it"),
        (Text(), 8388, "8388 must be text, but was read as a number: quote it"),
        (Text(), datetime.date(2024, 1, 1), "2024-01-01 must be text, but was read as a date: quote it"),
        (Text(), " a", "' a' has blanks or a line end around it"),
        (Text(), "a\nb", "holds a line end or a control character"),
        (Text(), "a\ud800", "holds a line end or a control character"),
        (Text(), "a\u2028b", "holds a line end or a control character"),
        (Text(), "  ", "is empty: give it a value, or leave it out"),
        (Text(), {"a": 1}, "is not text of one line, but a mapping"),
        (Text(r"[a-z]+", "small letters"), "A", "'A' is not small letters"),
    ],
)
def test_refused(kind, value, message):
    """What it is, and what is allowed."""
    with pytest.raises(Wrong) as caught:
        kind.read(value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([0, "100%"], id="zero is all at once"),
        pytest.param([], id="empty is all at once"),
        pytest.param(["-10%"], id="a negative one is all at once"),
        pytest.param([-1], id="negative"),
        pytest.param(["12.5%"], id="a fraction is an internal error"),
        pytest.param([1.5], id="part of a host"),
        pytest.param("10%,50%,100%", id="a text with commas"),
        pytest.param("25%", id="a bare share"),
        pytest.param(5, id="a bare number"),
        pytest.param(["0%"], id="no share"),
        pytest.param(["150%"], id="more than all"),
        pytest.param(["10 %"], id="a blank"),
        pytest.param(["٥%"], id="another script's digit"),
        pytest.param([""], id="an empty entry"),
        pytest.param([None], id="a null entry"),
        pytest.param([True], id="a boolean"),
        pytest.param([["10%"]], id="a list of lists"),
        pytest.param({"10%": 1}, id="a mapping"),
        pytest.param("[1, ", id="cut short"),
    ],
)
def test_sizes_that_serial_reads_otherwise(value):
    """Refused with what is allowed: half of them put every client into one wave (field: A5)."""
    with pytest.raises(Wrong, match='a list of whole numbers from 1 and percentages from "1%" to "100%"'):
        Sizes().read(value)


@pytest.mark.parametrize("value", [MARKER + " ", f"{MARKER}\n", [MARKER], {MARKER: 1}, f"a{MARKER}\x00b"])
def test_secrets_are_not_shown(value):
    """Whatever is wrong with them."""
    with pytest.raises(Wrong) as caught:
        SECRET.read(value)
    assert MARKER not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Integer(1, 9), "what the vault holds for it cannot be used; it must be a whole number from 1 to 9"),
        (Choice(("a", "b")), "what the vault holds for it cannot be used; it must be a, b"),
        (Text("x"), "what the vault holds for it cannot be used; it must be text of one line"),
        (Text("x", secret=True), "is not text of one line"),
    ],
)
def test_vaulted_value_is_not_shown(kind, message):
    """Whatever it was meant for, it was not to be seen."""
    value = VaultedValue(ciphertext="$ANSIBLE_VAULT;1.1;AES256").tag(MARKER)
    assert read(Text(), value) == MARKER
    with pytest.raises(Wrong) as caught:
        read(kind, value)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [Boolean(), REQUESTS, Number(0, 1), Choice(("a",)), Text(), Sizes(), Listing()])
@pytest.mark.parametrize("value", ["", " \n"])
def test_empty(kind, value):
    """What `KEY=` in an INI file and a survey without an answer bring."""
    with pytest.raises(Wrong, match="is empty: give it a value, or leave it out"):
        read(kind, value)


@pytest.mark.parametrize("value", [123456, 0o123456, 1e5, False, datetime.date(2024, 1, 1)])
def test_secret_that_yaml_has_read(value):
    """What was typed is lost, and its value is no less a secret (field: B2)."""
    with pytest.raises(Wrong, match="^must be text, but was read as a (number|boolean|date): quote it$"):
        SECRET.read(value)
