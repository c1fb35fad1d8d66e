# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The URL of the probe, and the one of who is notified."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._url import Receiver, Url
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


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:8080", "https://hooks.example/services/T0/B0?x=y@z", "https://[2001:db8::1]:8443/"]
)
def test_good_receiver(url):
    """As it is."""
    assert Receiver().read(url) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"https://user:{MARKER}@hooks.example/", "holds a login: give a URL that needs none"),
        (f"https://{MARKER}@hooks.example/", "holds a login: give a URL that needs none"),
        (f"ftp://hooks.example/{MARKER}", r"is not http\[s\]://HOST"),
        (f"file:///etc/{MARKER}", "is not http"),
        (f"https:///{MARKER}", "is not http"),
        (f"https://hooks.example:0/{MARKER}", "is not http"),
        (f"https://hooks.example:x/{MARKER}", "is not http"),
        (f"https://[2001:db8::1/{MARKER}", "is not http"),
        (f"https://hooks.example/{MARKER}#part", "is not http"),
        (f"https://hooks.example/{MARKER} a", "is not http"),
        (f"https://hooks.example/{MARKER}\u20ac", "is not http"),
        (f"https://a..b/{MARKER}", "is not http"),
        (5, "must be text"),
    ],
)
def test_bad_receiver(url, said):
    """Refused before anything begins, and nothing of it is shown."""
    with pytest.raises(Wrong, match=said) as caught:
        Receiver().read(url)
    assert MARKER not in str(caught.value)
