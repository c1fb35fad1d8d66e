# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services this collection has deployed on the host: a record of its own.

It is not a rollout's (stage/_record.py): taking TCP Fast Open off leaves what was deployed, and this record.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files, _folders, _service

FOLDER = "/var/lib/fastopen.shadowsocks"


class OwnedError(Exception):
    """The record cannot be read; the message says what to do."""


def path() -> str:
    """Where the record is."""
    return f"{FOLDER}/deployed.json"


def load() -> dict[str, str]:
    """Units that were deployed, ``ss-server@main-1.service``, and the instance of the inventory that each is of."""
    refusal = _folders.refusal(FOLDER)
    if refusal:
        raise OwnedError(refusal)
    state = _files.read(path())
    if state is None:
        return {}
    try:
        units = json.loads(state.content)["units"]
        if not state.link and all(isinstance(part, str) and part for pair in units.items() for part in pair):
            return dict(units)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise OwnedError(
        f"{path()} is damaged: nothing says any more which services this collection has deployed. Restore it, or remove it"
        f" together with the configs and units of those that you deploy again"
    )


def text(units: t.Mapping[str, str]) -> str:
    """The record as it stands in its file. No secret is in it."""
    return json.dumps({"units": dict(sorted(units.items()))}, indent=1) + "\n"


def store(units: t.Mapping[str, str]) -> None:
    """Write the record; without any unit there is none."""
    if units:
        _folders.make(FOLDER, 0o755)
        _files.write(path(), text(units).encode(), 0o644)
        return
    _files.remove(path())
    with contextlib.suppress(OSError):  # kept where something else is in it
        os.rmdir(FOLDER)


def side(units: t.Mapping[str, str], which: str) -> dict[str, str]:
    """Those of one side."""
    return {unit: name for unit, name in units.items() if unit.partition("@")[0] in _service.SIDES[which]}
