# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password in a unit's command line turns up in the drop-in that repeats it, with its mode, and nowhere else."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _files
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _cli, _drop_in, _errors, _stage
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import MARKER

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}
PROGRAMS = {"server": "/usr/bin/ss-server", "client": "/usr/bin/ss-local"}


class Secret:
    """A host whose service has its password in its command, and everything that was told about it."""

    def __init__(self, stage, side):
        self.stage, self.side, self.told = stage, side, []
        name = "ss-server" if side == "server" else "ss-local"
        self.command = f"{PROGRAMS[side]} -k {MARKER} -c {stage.host.config_dir}/{name}-main.json"
        self.below(self.command)
        stage.host._systemctl("restart", UNITS[side])
        stage.host.done.clear()

    def below(self, command, name="own.conf"):
        """Another command, in a file that only root may read."""
        path = self.stage.host.unit_dir / f"{UNITS[self.side]}.d/{name}"
        self.stage.host.put(path, f"[Service]\nExecStart=\nExecStart={command}\n", 0o600)
        self.stage.host._systemctl("daemon-reload")

    def ask(self, state, check=False, **change):
        """What tfo_stage answers, or says as it fails."""
        try:
            result = _stage.run(state, self.stage.request(self.side, **change), check)
        except _errors.EXPECTED as error:
            self.told.append(str(error))
            return ""
        self.told.append(str(dataclasses.asdict(result)))
        return result.outcome

    def everything(self, capsys):
        """All that was said, run, and kept, but for the drop-in."""
        host = self.stage.host
        for words in (["status"], ["status", "--json"]):
            _cli.main(words)
        kept = [path.read_text() for path in (*host.run_dir.glob("*.json"), *host.state_dir.glob("*.json"))]
        return [*self.told, *host.done, *kept, *capsys.readouterr()]


@pytest.fixture(name="secret")
def fixture_secret(stage, side):
    """Each side."""
    return Secret(stage, side)


def test_its_whole_life(secret, side, capsys):
    """Up, confirmed, taken over, renewed, killed, taken off, and all of it planned before."""
    secret.ask("stepped", check=True)
    assert [secret.ask(state) for state in ("claimed", "stepped")] == ["claimed", "stepped"]
    file = _files.read(_drop_in.path(UNITS[side], _drop_in.STEPPED))
    assert (file.mode, MARKER.encode() in file.content) == (0o600, True)
    assert secret.ask("confirmed") == "confirmed"
    file = _files.read(_drop_in.path(UNITS[side], _drop_in.CONFIRMED))
    assert (file.mode, MARKER.encode() in file.content) == (0o600, True)
    secret.below(f"{secret.command} -v")
    said = secret.everything(capsys)
    secret.ask("stepped", check=True)
    assert secret.ask("stepped") == "stepped"
    said += secret.everything(capsys)
    secret.ask("plain", check=True)
    if side == "server":
        assert secret.ask("killed", run="") == "killed"
    assert secret.ask("plain", memory="add", why="slower") == "plain"
    said += secret.everything(capsys)
    assert _cli.main(["off"]) == 0
    said += secret.everything(capsys)
    assert any(UNITS[side] in text for text in said)
    assert not [text for text in said if MARKER in text]


UNFIT = {
    "a shell": "/bin/sh -c 'ss-server -k {0}'",
    "another program": "/usr/bin/env PASSWORD={0} ss-server",
    "a flag of its own": "/usr/bin/ss-local -k {0} --fast-open",
    "unbalanced quotes": "/usr/bin/ss-local -k '{0}",
    "several commands": "/usr/bin/ss-local -k {0} ; /bin/true",
    "an end of the options": "/usr/bin/ss-local -k {0} -- x",
    "a variable": "$BIN -k {0}",
}


@pytest.mark.parametrize("name", ["own.conf", "zzz.conf"])
@pytest.mark.parametrize("command", UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize("before", ["plain", "stepped", "confirmed"])
def test_command_that_cannot_be_repeated(secret, capsys, before, command, name):
    """Why is said without it."""
    for state in ("stepped", "confirmed")[: ("plain", "stepped", "confirmed").index(before)]:
        assert secret.ask(state) == state
    secret.below(command.format(MARKER), name)
    assert secret.ask("stepped") == "skipped"
    for state in ("confirmed", "present", "plain"):
        secret.ask(state)
    assert not [text for text in secret.everything(capsys) if MARKER in text]


def test_service_that_does_not_come_up(secret, side, capsys):
    """Its unit and the journal's last words."""
    secret.stage.host.broken.add(UNITS[side])
    assert [secret.ask(state) for state in ("stepped", "plain", "present")] == ["failed", "failed", "refused"]
    assert not [text for text in secret.everything(capsys) if MARKER in text]


def test_drop_in_edited_by_hand(secret, side, capsys):
    """It still has the password, and is not shown."""
    secret.ask("present")
    path = _drop_in.path(UNITS[side], _drop_in.CONFIRMED)
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(f"Environment=PASSWORD={MARKER}\n")
    secret.stage.host._systemctl("daemon-reload")
    assert secret.ask("stepped") == "stepped"
    secret.ask("plain")
    assert not [text for text in secret.everything(capsys) if MARKER in text]
