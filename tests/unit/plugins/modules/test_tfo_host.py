# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around a look: arguments, answer, failures."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_host

pytestmark = pytest.mark.usefixtures("fake_host")
MARKER = "s3cret-marker"
SERVICE = {
    "program": "ss-server",
    "name": "main",
    "server": ["::", "0.0.0.0"],
    "server_port": 8388,
    "method": "aes-256-gcm",
    "password": MARKER,
}
FACTS = {"sysctl": {"value": 1, "send": True, "accept": False}}


@pytest.fixture(autouse=True)
def facts(fake_host, monkeypatch):
    """No packet over loopback."""
    monkeypatch.setattr(_probe, "gather", lambda: FACTS)


@pytest.mark.parametrize("check", [True, False])
def test_answer(fake_host, run_module, check):
    """Everything that RETURN says, nothing that it does not, and no password; the host stays as it was."""
    before = fake_host.tree()
    answer = run_module(tfo_host.main, check=check, side="server", services=[SERVICE], fast_open=True)
    documented = {name for name, about in yaml.safe_load(tfo_host.RETURN).items() if about["returned"] == "success"}
    assert set(answer) - {"changed", "invocation"} == documented
    assert (answer["changed"], answer["fastopen"], answer["done"]) == (False, FACTS, False)
    assert MARKER not in str(answer)
    assert (fake_host.tree(), fake_host.done) == (before, [])


def test_kernel_arguments(fake_host, run_module):
    """They are compared as well."""
    answer = run_module(tfo_host.main, side="server", kernel={"accept": True}, probe_paths=False)
    assert answer["differs"][0] == {
        "what": "kernel",
        "name": "/etc/sysctl.d/99-tfo.conf",
        "why": "is not as wanted",
    }
    assert (answer["paths"], fake_host.probed) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"side": "both"}, "value of side must be one of: server, client"),
        ({"side": "server", "services": [{"name": "main"}]}, "missing required arguments"),
        ({"side": "server", "fast_open_mode": "queue"}, "value of fast_open_mode must be one of: flag, listener"),
        ({"side": "server", "kernel": {"queue": 1}}, "Unsupported parameters"),
    ],
)
def test_bad_arguments(run_module, arguments, message):
    """Refused by the argument spec."""
    answer = run_module(tfo_host.main, **arguments)
    assert answer["failed"] is True
    assert message in answer["msg"]


def test_damaged_record(fake_host, run_module):
    """A failure that is foreseen is a message, not a traceback."""
    fake_host.put(fake_host.state_dir / "stage.json", "{")
    answer = run_module(tfo_host.main, side="server", services=[SERVICE])
    assert answer["failed"] is True
    assert "stage.json is damaged" in answer["msg"]
