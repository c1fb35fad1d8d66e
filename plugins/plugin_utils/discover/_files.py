# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host_vars files that adopting instances are written to. Nobody else's file is touched, or hidden from Ansible."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import typing as t

import yaml
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets

NAME = "shadowsocks.yml"
MARK = "# Written by the playbook fastopen.shadowsocks.discover"
HEAD = f"""\
---
# Shadowsocks services that were found on this host and are adopted: a rollout owns their TCP Fast Open, and nothing else
# of them. Port, method and addresses are read on the host, so no secret is needed here.
{MARK}, which leaves this file as it is from now on,
# unless discover_overwrite is true. Names may be changed, public_address and server added: that stays also then.
"""
VARIABLES = {"server": "ss_server_instances", "client": "ss_client_instances"}
"""By side, what the file may hold."""
SOURCES_NEEDED = (
    "discover_dir: the inventory has no place on disk, so there are no host_vars beside it: put the inventory into a file,"
    " or set discover_dir to a host_vars folder that is beside one"
)


class FilesError(Exception):
    """Nothing can be written; the message says what to set."""


@dataclasses.dataclass(frozen=True)
class File:
    """Our file of one host as it is. ``before`` is None where there is none yet.

    ``lists`` are its instances by variable. ``blocked`` says why it cannot be written, whatever it holds.
    """

    path: str
    before: t.Optional[str] = None
    lists: dict[str, list[dict[str, t.Any]]] = dataclasses.field(default_factory=dict)
    blocked: str = ""


def folder(told: str, sources: t.Sequence[str]) -> str:
    """The host_vars folder: the one that was told, else beside the first source of the inventory that is on disk.

    Raises FilesError.
    """
    beside = read_by_ansible(sources)
    chosen = os.path.abspath(told) if told else (beside[0] if beside else "")
    if not chosen:
        raise FilesError(SOURCES_NEEDED)
    if os.path.lexists(chosen) and not os.path.isdir(chosen):
        raise FilesError(f"discover_dir: {chosen} is not a folder")
    return chosen


def read_by_ansible(sources: t.Sequence[str]) -> list[str]:
    """The host_vars folders of an inventory, existing or not, by the rules of ansible.builtin.host_group_vars."""
    found = []
    for source in map(str, sources):
        if os.path.exists(source):
            beside = source if os.path.isdir(source) else os.path.dirname(os.path.abspath(source))
            found.append(os.path.join(os.path.realpath(beside), "host_vars"))
    return list(dict.fromkeys(found))


def is_read(where: str, sources: t.Sequence[str]) -> bool:
    """Whether Ansible reads this folder with this inventory."""
    return os.path.realpath(where) in map(os.path.realpath, read_by_ansible(sources))


def look(where: str, host: str, extensions: t.Sequence[str]) -> File:
    """What there is for a host. ``extensions`` are those that Ansible knows YAML files by.

    Ansible reads the first of HOST/, HOST, HOST.yml, … and none of the others (DataLoader.find_vars_files): a folder HOST/
    beside HOST.yml would take all of HOST.yml away. So there is no file of ours where HOST.yml is.
    """
    if not host or "/" in host or ".." in host or host == "." or not host.isprintable():
        return File("", blocked=f"{host!r} cannot be the name of a folder")
    own = os.path.join(where, host)
    path = os.path.join(own, NAME)
    if os.path.lexists(own) and not os.path.isdir(own):
        return File(path, blocked=f"{own} is a file")
    if not os.path.isdir(own):
        others = [f"{own}.{extension.lstrip('.')}" for extension in extensions]
        there = [other for other in others if os.path.lexists(other)]
        if there:
            return File(path, blocked=f"{there[0]} is there, which Ansible would not read beside a folder {host}/")
    return _read(path)


def _read(path: str) -> File:
    if not os.path.lexists(path):
        return File(path)
    try:
        if os.path.islink(path):
            return File(path, blocked=f"{path} is a link")
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        lists = yaml.safe_load(text) if MARK in text else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return File(path, blocked=f"{path} cannot be read: {' '.join(str(error).split())}")
    if not isinstance(lists, dict):
        return File(path, text, blocked=f"{path} was not written by this playbook")
    beside = sorted(set(map(str, lists)) - set(VARIABLES.values()))
    if beside:
        return File(path, text, blocked=f"{path} holds {', '.join(beside)} as well: keep that in another file")
    if not all(_adopt(entries) for entries in lists.values()):
        return File(path, text, blocked=f"{path} holds more than adopted instances: keep that in another file")
    return File(path, text, {name: entries for name, entries in lists.items() if entries})


def _adopt(entries: t.Any) -> bool:
    """Whether all entries adopt a unit. One with a secret is none, so no file with a secret is ever shown as a diff."""
    return isinstance(entries, list) and all(
        isinstance(one, dict) and "unit" in one and not set(_secrets.KEYS) & set(one) for one in entries
    )


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key, as ansible-lint and yamllint want them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_multi_representer(str, yaml.SafeDumper.represent_str)  # Ansible's are subclasses


def as_yaml(value: t.Any) -> str:
    """YAML, in the order of the mappings."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=1000)


def content(lists: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> str:
    """The whole file."""
    return HEAD + as_yaml({name: [dict(one) for one in entries] for name, entries in lists.items()})


def write(path: str, text: str) -> None:
    """Put the file there whole or not at all, with mode 0644; its folder is made where it is missing. Raises OSError."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(stream.fileno(), 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
