# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment as Ansible's diff: files line by line without their secrets, services by what happens to them."""

from __future__ import annotations

import re

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _deployment,
    _exec_start,
    _files,
    _observe,
    _service,
)

NOT_SHOWN = "(somebody else wrote it: it is not shown)\n"


def diff(plan: _deployment.Plan, seen: _observe.Seen) -> list[dict[str, str]]:
    """The plan as Ansible's diff: files line by line, secrets masked on both sides; services by what happens."""
    shown = []
    for path in [*plan.write, *plan.remove, *plan.leave]:
        state, file = seen.files.get(path), plan.files.get(path)
        before = "" if state is None else state.content.decode(errors="replace")
        if state is not None and not _is_ours(path, state, seen):
            before = NOT_SHOWN
        after = "" if file is None else file.text
        if path.endswith(".json"):
            changed = before and after and masked(before) == masked(after)
            before, after = masked(before), masked(after) + ("(a masked value changes)\n" if changed else "")
        if path.endswith(_exec_start.DROP_IN):  # the command that it repeats may be somebody's own, with a password
            before = re.sub(r"(?m)^(ExecStart=).+", r"\1********", before)
        shown.append({"before_header": path, "after_header": path, "before": before, "after": after})
    lines = [
        f"{d['name']}: {d['why']}\n"
        for d in plan.differs
        if d["what"] == "service" or d["name"] in [*plan.attributes, _service.CONFIG_DIR]
    ]
    if lines:
        shown.append({"before_header": "services", "after_header": "services", "before": "", "after": "".join(lines)})
    return shown


def _is_ours(path: str, state: _files.State, seen: _observe.Seen) -> bool:
    """Whether we wrote what is there: a command line of somebody else may hold a password, as a config does."""
    ours = {own for unit in seen.owned for own in {*_observe.own_paths(unit)} - _observe.foreign_paths(unit, seen)}
    return path in ours or _observe.is_marked(state)


def masked(text: str) -> str:
    """A config with its secrets as stars, somebody else's config too: blanks anywhere, numbers, cut short."""
    text = re.sub(r'("port_password"\s*:\s*)\{(?:"(?:[^"\\]|\\.)*"?|[^"}])*\}?', r'\1"********"', text)
    value = r'(?:"(?:[^"\\]|\\.)*"?|[^\s",}]+)'
    return re.sub(rf'("(?:password|plugin_opts|key)"\s*:\s*){value}', r'\1"********"', text)
