# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of binaries: where it is and its digest, by architecture."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._archive import (
    CHECKSUM,
    ArchiveUrl,
    ByArchitecture,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Wrong

GOOD = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/shadowsocks/shadowsocks-rust/releases/download/v1.25.0/shadowsocks-v1.25.0.x86_64-unknown-linux-gnu.tar.xz",
        "http://192.0.2.1:8080/x.tar.xz?a=b",
        "file:///srv/x.tar.xz",
    ],
)
def test_url(url):
    """As it is."""
    assert ArchiveUrl().read(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/x",
        "https://",
        "https://h",
        "/srv/x",
        "file://h/x",
        "https://h/a b",
        "https://h/x#y",
        "https://[::1/x",
        5,
        "",
    ],
)
def test_no_url(url):
    """Another scheme, no file, or not what would be fetched."""
    with pytest.raises(Wrong):
        ArchiveUrl().read(url)


@pytest.mark.parametrize("login", ["me:s3cret-marker@", "s3cret-marker@"])
def test_login(login):
    """It is not shown."""
    with pytest.raises(Wrong, match="holds a login") as error:
        ByArchitecture(ArchiveUrl()).read({"x86_64": f"https://{login}h/x"})
    assert "marker" not in str(error.value)


@pytest.mark.parametrize("value", [{"x86_64": GOOD}, f'{{"x86_64": "{GOOD}"}}', f"{{'x86_64': '{GOOD}'}}"])
def test_by_architecture(value):
    """As YAML, JSON or Python."""
    assert ByArchitecture(CHECKSUM).read(value) == {"x86_64": GOOD}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"x86_64": "md5:0"}, "x86_64: 'md5:0' is not sha256:"),
        ({"x86_64": GOOD.upper()}, "x86_64: "),
        ({"X86": GOOD}, "'X86' is not an architecture"),
        ({}, "is not a mapping from architecture"),
        ([GOOD], "is not a mapping from architecture"),
        (GOOD, "is not a mapping from architecture"),
    ],
)
def test_refused(value, message):
    """By name."""
    with pytest.raises(Wrong) as error:
        ByArchitecture(CHECKSUM).read(value)
    assert str(error.value).startswith(message)
