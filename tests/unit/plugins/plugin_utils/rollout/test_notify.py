# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications to a real receiver on loopback, and what they hold."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _notify
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.plugin_utils.rollout._receiver import PATH, Receiver

DOCUMENT = {"version": 1, "event": "start"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch, tmp_path):
    """Nothing between, and a login for it in ~/.netrc that is nobody's business."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login joe password sesame\n", encoding="ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


def test_arrives():
    """As JSON, at that path, with nothing that was not asked for."""
    with Receiver() as one:
        assert _notify.send(one.url, DOCUMENT) == ""
    ((path, headers, body),) = one.got
    assert (path, headers["Content-Type"], json.loads(body)) == (PATH, "application/json", DOCUMENT)
    assert "Authorization" not in headers


@pytest.mark.parametrize("behaviour", [{"hangs": True}, {"drips": True}])
def test_slow(behaviour):
    """A deadline for all of it, however the time is spent."""
    began = time.monotonic()
    with Receiver(**behaviour) as one:
        assert _notify.send(one.url, DOCUMENT) == "no answer within 2 s"
    assert time.monotonic() - began < 2 * _notify.DEADLINE_SECONDS


def test_name_that_is_looked_up_for_ever(monkeypatch):
    """Likewise."""
    monkeypatch.setattr(_notify, "DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_more, **_options: time.sleep(5))
    began = time.monotonic()
    assert _notify.send("http://receiver.example/", DOCUMENT) == "no answer within 0.1 s"
    assert time.monotonic() - began < 2


def test_down():
    """Nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _notify.send(f"http://127.0.0.1:{port}{PATH}", DOCUMENT) == "Connection refused"


def test_speaks_no_http():
    """An error of another kind, whose text would show what was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"220 smtp ready\r\n" * 9), daemon=True).start()
        said = _notify.send(url, DOCUMENT)
    assert said
    assert not re.search("T0K3N|K3Y", said)


@pytest.mark.parametrize("status", [500, 404])
def test_refuses(status):
    """By its status."""
    with Receiver(status=status) as one:
        assert _notify.send(one.url, DOCUMENT) == f"it answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(status):
    """To nowhere: the other one gets neither the document nor a request."""
    with Receiver() as other, Receiver(status=status, location=other.url) as one:
        said = _notify.send(one.url, DOCUMENT)
    assert (said, other.got) == (f"it answered {status}, a redirect, which is not followed", [])


def test_place():
    """What may be shown of a URL."""
    assert _notify.place("https://hooks.example:8443/T0K3N?key=K3Y") == "https://hooks.example:8443"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("c1 (198.51.100.7) to 203.0.113.1:8388", "c1 ((address)) to (address):8388"),
        ("2001:db8::7: lost", "(address): lost"),
        ("[2001:db8:0:1:2:3:4:5]:8388, ::1, fe80::1%eth0", "[(address)]:8388, (address), (address)%eth0"),
        ("::ffff:192.0.2.1", "(address):(address)"),
        ("since 03:14:02, p = 0.01, kernel 6.1.0-25", "since 03:14:02, p = 0.01, kernel 6.1.0-25"),
        ("ss1: 2 of 3 are bad so far (c1, c2): too many", "ss1: 2 of 3 are bad so far (c1, c2): too many"),
    ],
)
def test_no_address(text, told):
    """Also not one that a host is named by."""
    assert _notify.document("step_done", "r1", "x", reasons=[text])["reasons"] == [told]


def test_bounded():
    """Whatever happened, to however many hosts."""
    told = _notify.document(
        "finished", "r1", "\u20ac" * 99_999, reasons=["\U0001f600" * 99_999] * 999, following="z" * 99_999
    )
    assert len(json.dumps(told)) < 65_536
    assert (len(told["reasons"]), len(told["reasons"][0]), told["reasons"][0][-3:]) == (10, 300, "...")


def test_documented():
    """docs/notifications.md has every key, and its example is one."""
    page = (Path(__file__).parents[5] / "docs" / "notifications.md").read_text(encoding="utf-8")
    example = json.loads(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    told = _notify.document(
        "rolled_back",
        example["run"],
        "canary was rolled back, and the run stops",
        wave="canary",
        side="client",
        verdict="roll_back",
        outcomes={"reverted": 1},
        reasons=example["reasons"],
    )
    assert {**told, "time": example["time"]} == example
    assert set(re.findall(r"^\| `(\w+)` \| (?:str|int|dict|list)", page, re.MULTILINE)) == set(told)
