# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two namespaces of a test, joined by a veth pair. Needs root."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator, Sequence

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from _wire import Wire, joined  # noqa: E402  (found by the line before)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Both ends up, both bits on, no cookie known, no listener yet."""
    with joined() as ends:
        yield ends


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Fail with a reason instead of passing by where namespaces cannot be made."""
    if items and os.geteuid() != 0:
        raise pytest.UsageError("tests/netns makes network namespaces: run it as root")
