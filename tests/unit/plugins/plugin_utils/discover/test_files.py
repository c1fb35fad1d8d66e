# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files, and where they may be."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from unittest import mock

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.discover import _files

EXTENSIONS = [".yml", ".yaml", ".json"]
LISTS = {"ss_server_instances": [{"name": "8388", "unit": r"ss-server@a\x2db.service"}]}


def test_folder(tmp_path: Path) -> None:
    """Beside the first source that is there: in a folder, beside a file, beside a link; or what was told."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one/hosts").touch()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one/hosts")
    one, two, link = (str(tmp_path / name) for name in ("one/hosts", "two", "link"))
    assert _files.folder("", ["ss1,ss2", "/nowhere", one, two]) == str(tmp_path / "one/host_vars")
    assert _files.folder("", [two, one]) == str(tmp_path / "two/host_vars")
    assert _files.folder("", [link]) == str(tmp_path / "host_vars")
    assert _files.folder(f"{two}/elsewhere/", ["ss1,"]) == f"{two}/elsewhere"
    assert _files.read_by_ansible([one, two, one]) == [str(tmp_path / "one/host_vars"), str(tmp_path / "two/host_vars")]


@pytest.mark.parametrize(("told", "sources"), [("", ["ss1,ss2,"]), ("", []), ("", ["/nowhere/hosts"]), ("file", [])])
def test_no_folder(tmp_path: Path, told: str, sources: list[str]) -> None:
    """What to set."""
    (tmp_path / "file").touch()
    with pytest.raises(_files.FilesError, match="discover_dir: "):
        _files.folder(str(tmp_path / told) if told else "", sources)


def test_content() -> None:
    """Says what it is; a name of digits stays text; lists are indented."""
    text = _files.content(LISTS)
    assert yaml.safe_load(text) == LISTS
    assert text.startswith("---\n# Shadowsocks services") and _files.MARK in text
    assert _files.as_yaml([trust_as_template("yes")]) == "- 'yes'\n"
    assert "\nss_server_instances:\n  - name: '8388'\n    unit: ss-server@a\\x2db.service\n" in text


def test_written(tmp_path: Path) -> None:
    """Whole, readable for all, nothing left beside it; and read back as ours, also where an operator added to it."""
    file = _files.look(str(tmp_path), "ss1", EXTENSIONS)
    assert (file.path, file.before, file.lists, file.blocked) == (str(tmp_path / "ss1/shadowsocks.yml"), None, {}, "")
    mask = os.umask(0o077)
    try:
        _files.write(file.path, _files.content(LISTS))
    finally:
        os.umask(mask)
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o644
    assert os.listdir(tmp_path / "ss1") == ["shadowsocks.yml"]
    again = _files.look(str(tmp_path), "ss1", EXTENSIONS)
    assert (again.before, again.lists, again.blocked) == (_files.content(LISTS), LISTS, "")
    Path(file.path).write_text(_files.content({**LISTS, "ss_client_instances": []}), encoding="utf-8")
    assert _files.look(str(tmp_path), "ss1", EXTENSIONS).lists == LISTS


def test_not_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there stays, and nothing else."""
    path = tmp_path / "ss1/shadowsocks.yml"
    _files.write(str(path), "before")
    monkeypatch.setattr(os, "replace", mock.Mock(side_effect=OSError("full")))
    with pytest.raises(OSError, match="full"):
        _files.write(str(path), "after")
    assert path.read_text(encoding="utf-8") == "before"
    assert os.listdir(path.parent) == ["shadowsocks.yml"]


@pytest.mark.parametrize("host", ["", ".", "..", "a/b", "../x", "a..b", "/etc", "a\nb", "a\0b"])
def test_unsafe_name(tmp_path: Path, host: str) -> None:
    """Refused, nothing is looked at."""
    file = _files.look(str(tmp_path), host, EXTENSIONS)
    assert (file.path, "cannot be the name of a folder" in file.blocked) == ("", True)


@pytest.mark.parametrize("other", ["ss1.yml", "ss1.yaml", "ss1.json", "ss1"])
def test_file_of_the_operator(tmp_path: Path, other: str) -> None:
    """A folder of ours would hide it from Ansible, by Ansible's own code, so there is none."""
    (tmp_path / other).write_text("ansible_host: 192.0.2.1\n", encoding="utf-8")
    file = _files.look(str(tmp_path), "ss1", EXTENSIONS)
    assert str(tmp_path / other) in file.blocked
    if other != "ss1":
        (tmp_path / "ss1").mkdir()
        assert DataLoader().find_vars_files(str(tmp_path), "ss1", ["", *EXTENSIONS]) == []
        assert _files.look(str(tmp_path), "ss1", EXTENSIONS).blocked == ""


def test_folder_of_the_operator(tmp_path: Path) -> None:
    """Has room for a file more, which Ansible reads."""
    (tmp_path / "ss1").mkdir()
    (tmp_path / "ss1/main.yml").write_text("x: 1\n", encoding="utf-8")
    file = _files.look(str(tmp_path), "ss1", EXTENSIONS)
    assert file.blocked == ""
    _files.write(file.path, _files.content(LISTS))
    read = DataLoader().find_vars_files(str(tmp_path), "ss1", ["", *EXTENSIONS])
    assert read == [str(tmp_path / "ss1/main.yml"), file.path]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ss_server_instances: []\n", "was not written by this playbook"),
        (f"{_files.MARK}\n- 1\n", "was not written by this playbook"),
        (f"{_files.MARK}\nss_server_fast_open: true\n", "holds ss_server_fast_open as well"),
        (f"{_files.MARK}\nss_server_instances: text\n", "holds more than adopted instances"),
        (f"{_files.MARK}\nss_server_instances: [{{name: a}}]\n", "holds more than adopted instances"),
        (f"{_files.MARK}\nss_server_instances: [{{unit: a, password: hush}}]\n", "holds more than adopted instances"),
        (f"{_files.MARK}\nx: !vault abc\n", "cannot be read"),
        ("$ANSIBLE_VAULT;1.1;AES256\n3132\n", "was not written by this playbook"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_somebody_elses_file(tmp_path: Path, text: str | bytes, why: str) -> None:
    """Never overwritten."""
    path = tmp_path / "ss1/shadowsocks.yml"
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    file = _files.look(str(tmp_path), "ss1", EXTENSIONS)
    assert why in file.blocked and file.lists == {} and "hush" not in file.blocked


def test_link(tmp_path: Path) -> None:
    """Not followed, not replaced."""
    (tmp_path / "ss1").mkdir()
    (tmp_path / "ss1/shadowsocks.yml").symlink_to(tmp_path / "elsewhere")
    assert "is a link" in _files.look(str(tmp_path), "ss1", EXTENSIONS).blocked
