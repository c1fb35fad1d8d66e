# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RETURN of tfo_tunnel against what it returns, with a client that answers from memory."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _pair
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._sock_diag import Connection
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel._tunnel import Fetch
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_tunnel
from ansible_collections.fastopen.shadowsocks.tests.contract.test_returned import answer, differences
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE


class Client:
    """Stands for TemporaryClient."""

    exits = 0

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        pass

    def fetch(self, _url: str, _timeout: float) -> Fetch:
        """An answer over a connection that was seen."""
        return Fetch(True, 50.0, 200, connection=Connection(True, 0, 20.0))

    def close(self) -> None:
        """Nothing is left."""


@pytest.mark.parametrize("module", ["tfo_tunnel"])
def test_module_returns_what_it_documents(
    documentation: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_pair, "TemporaryClient", Client)
    monkeypatch.setattr(_systemd, "show", lambda _units: {})
    services, secrets = _secrets.part([CLIENT_SERVICE])
    arguments = {"url": "http://origin.example/", "requests": 1, "services": services, "secrets": secrets}
    returned = answer(tfo_tunnel, arguments, capsys)
    assert differences(returned, documentation["return"]) == []
    assert returned["paths"][0]["plain"]["connections"] == [{"syn_data": True, "lost": 0, "rtt_ms": 20.0}]
