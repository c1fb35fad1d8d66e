# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL of the probe."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._url import Url
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import Wrong
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://origin.example",
        "http://origin.example:8080/a?b=c@d",
        "http://[2001:db8::1]/",
        "http://192.0.2.1",
        "http://b\u00fccher.example/",
    ],
)
def test_good(url):
    """As it is."""
    assert Url().read(url) == url


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{MARKER}@origin.example/",
        f"https://{MARKER}@origin.example",
        "http://origin.example/#part",
        "http://origin.example:0/",
        "http://origin.example/a b",
        "http://ori gin.example/",
        "http://2001:db8::1/",
        "http:///path",
        "https://origin.example/",
        "origin.example",
        "http://a..b/",
        "http://[::1%eth0]/",
    ],
)
def test_bad(url):
    """What a probe would not send, or send otherwise, is refused; a password is not shown."""
    with pytest.raises(Wrong) as caught:
        Url().read(url)
    assert MARKER not in str(caught.value)
