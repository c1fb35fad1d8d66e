# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two namespaces of a test, joined by a veth pair. Needs root."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from _wire import CLIENT, OTHER_CLIENT, SERVER, Namespace, Wire  # noqa: E402  (found by the line before)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Both ends up, both bits on, no cookie known, no listener yet."""
    client, server = (Namespace(f"fastopen-{end}-{os.getpid()}") for end in ("client", "server"))
    with contextlib.ExitStack() as stack:
        for namespace in (client, server):
            _ip("netns", "add", namespace.name)
            stack.callback(_ip, "netns", "del", namespace.name)
        _ip("-n", client.name, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", server.name)
        for namespace, addresses in ((client, CLIENT), (client, OTHER_CLIENT), (server, SERVER)):
            life = "0" if addresses is OTHER_CLIENT else "forever"  # deprecated: only a source when it is asked for
            for address, length in ((addresses["ipv4"], 24), (addresses["ipv6"], 64)):
                command = ("addr", "add", f"{address}/{length}", "dev", "wire", "preferred_lft", life)
                _ip("-n", namespace.name, *command, *(["nodad"] if ":" in address else []))
        for namespace in (client, server):
            for link in ("lo", "wire"):
                _ip("-n", namespace.name, "link", "set", link, "up")
        client.sysctl(tcp_fastopen=1, tcp_fastopen_blackhole_timeout_sec=0)
        server.sysctl(tcp_fastopen=3)
        with contextlib.ExitStack() as processes:
            yield Wire(client, server, processes)


def _ip(*command: str) -> None:
    subprocess.run(["ip", *command], check=True)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Fail with a reason instead of passing by where namespaces cannot be made."""
    if items and os.geteuid() != 0:
        raise pytest.UsageError("tests/netns makes network namespaces: run it as root")
