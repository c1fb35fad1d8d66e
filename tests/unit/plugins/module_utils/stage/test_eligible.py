# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may step: refused, skipped, or judged by its paths; nothing has changed then."""

from __future__ import annotations

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _proof, _record

UNITS = {"server": "ss-server@main.service", "client": "ss-local@main.service"}


@pytest.mark.parametrize("verdict", ["no_cookie", "data_refused", "unreachable", "paused"])
def test_client_whose_path_carries_nothing(client, verdict):
    """Skipped with the reason, as it was."""
    client.host.verdicts[8388] = verdict
    result = client.ask("stepped", "client")
    assert (result.outcome, result.changed) == ("skipped", False)
    assert result.reasons[0].startswith(f"{verdict}: ss1 port 8388")
    assert client.observe() == client.plain


def test_planned_servers_are_not_held_against_a_client(client):
    """What they do not do yet is not the path's fault; a lost SYN is."""
    client.host.verdicts[8388] = "no_cookie"
    assert client.ask("stepped", "client", check=True, planned_servers=["ss1"]).outcome == "planned"
    client.host.verdicts[8388] = "syn_dropped"
    assert client.ask("stepped", "client", check=True, planned_servers=["ss1"]).outcome == "skipped"


@pytest.mark.parametrize("verdict", ["fast_open", "no_cookie"])
def test_client_whose_kernel_may_not_send(client, verdict):
    """Its paths can be tried only once 0x1 is there; where they carry nothing it goes back."""
    _proc.write_sysctl(_proc.FASTOPEN, "0", str(client.host.root / "proc"))
    client.host.verdicts[8388] = verdict
    result = client.ask("stepped", "client")
    if verdict == "fast_open":
        assert (result.outcome, client.host.sysctl()) == ("stepped", "1")
        assert client.ask("plain", "client").outcome == "plain"
    else:
        assert (result.outcome, result.changed) == ("skipped", False)
    assert (client.host.sysctl(), client.places("client"), client.flagged("client")) == ("0", [], False)


def units(fragment):
    """A change of the unit's files."""
    return lambda stage, side: stage.host.put(stage.host.unit_dir / f"{UNITS[side]}.d/{fragment[0]}", fragment[1])


SKIPPED = {
    "a shell": (units(("a.conf", "[Service]\nExecStart=\nExecStart=/bin/sh -c x\n")), "runs 'sh'"),
    "the flag by itself": (
        units(("a.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/ss-local --fast-open\n")),
        "has the flag by ",
    ),
    "another drop-in wins": (
        units(("zzz.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/ss-local -v\n")),
        "zzz.conf sets ExecStart and comes after zz-fastopen.conf",
    ),
    "somebody else's file of our name": (units(("zz-fastopen.conf", "[Service]\nNice=5\n")), "is not ours"),
    "masked": (lambda stage, side: stage.host.told.update({UNITS[side]: {"LoadState": "masked"}}), "it is masked"),
    "transient": (lambda stage, side: stage.host.told.update({UNITS[side]: {"Transient": "yes"}}), "it is transient"),
    "a network namespace": (
        lambda stage, side: stage.host.told.update({UNITS[side]: {"PrivateNetwork": "yes"}}),
        "a network namespace of its own",
    ),
}


@pytest.mark.parametrize(("change", "message"), SKIPPED.values(), ids=SKIPPED)
def test_unit_that_cannot_have_a_drop_in(stage, side, change, message):
    """Skipped by name."""
    change(stage, side)
    stage.host._systemctl("daemon-reload")
    before = stage.observe()
    result = stage.ask("stepped", side)
    assert (result.outcome, result.changed) == ("skipped", False)
    assert message in result.reasons[0]
    assert (stage.observe(), stage.lease()) == (before, {})


def test_service_that_does_not_run(stage, side):
    """Deploy comes first."""
    stage.host._systemctl("stop", UNITS[side])
    before = stage.observe()
    result = stage.ask("stepped", side)
    assert (result.outcome, result.changed) == ("refused", False)
    assert result.reasons == [f"{UNITS[side]} is inactive (dead): it must run before; deploy first"]
    assert (stage.observe(), stage.lease()) == (before, {})


@pytest.mark.parametrize("change", [{"plugin": "v2ray-plugin"}, {"mode": "udp_only"}])
def test_service_that_carries_no_tcp_of_its_own(stage, side, change):
    """TFO would cover the loopback hop only, or nothing; beside one that does, it is left alone."""
    plain = stage.request(side).services[0]
    service = {**plain, **change}
    result = stage.ask("stepped", side, services=[service])
    assert (result.outcome, result.reasons) == ("skipped", [_proof.NO_CARRIER])
    beside = {**service, "name": "beside", "server_port": 8389, "local_port": 1081}
    assert stage.ask("stepped", side, services=[plain, beside]).outcome == "stepped"
    assert list(stage.lease()["units"]) == [UNITS[side]]


@pytest.mark.parametrize(("by", "outcome"), [("lease", "stepped"), ("guard", "skipped"), ("rollout", "skipped")])
def test_what_was_undone(stage, side, by, outcome):
    """A lease's undo is tried again, others only when told to; a confirmation forgets it."""
    entry = {"side": side, "by": by, "when": "2026-01-01T00:00:00Z", "why": "SYNs lost"}
    _record.store(_record.Record(undone={UNITS[side]: entry}))
    result = stage.ask("stepped", side)
    assert result.outcome == outcome
    if outcome == "skipped":
        said = (
            f"{UNITS[side]}: taken off by {by} at 2026-01-01T00:00:00Z (SYNs lost); -e rollout_retry=true tries again"
        )
        assert result.reasons == [said]
    assert stage.ask("stepped", side, retry=True).outcome == "stepped"
    assert stage.ask("confirmed", side).outcome == "confirmed"
    assert _record.load().undone == {}


@pytest.mark.parametrize(
    ("side", "mode", "refused", "outcome"),
    [
        ("client", "flag", 0x1, "refused"),
        ("client", "flag", 0x2, "stepped"),
        ("server", "flag", 0x1, "refused"),
        ("server", "flag", 0x400, "stepped"),
        ("server", "listener", 0x400, "refused"),
    ],
)
def test_role_that_keeps_a_bit_off(stage, side, mode, refused, outcome):
    """Its request and a step that needs the bit exclude each other."""
    _record.store(_record.Record(refused=refused))
    result = stage.ask("stepped", side, mode=mode)
    assert result.outcome == outcome
    assert outcome == "stepped" or "role tcp_fastopen keeps a bit off" in result.reasons[0]


def test_paths_are_left_to_whoever_looked_already(client):
    """A look without probes tells what a step would do but for its paths."""
    client.host.verdicts[8388] = "no_cookie"
    assert client.ask("stepped", "client", check=True, judge_paths=False).outcome == "planned"
    assert client.host.probed == []


def test_command_that_systemd_has_not_read_yet(stage, side):
    """Read again before it is repeated: the drop-in never carries what was there before."""
    own = stage.host.unit_dir / f"{UNITS[side]}.d/own.conf"
    command = " ".join(stage.host.processes[stage.host.running[UNITS[side]]].argv)
    stage.host.put(own, f"[Service]\nExecStart=\nExecStart={command} -v\n")
    assert stage.ask("stepped", side).outcome == "stepped"
    assert stage.host.processes[stage.host.running[UNITS[side]]].argv[-2:] == ["-v", "--fast-open"]
