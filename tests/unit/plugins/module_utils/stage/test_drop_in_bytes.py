# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drop-in file of any bytes is either ours or somebody else's."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils import _bytes
from hypothesis import given

BELOW = _exec_start.resolve([_exec_start.Source("/a", "[Service]\nExecStart=/usr/bin/ss-server -c caf\u00e9\n", 0o644)])
OURS = _exec_start.drop_in(BELOW, "server").encode()
LINES = [line + b"\n" for line in OURS.split(b"\n")[:-1]]


@given(_bytes.of(*LINES))
def test_any_file(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "drop-in.conf"
    for content in (raw, OURS + raw, raw + OURS):
        path.write_bytes(content)
        side, digest = _drop_in._parse(str(path))
        assert (side, digest) in (("", ""), ("server", BELOW.digest), ("server", _drop_in.EDITED))
        assert (digest == BELOW.digest) == (
            content == OURS or _exec_start.parse_drop_in(content.decode("utf-8", "surrogateescape")) != ("", "")
        )


@pytest.mark.parametrize("odd", [b"\x0b", b"\x1c", b"\xc2\x85", b"\xe2\x80\xa8", b"\r"])
def test_the_mark_is_a_line_of_its_own(tmp_path: pathlib.Path, odd: bytes) -> None:
    path = tmp_path / "drop-in.conf"
    path.write_bytes(OURS.replace(b"\n# side", odd + b"# side"))
    assert _drop_in._parse(str(path)) == ("", "")
    path.write_bytes(OURS.replace(b"[Service]", b"# caf\xe9" + odd + b"\n[Service]"))
    assert _drop_in._parse(str(path)) == ("server", _drop_in.EDITED)
