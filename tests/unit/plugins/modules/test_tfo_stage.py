# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module around the stage: its answer, check mode, its failures."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _deploy, _observe, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _record, _request, _stage
from ansible_collections.fastopen.shadowsocks.plugins.modules import tfo_stage
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, MARKER

SERVICE = {**CLIENT_SERVICE, "server_host": "ss1"}
CLIENT = {"side": "client", "services": [SERVICE], "probe_url": "http://origin/"}
RUN = {"run": "run1", "who": "me@here", "lease_seconds": 30}


@pytest.fixture(autouse=True)
def deployed(fake_host):
    """A client that runs plain."""
    _deploy.deploy(_observe.Wanted("client", [SERVICE]), check=False)
    fake_host.done.clear()


def test_all_the_way(fake_host, run_module):
    """Each call says what came of it and whether it changed something, and the last leaves no trace."""
    before = fake_host.tree()
    answers = [
        run_module(tfo_stage.main, side="client", state="claimed", **RUN),
        run_module(tfo_stage.main, state="stepped", **CLIENT, **RUN),
        run_module(tfo_stage.main, side="client", state="confirmed", **RUN),
        run_module(tfo_stage.main, side="client", state="released", **RUN),
        run_module(tfo_stage.main, state="present", **CLIENT),
        run_module(tfo_stage.main, side="client", state="plain"),
        run_module(tfo_stage.main, side="client", state="plain"),
    ]
    told = ["claimed", "stepped", "confirmed", "released", "confirmed", "plain", "plain"]
    assert [answer["outcome"] for answer in answers] == told
    assert [answer["changed"] for answer in answers] == [False, True, True, False, False, True, False]
    assert (fake_host.tree(), fake_host.sysctl(), fake_host.transient) == (before, "1", set())
    assert not fake_host.state_dir.exists()
    assert not fake_host.program.parent.exists()
    documented = set(yaml.safe_load(tfo_stage.RETURN))
    for answer in answers:
        assert set(answer) - {"changed", "diff", "invocation"} == documented
        assert MARKER not in str(answer)


@pytest.mark.parametrize("state", ["present", "claimed", "stepped", "plain", "killed", "lifted"])
def test_check_mode(fake_host, run_module, state):
    """No state changes anything, and no folder is made."""
    before = fake_host.tree()
    answer = run_module(tfo_stage.main, check=True, state=state, **CLIENT, **RUN)
    assert answer["outcome"] in ("planned", "claimed")
    assert (fake_host.tree(), fake_host.done, fake_host.run_dir.exists()) == (before, [], False)


@pytest.mark.parametrize("state", ["claimed", "stepped", "confirmed", "released"])
def test_states_of_a_run_need_its_name(run_module, state):
    """Whoever has none wants present."""
    answer = run_module(tfo_stage.main, state=state, **CLIENT)
    assert answer["failed"] is True
    assert f"state {state} belongs to a run" in answer["msg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({**CLIENT, "probe_url": "https://origin/"}, "must be http://"),
        ({**CLIENT, "state": "off"}, "value of state must be one of"),
        ({**CLIENT, "memory": "lose"}, "value of memory must be one of"),
    ],
)
def test_bad_arguments(fake_host, run_module, arguments, message):
    """Said as a message that names the argument, before any service is touched."""
    before = fake_host.tree()
    answer = run_module(tfo_stage.main, **arguments)
    assert answer["failed"] is True
    assert message in answer["msg"]
    assert (fake_host.tree(), fake_host.done) == (before, [])


def test_service_that_does_not_come_up(fake_host, run_module):
    """A reason with the journal's last words, and no password."""
    fake_host.broken.add("ss-local@main.service")
    answer = run_module(tfo_stage.main, state="stepped", **CLIENT, **RUN)
    assert answer["outcome"] == "failed"
    assert "ss-local@main.service does not come up: ERROR: the last words" in answer["reasons"]


def test_damaged_record(fake_host, run_module):
    """On the way up a message and nothing else; the way down does its work and says so."""
    run_module(tfo_stage.main, state="present", **CLIENT)
    fake_host.put(fake_host.state_dir / "record.json", "{")
    answer = run_module(tfo_stage.main, state="stepped", **CLIENT, **RUN)
    assert answer["failed"] is True
    assert "record.json is damaged" in answer["msg"]
    down = run_module(tfo_stage.main, side="client", state="plain")
    assert "record.json is damaged" in str(down["reasons"])
    assert "--fast-open" not in fake_host.processes[fake_host.running["ss-local@main.service"]].argv
    assert _record.FOLDER == str(fake_host.state_dir)


def test_present_without_a_run_has_one_of_its_own(fake_host, run_module, monkeypatch):
    """Each call another, so that no ended run of a role is in the way of the next; a run's name is kept."""
    seen = []
    real = _stage.run

    def look(state, request, check):
        seen.append(request)
        return real(state, request, check)

    monkeypatch.setattr(_stage, "run", look)
    for run in (None, None, "run1"):
        run_module(tfo_stage.main, state="present", **CLIENT, **({"run": run} if run else {}))
    runs = [request.run for request in seen]
    assert (runs[0].startswith("role-"), runs[0] != runs[1], runs[2]) == (True, True, "run1")
    assert fake_host.transient == set()


def test_what_is_asked(run_module, monkeypatch):
    """Every option reaches the stage."""
    seen = []

    def run(*arguments):
        seen.append(arguments)
        return _request.Outcome("plain")

    monkeypatch.setattr(_stage, "run", run)
    options = {"take_over": "run0", "retry": True, "why": "slower", "memory": "add", "planned_servers": ["ss1"]}
    options.update(sysctl_file="/etc/sysctl.d/x.conf", probe_url="http://origin/", side="client")
    run_module(tfo_stage.main, check=True, state="plain", **options, **RUN)
    ((state, request, check),) = seen
    assert (state, check) == ("plain", True)
    assert {name: getattr(request, name) for name in {**options, **RUN}} == {**options, **RUN}


def test_diff(fake_host, run_module):
    """The bits and the flag; of the command only where it is from, for it may hold a password."""
    config = fake_host.config_dir / "ss-local-main.json"
    own = fake_host.unit_dir / "ss-local@main.service.d/own.conf"
    command = f"/usr/bin/ss-local -k {MARKER} -c {config}"
    fake_host.put(own, f"[Service]\nExecStart=\nExecStart={command}\n", 0o600)
    fake_host._systemctl("daemon-reload")
    fake_host._systemctl("restart", "ss-local@main.service")
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(fake_host.root / "proc"))
    planned = run_module(tfo_stage.main, check=True, state="stepped", **CLIENT, **RUN)
    answer = run_module(tfo_stage.main, state="stepped", **CLIENT, **RUN)
    assert (planned["outcome"], answer["outcome"]) == ("planned", "stepped")
    assert (planned["differs"], planned["diff"]) == (answer["differs"], answer["diff"])
    kernel, drop_in = answer["diff"]
    assert (kernel["before"], kernel["after"]) == ("net.ipv4.tcp_fastopen = 0\n", "net.ipv4.tcp_fastopen = 1\n")
    assert drop_in["after"] == drop_in["before"].rstrip() + " --fast-open\n" == f"ExecStart=(as in {own}) --fast-open\n"
    assert MARKER not in str([planned, answer])


@pytest.mark.parametrize(
    "error",
    [
        KernelError("the kernel"),
        _record.RecordError("the record"),
        _systemd.SystemdError("systemctl"),
        OSError(28, "No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_foreseen_failures(run_module, monkeypatch, error):
    """Each is a message."""

    def fail(*_arguments):
        raise error

    monkeypatch.setattr(_stage, "run", fail)
    answer = run_module(tfo_stage.main, state="stepped", **CLIENT, **RUN)
    assert (answer["failed"], answer["msg"]) == (True, str(error))


def test_fault_of_ours(run_module, monkeypatch):
    """Anything else is a traceback, never an outcome."""

    def fail(*_arguments):
        raise KeyError("port")

    monkeypatch.setattr(_stage, "run", fail)
    with pytest.raises(KeyError):
        run_module(tfo_stage.main, state="stepped", **CLIENT, **RUN)
