# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel said, cut to what the unit tests of the collection's readers need."""

from __future__ import annotations

import json
from pathlib import Path

import _expected

FOLDER = Path(__file__).resolve().parents[1] / "unit/plugins/module_utils/samples"
_SAME = ("kernel", "first_namespace", "unset_key", "bits", "keys", "sock_diag")


def write(seen: dict) -> None:
    """Renew the sample of one kernel, which is named by its series, such as 6.12."""
    FOLDER.mkdir(exist_ok=True)
    series = ".".join(seen["kernel"]["release"].split(".")[:2])
    (FOLDER / f"{series}.json").write_text(
        json.dumps(sample(seen), separators=(",", ":")).replace('],"', '],\n"') + "\n"
    )


def sample(seen: dict) -> dict:
    """IPv4's attempts with the last one's struct tcp_info, sock_diag, and the client's /proc with the server's listeners."""
    paths = {name: case["paths"]["ipv4"] for name, case in _expected.cases(seen).items()}
    cases = {name: {**path, "tcp_info": path["tcp_info"][-1:]} for name, path in paths.items()}
    return {
        **{section: seen[section] for section in _SAME},
        "cases": cases,
        "proc": {**seen["raw"]["client"], **{name: seen["raw"]["server"][name] for name in ("net/tcp", "net/tcp6")}},
    }
