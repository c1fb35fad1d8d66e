# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in as a file: whose it is, where, with which mode, and what is shown of it."""

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in

UNIT = "ss-server@main.service"
PASSWORD = "s3cret-marker"
COMMAND = f"@-/usr/bin/ss-server ss -k '{PASSWORD}' -c ${{CONF}} %i"


def below(mode=0o644, command=COMMAND):
    """What a unit file says."""
    return _exec_start.resolve([_exec_start.Source("/etc/x.service", f"[Service]\nExecStart={command}\n", mode)])


def folder(name):
    """STEPPED or CONFIRMED, as the fixture has them."""
    return getattr(_drop_in, name)


@pytest.fixture(autouse=True, name="host")
def fixture_host(fake_host):
    """Folders below tmp_path."""
    return fake_host


@pytest.mark.parametrize("place", ["STEPPED", "CONFIRMED"])
@pytest.mark.parametrize("side", ["server", "client"])
def test_written_found_and_removed(host, place, side):
    """The command is repeated verbatim; the folder goes with the file."""
    _drop_in.write(UNIT, folder(place), below(), side)
    text = open(_drop_in.path(UNIT, folder(place)), encoding="utf-8").read()
    assert f"\nExecStart=\nExecStart={COMMAND} --fast-open\n" in text
    assert _drop_in.present() == {UNIT: _drop_in.DropIn(UNIT, (folder(place),), side, below().digest)}
    _drop_in.remove(UNIT, folder(place))
    assert (_drop_in.present(), os.path.exists(f"{folder(place)}/{UNIT}.d")) == ({}, False)
    _drop_in.remove(UNIT, folder(place))
    assert str(host.root) in folder(place)


def test_both_places():
    """The one in /etc is in effect, as systemd has it."""
    _drop_in.write(UNIT, folder("STEPPED"), below(command="/usr/bin/ss-server -v"), "server")
    _drop_in.write(UNIT, folder("CONFIRMED"), below(), "server")
    [found] = list(_drop_in.present().values())
    assert (found.folders, found.digest) == ((folder("CONFIRMED"), folder("STEPPED")), below().digest)


@pytest.mark.parametrize(("mode", "wanted"), [(0o644, 0o644), (0o600, 0o600), (0o664, 0o644), (0o640, 0o640)])
def test_mode(host, mode, wanted):
    """As strict as what it repeats, also over a file that was less strict; root's; its folder is for everybody."""
    _drop_in.write(UNIT, folder("CONFIRMED"), below(), "server")
    previous = os.umask(0o077)
    try:
        _drop_in.write(UNIT, folder("CONFIRMED"), below(mode), "server")
        _drop_in.write("ss-server@b.service", folder("CONFIRMED"), below(mode), "server")
    finally:
        os.umask(previous)
    for unit in (UNIT, "ss-server@b.service"):
        path = _drop_in.path(unit, folder("CONFIRMED"))
        assert stat.S_IMODE(os.stat(path).st_mode) == wanted
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o755
        assert host.owners[os.stat(path).st_ino] == (0, 0)


FOREIGN = {
    "another text": "[Service]\nNice=5\n",
    "our words without the mark": "[Service]\nExecStart=\nExecStart=/usr/bin/ss-server --fast-open\n",
    "a mark of no side": f"# x\n# side=proxy below={'0' * 64}\n[Service]\n",
    "empty": "",
}


@pytest.mark.parametrize("place", ["STEPPED", "CONFIRMED"])
@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_somebody_elses_file_of_the_name(host, place, text):
    """Not ours: in the way, and never taken for one of ours."""
    path = _drop_in.path(UNIT, folder(place))
    host.put(path, text)
    assert (_drop_in.foreign(UNIT), _drop_in.present()) == (path, {})


@pytest.mark.parametrize("target", ["/dev/null", "own.conf"])
def test_link_of_the_name(host, target):
    """A drop-in that is masked or linked is somebody's decision, also where the link leads to a text like ours."""
    path = _drop_in.path(UNIT, folder("CONFIRMED"))
    host.put(os.path.join(os.path.dirname(path), "own.conf"), _exec_start.drop_in(below(), "server"))
    os.symlink(target, path)
    assert (_drop_in.foreign(UNIT), _drop_in.present()) == (path, {})


@pytest.mark.parametrize("edit", [("-c", "-v -c"), ("[Service]", "[Service]\nNice=5"), (" --fast-open", "")])
def test_edited_by_hand(edit):
    """It has our mark: renewed and removed like ours, and known as edited."""
    path = _drop_in.path(UNIT, folder("CONFIRMED"))
    _drop_in.write(UNIT, folder("CONFIRMED"), below(), "client")
    text = open(path, encoding="utf-8").read()
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text.replace(*edit))
    [found] = list(_drop_in.present().values())
    assert (found.side, found.digest, _drop_in.foreign(UNIT)) == ("client", _drop_in.EDITED, None)


def test_no_file_is_in_the_way():
    """Neither nothing nor ours."""
    assert _drop_in.foreign(UNIT) is None
    _drop_in.write(UNIT, folder("STEPPED"), below(), "server")
    assert _drop_in.foreign(UNIT) is None


def test_folder_with_drop_ins_of_others(host):
    """It stays with them; an empty one that a killed call left goes."""
    own = host.unit_dir / f"{UNIT}.d/own.conf"
    host.put(own, "[Service]\nNice=5\n")
    _drop_in.write(UNIT, folder("CONFIRMED"), below(), "server")
    os.makedirs(f"{folder('STEPPED')}/{UNIT}.d")
    _drop_in.remove(UNIT, folder("CONFIRMED"))
    _drop_in.remove_empty(UNIT)
    assert (own.exists(), os.path.exists(f"{folder('STEPPED')}/{UNIT}.d")) == (True, False)


@pytest.mark.parametrize("given", [below(), None])
@pytest.mark.parametrize("up", [True, False])
def test_diff(given, up):
    """The flag is what comes or goes; of the command only its file is named."""
    shown = _drop_in.diff(UNIT, folder("CONFIRMED"), given, up)
    source = "ExecStart=(as in /etc/x.service)" if given else "ExecStart=(as in the unit)"
    pair = [f"{source}\n", f"{source} --fast-open\n"]
    assert [shown["before"], shown["after"]] == (pair if up else pair[::-1])
    assert shown["before_header"] == shown["after_header"] == _drop_in.path(UNIT, folder("CONFIRMED"))
    assert PASSWORD not in str(shown)


@pytest.mark.parametrize("folder", ["ss-server@.service.d", "service.d", "x.socket.d"])
def test_copy_for_a_template(host, folder):
    """Somebody's doing, for units that nobody can name: no unit of ours, and no reason to end a way down."""
    host.put(host.unit_dir / folder / "zz-fastopen.conf", f"# x\n# side=server below={'0' * 64}\n[Service]\n")
    assert _drop_in.present() == {}
