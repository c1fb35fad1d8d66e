# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's modules as Ansible runs them: arguments in, JSON out."""

from __future__ import annotations

import functools
import importlib
import json
import pathlib
import threading

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe, _proc
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.path import _path
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _asked, _record

MODULES = "ansible_collections.fastopen.shadowsocks.plugins.modules"


def run(capsys: pytest.CaptureFixture[str], name: str, **arguments: object) -> dict:
    module = importlib.import_module(f"{MODULES}.{name}")
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def undocumented(name: str, answer: dict) -> set[str]:
    """Return the keys of an answer that RETURN does not tell, at any depth that it describes."""
    documented = yaml.safe_load(importlib.import_module(f"{MODULES}.{name}").RETURN)

    def missing(value: object, told: dict, path: str) -> set[str]:
        values = value if isinstance(value, list) else [value]
        found: set[str] = set()
        for entry in values:
            for key, below in entry.items():
                if key not in told:
                    found.add(f"{path}{key}")
                elif "contains" in told[key] and below is not None:
                    found |= missing(below, told[key]["contains"], f"{path}{key}.")
        return found

    return missing(answer, documented, "")


def without_common(answer: dict) -> dict:
    return {key: value for key, value in answer.items() if key not in ("changed", "diff", "invocation")}


@pytest.fixture
def kernel(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Settings as plain files, under the function that tfo_sysctl calls."""
    for name, value in ((_proc.FASTOPEN, "1"), (_proc.SYNCOOKIES, "1"), (_proc.FASTOPEN_KEY, "5-6-7-8")):
        path = pathlib.Path(_proc.sysctl_path(name, str(tmp_path / "proc")))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value)
    (tmp_path / "etc/sysctl.d").mkdir(parents=True)
    monkeypatch.setattr(_asked, "converge", functools.partial(_asked.converge, root=str(tmp_path)))
    monkeypatch.setattr(_record, "FOLDER", str(tmp_path / "var/lib/fastopen"))
    monkeypatch.setattr(_record, "RUN_FOLDER", str(tmp_path / "run/fastopen"))
    return tmp_path


def test_tfo_sysctl_there_and_back(kernel: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"accept": True, "syncookies": 2, "snapshot": "/var/lib/x/y.json", "file": "/etc/sysctl.d/z.conf"}
    planned = run(capsys, "tfo_sysctl", **arguments, _ansible_check_mode=True, _ansible_diff=True)
    done = run(capsys, "tfo_sysctl", **arguments, _ansible_diff=True)
    assert planned["diff"] == done["diff"] and without_common(planned) == without_common(done)
    assert done["changed"] and done["after"]["value"] == 3 and done["snapshot"] == "/var/lib/x/y.json"
    assert (kernel / "etc/sysctl.d/z.conf").is_file() and (kernel / "var/lib/x/y.json").is_file()
    assert undocumented("tfo_sysctl", without_common(done)) == set()
    assert set(done["after"]) <= set(yaml.safe_load(_sysctl_return())["after"]["sample"])
    assert not run(capsys, "tfo_sysctl", **arguments)["changed"]
    assert run(capsys, "tfo_sysctl", state="restored", **arguments)["after"]["value"] == 1
    assert not (kernel / "var/lib/x/y.json").exists()


def _sysctl_return() -> str:
    return importlib.import_module(f"{MODULES}.tfo_sysctl").RETURN


def test_tfo_sysctl_hides_the_key(kernel: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "tfo_sysctl", key="abcdef01-2-3-4", _ansible_diff=True)
    assert "abcdef01" not in json.dumps(answer)
    assert "abcdef01" in (kernel / "proc/sys/net/ipv4/tcp_fastopen_key").read_text()


def test_tfo_sysctl_fails_before_it_changes_anything(kernel: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kernel / "etc/sysctl.d/zz.conf").write_text("net.ipv4.tcp_fastopen = 1\n")
    answer = run(capsys, "tfo_sysctl", accept=True, syncookies=2)
    assert answer["failed"] and "zz.conf" in answer["msg"]
    assert (kernel / "proc/sys/net/ipv4/tcp_fastopen").read_text() == "1"


def test_tfo_sysctl_warns_of_the_kill_switch(
    kernel: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, warning: warnings.append(warning))
    _record.store(_record.Record(killed={"by": "me", "when": "2026-01-01T00:00:00Z"}))
    answer = run(capsys, "tfo_sysctl", accept=True)
    assert "failed" not in answer and answer["after"]["value"] == 1
    assert ["kill switch of me is on since 2026-01-01T00:00:00Z" in warning for warning in warnings] == [True]


@pytest.mark.parametrize("folder", ["FOLDER", "RUN_FOLDER"])
def test_tfo_sysctl_says_what_is_damaged(
    kernel: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    (kernel / "there").mkdir()
    monkeypatch.setattr(_record, folder, str(kernel / "there"))
    for name in ("record", "lease"):
        (kernel / f"there/{name}.json").write_text("{")
    assert "is damaged" in run(capsys, "tfo_sysctl", accept=True)["msg"]


@pytest.mark.parametrize(("arguments", "asked"), [({"send": False}, False), ({"state": "restored"}, None)])
@pytest.mark.parametrize("force", [True, False])
def test_tfo_sysctl_passes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: dict, asked: object, force: bool
) -> None:
    def converge(wanted: dict | None, **options: object) -> None:
        raise KernelError(json.dumps([wanted and wanted["send"], options["force"], options["check"]]))

    monkeypatch.setattr(_asked, "converge", converge)
    assert json.loads(run(capsys, "tfo_sysctl", force=force, **arguments)["msg"]) == [asked, force, False]


def test_tfo_sysctl_refuses_unknown_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert "syncookies must be one of" in run(capsys, "tfo_sysctl", syncookies=3)["msg"]


def test_tfo_probe_returns_what_it_documents(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "tfo_probe")
    assert not answer["changed"]
    assert undocumented("tfo_probe", without_common(answer)) == set()
    documented = yaml.safe_load(importlib.import_module(f"{MODULES}.tfo_probe").RETURN)["fastopen"]["contains"]
    assert set(answer["fastopen"]) == set(documented)
    assert set(_probe.observe()) == set(documented)


def test_tfo_path_probes_at_the_same_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    together = threading.Barrier(3, timeout=10)

    def probe(*arguments: object) -> dict:
        together.wait()
        return {"host": arguments[0], "asked": [str(argument) for argument in arguments]}

    monkeypatch.setattr(_path, "probe", probe)
    targets = [{"host": host, "port": 8388} for host in ("a", "b", "[2001:db8::1]")]
    answer = run(capsys, "tfo_path", targets=targets, attempts=3, timeout_seconds=1.5, family="ipv6")
    assert [path["host"] for path in answer["paths"]] == ["a", "b", "2001:db8::1"]
    assert answer["paths"][0]["asked"] == ["a", "8388", "3", "1.5", str(int(_path.socket.AF_INET6))]


def test_tfo_path_returns_what_it_documents(capsys: pytest.CaptureFixture[str]) -> None:
    with _path.socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answer = run(capsys, "tfo_path", targets=[{"host": "127.0.0.1", "port": port}])
    assert undocumented("tfo_path", without_common(answer)) == set()
    [path] = answer["paths"]
    assert path["attempts"][0]["connected"] and not answer["changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": [{"host": "a", "port": 0}]}, "0 is not a TCP port"),
        ({"targets": [{"host": "a", "port": 65536}]}, "65536 is not a TCP port"),
        ({"targets": [{"host": "", "port": 80}]}, "host is empty"),
        ({"targets": [], "attempts": 0}, "must be greater than 0"),
        ({"targets": [], "timeout_seconds": 0}, "must be greater than 0"),
        ({"targets": [{"host": "a"}]}, "missing required arguments: port"),
        ({}, "missing required arguments: targets"),
    ],
)
def test_tfo_path_refuses(capsys: pytest.CaptureFixture[str], arguments: dict, message: str) -> None:
    answer = run(capsys, "tfo_path", **arguments)
    assert answer["failed"] and message in answer["msg"]
