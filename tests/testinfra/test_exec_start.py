# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ExecStart is in effect, with real systemd as the oracle: 252 on ss1, 257 on ss2.

Every unit is started as its files have it and once more with our drop-in. The process must have the same argv, and
--fast-open behind it. The program is a python by the name of ss-server that runs a script which waits.
"""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

import pytest
from _hosts import ROOT, SERVERS, host

UTILS = "plugins/module_utils"
MODULES = ("service/_exec_start", "service/_identify", "service/_systemd", "kernel/_ascii")
FOLDER = "/usr/local/lib/fostest"
RUN, ETC, LIB = "/run/systemd/system", "/etc/systemd/system", "/usr/lib/systemd/system"
P = f"{FOLDER}/ss-server {FOLDER}/wait"
PLAIN = f"[Service]\nType=exec\nExecStart={P} -c plain\n"
RESET = f"[Service]\nExecStart=\nExecStart={P} "

# Name of the unit: its files (a path without a leading slash is a drop-in in /run), and the ExecStart in effect.
FIT: dict[str, tuple[dict[str, str], str]] = {
    "fostest-plain": ({RUN: PLAIN}, f"{P} -c plain"),
    "fostest-last": ({RUN: PLAIN, "10.conf": f"{RESET}ten", "9.conf": f"{RESET}nine"}, f"{P} nine"),
    "fostest-reset": (
        {RUN: PLAIN + f"ExecStart=\nExecStart = {P} second\nEXECSTART={P} x\nExecStartPost=/bin/true\n"},
        f"{P} second",
    ),
    "fostest-sections": (
        {
            RUN: f"ExecStart=/none\n[Unit]\nExecStart=/u\n{PLAIN}[X-Service]\nExecStart=/x\n[service]\nExecStart=/y\n"
            f"[ Service ]\nExecStart=/z\n  [Service]\t\n \tExecStart\t= \n\tExecStart=\t{P} two \n"
        },
        f"{P} two",
    ),
    "fostest-prefixes": (
        {RUN: f"[Service]\nType=exec\nUser=nobody\nExecStart=-+:{P} $HOME ${{HOME}}"},
        f"-+:{P} $HOME ${{HOME}}",
    ),
    "fostest-argv0": (
        {RUN: f"[Service]\nType=exec\nExecStart=@{FOLDER}/ss-server 'my server' {FOLDER}/wait -c x"},
        f"@{FOLDER}/ss-server 'my server' {FOLDER}/wait -c x",
    ),
    "fostest-bang": ({RUN: f"[Service]\nType=exec\nUser=nobody\nExecStart=!!{P}"}, f"!!{P}"),
    "fostest-exclamation": ({RUN: f"[Service]\nType=exec\nUser=nobody\nExecStart=!{P}"}, f"!{P}"),
    "fostest-quotes": (
        {
            RUN: f"[Service]\nType=exec\n"
            f"""ExecStart="{FOLDER}/ss-server" {FOLDER}/wait "a  b" 'c"d' e"f g"h "" \\x41\\tz\\\\ \\q\n"""
        },
        f"""\"{FOLDER}/ss-server" {FOLDER}/wait "a  b" 'c"d' e"f g"h "" \\x41\\tz\\\\ \\q""",
    ),
    "fostest-hash": ({RUN: f"[Service]\nType=exec\nExecStart={P} # a ;b ';' \\; c\n"}, f"{P} # a ;b ';' \\; c"),
    "fostest-specifiers": ({RUN: f"[Service]\nType=exec\nExecStart={P} %n %p %% %H%i"}, f"{P} %n %p %% %H%i"),
    "fostest-variables": (
        {
            f"{FOLDER}/environment": "CONFFILE='/a b'\nDAEMON_ARGS=\"-u --mtu 1300\"\n",
            RUN: f"[Service]\nType=exec\nEnvironmentFile={FOLDER}/environment\n"
            f"ExecStart={P} -c $CONFFILE x${{CONFFILE}}y $$ $NONE ${{NONE}} $DAEMON_ARGS\n",
        },
        f"{P} -c $CONFFILE x${{CONFFILE}}y $$ $NONE ${{NONE}} $DAEMON_ARGS",
    ),
    "fostest-lines": (
        {
            RUN: f"[Service]\nType=exec\nExecStart={P} \\\n  one \\\n# no \\\n ; no\n two\\\n\t3\\\n\nNice=0\n"
            f"# not a line \\\nEnvironment=A=b \\\nExecStart=/none\n"
        },
        f"{P}    one   two \t3",
    ),
    "fostest-escaped-end": ({RUN: f"[Service]\nType=exec\nExecStart={P} a\\\\\nNice=0\n"}, f"{P} a\\\\"),
    "fostest-open-end": ({RUN: f"[Service]\nType=exec\nExecStart={P} a\\"}, f"{P} a"),
    "fostest-crlf": ({RUN: f"[Service]\r\nType=exec\r\nExecStart={P} a \\\r\n b\r\n"}, f"{P} a   b"),
    "fostest-cr": ({RUN: f"[Service]\rType=exec\rExecStart=/none\rExecStart=\r\r\0ExecStart={P} a\r"}, f"{P} a"),
    "fostest-bom": ({RUN: f"\ufeff{PLAIN}", "5.conf": f"\ufeff{RESET}\u00fc"}, f"{P} \u00fc"),
    "fostest-latin": ({RUN: f"# caf\udce9 \\\n{PLAIN}"}, f"{P} -c plain"),
    "fostest-hidden": (
        {LIB: PLAIN, RUN: f"{PLAIN}\nExecStart=/no", ETC: PLAIN.replace("plain", "etc")}
        | {f"{folder}/{{}}.d/5.conf": f"{RESET}{folder}" for folder in (ETC, RUN, LIB)}
        | {f"{RUN}/{{}}.d/6.conf": f"{RESET}6", f"{ETC}/{{}}.d/6.conf": "->/dev/null"},
        f"{P} {ETC}",
    ),
    "fostest-folders": (
        {RUN: PLAIN, f"{LIB}/{{}}.d/7.conf": f"{RESET}7", f"{ETC}/{{}}.d/3.conf": f"{RESET}3", "5.conf": f"{RESET}5"},
        f"{P} 7",
    ),
    "fosdash-a-b": (
        {
            RUN: PLAIN,
            f"{RUN}/fosdash-.service.d/7.conf": f"{RESET}7",
            f"{RUN}/fosdash-a-.service.d/6.conf": f"{RESET}6",
        },
        f"{P} 7",
    ),
    "fostest@a\\x2db": (
        {
            f"{RUN}/fostest@.service": PLAIN,
            f"{RUN}/fostest@.service.d/80.conf": f"{RESET}%i %I",
            "70.conf": f"{RESET}seventy",
            "75 \u00fc $x`'\";(y).conf": "[Service]\nNice=1\n",
            "76\n\t.conf": "[Service]\nNice=2\n",
        },
        f"{P} %i %I",
    ),
    "fostest@own": (
        {RUN: PLAIN, f"{RUN}/fostest@.service.d/80.conf": f"{RESET}%i %I", "90.conf": f"{RESET}ninety"},
        f"{P} ninety",
    ),
    "fostest-everywhere": (
        # For all services of the host, so it must be empty.
        {RUN: PLAIN, f"{RUN}/service.d/zzz-fostest.conf": "# of a test\n", "service.conf": f"{RESET}s"},
        f"{P} s",
    ),
    "fostest-after": (
        {
            RUN: PLAIN,
            "zz.conf": "[Service]\nNice=3\n[Unit]\nExecStart=/x\n",
            "ZZZ.conf": f"{RESET}upper",
            "zz-a.conf": f"{RESET}a",
        },
        f"{P} a",
    ),
    "fostest-path": (
        {RUN: f"[Service]\nType=exec\nExecStart=ssserver {FOLDER}/wait -c x"},
        f"ssserver {FOLDER}/wait -c x",
    ),
    "fostest-flag": ({RUN: f"[Service]\nType=exec\nExecStart={P} --fast-open -u"}, f"{P} --fast-open -u"),
    "fostest-joins": ({RUN: f"[Unit]\nJoinsNamespaceOf=fostest-private.service\n{PLAIN}"}, f"{P} -c plain"),
}
# Name of the unit: its files, and a part of the message.
UNFIT: dict[str, tuple[dict[str, str], str]] = {
    "fostest-none": ({}, "there is no such unit"),
    "fostest-masked": ({RUN: "->/dev/null"}, "it is masked"),
    "fostest-several": ({RUN: f"[Service]\nType=oneshot\nExecStart={P} 1\nExecStart={P} 2\n"}, "2 ExecStart lines"),
    "fostest-emptied": (
        {RUN: "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStart=\nExecStop=/bin/true"},
        "no ExecStart",
    ),
    "fostest-bad": ({RUN: "[Service]\nExecStart=/bin/true 'x\n"}, "cannot load it (bad-setting)"),
    "fostest-header": ({RUN: f"[Unit\n{PLAIN}"}, "cannot load it (error)"),
    "fostest-header-d": ({RUN: PLAIN, "5.conf": f"[Unit\n{RESET}x"}, "broken section header"),
    "fostest-bytes-d": ({RUN: PLAIN, "5.conf": f"[Unit]\nDescription=caf\udce9\n{RESET}x"}, "not UTF-8"),
    "fostest-silent": (
        {RUN: PLAIN, "5.conf": f"[Service]\nExecStop=/bin/true 'x\n{RESET}x"},
        "systemd runs something else",
    ),
    "fostest-shell": ({RUN: f"[Service]\nExecStart=/bin/sh -c '{P}'\n"}, "ExecStart runs 'sh'"),
    "fostest-env": ({RUN: f"[Service]\nExecStart=-/usr/bin/env A=b {P}\n"}, "ExecStart runs 'env'"),
    "fostest-private": ({RUN: f"{PLAIN}PrivateNetwork=yes\n"}, "network namespace of its own"),
    "fostest-namespace": ({RUN: f"{PLAIN}NetworkNamespacePath=/run/netns/x\n"}, "network namespace of its own"),
    "fostest-refuses": ({RUN: f"[Unit]\nRefuseManualStop=yes\n{PLAIN}"}, "nobody may restart it (RefuseManualStop)"),
    "fostest-operands": ({RUN: f"[Service]\nExecStart={P} '--' x\n"}, "a bare '--'"),
    "fostest-commands": ({RUN: f"[Service]\nType=oneshot\nExecStart={P} ; {P}\n"}, "several commands"),
    "fostest-backslash": ({RUN: f"[Service]\nExecStart={P} a\\ \n"}, "ends with a backslash"),
    "fostest-specifier": ({RUN: f"[Service]\nExecStart={FOLDER}/%j/ss-server x\n"}, "given by a specifier"),
    "fostest-undone": ({RUN: PLAIN, "zzz.conf": f"{RESET}x"}, "comes after zz-fastopen.conf"),
    "fostest-sysv": (
        {"/etc/init.d/fostest-sysv": "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: fostest-sysv\n### END INIT INFO\n"},
        "SysV script",
    ),
    "fostest-transient": ({}, "it is transient"),
}

REMOTE = r"""
import json, os, shutil, subprocess, sys
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start

FOLDER, RUN = "/usr/local/lib/fostest", "/run/systemd/system"
job = json.load(open(FOLDER + "/job.json"))
made, folders, out = [], set(), {}

def write(path, text):
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folders.add(folder)
        folder = os.path.dirname(folder)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    made.append(path)
    if text.startswith("->"):
        os.symlink(text[2:], path)
    else:
        with open(path, "wb") as stream:
            stream.write(text.encode("utf-8", "surrogateescape"))
        os.chmod(path, 0o755 if path.startswith("/etc/init.d") else 0o640)

def systemctl(*arguments):
    subprocess.run(["systemctl", *arguments], check=False, stderr=subprocess.DEVNULL)

def argv(unit):
    pid = subprocess.run(["systemctl", "show", "-P", "MainPID", unit], stdout=subprocess.PIPE, text=True).stdout.strip()
    if pid == "0":
        return None
    with open(f"/proc/{pid}/cmdline", "rb") as stream:
        return stream.read().decode("utf-8", "surrogateescape").split("\0")[:-1]

def network(unit):
    pid = subprocess.run(["systemctl", "show", "-P", "MainPID", unit], stdout=subprocess.PIPE, text=True).stdout.strip()
    return os.readlink(f"/proc/{pid}/ns/net")

def look(unit):
    try:
        name, below = _exec_start.read(unit)
    except _exec_start.Unfit as error:
        return {"unfit": str(error)}
    return {"name": name, **below._asdict()}

units = [name + ".service" for name in job["fit"]]
try:
    shutil.copy(os.path.realpath(sys.executable), FOLDER + "/ss-server")
    write("/usr/local/bin/ssserver", "->" + FOLDER + "/ss-server")
    write(FOLDER + "/wait", "import signal\nsignal.pause()\n")
    os.chmod(FOLDER + "/wait", 0o644)
    for name, files in {**job["fit"], **job["unfit"]}.items():
        for path, text in files.items():
            write(path, text)
    write(RUN + "/fostest-alias.service", "->fostest-plain.service")
    systemctl("daemon-reload")
    subprocess.run(["systemd-run", "--quiet", "--unit=fostest-transient", "sleep", "600"], check=True)
    for name in job["unfit"]:
        out[name] = look(name + ".service")
    systemctl("start", "fostest-private.service", *units)
    for unit, name in zip(units, job["fit"]):
        out[name] = {"read": look(unit), "plain": argv(unit)}
    out["alias"] = look("fostest-alias")
    out["namespaces"] = [network(unit) for unit in ("fostest-plain", "fostest-joins", "fostest-private")]
    for unit, name in zip(units, job["fit"]):
        below = {key: value for key, value in out[name]["read"].items() if key != "name"}
        if "unfit" not in below:
            out[name]["text"] = _exec_start.drop_in(_exec_start.Below(**below), "server")
            write(f"{RUN}/{unit}.d/zz-fastopen.conf", out[name]["text"])
    out["stale"] = look("fostest-last.service")
    systemctl("daemon-reload")
    systemctl("restart", *units)
    for unit, name in zip(units, job["fit"]):
        out[name].update(again=look(unit), fast=argv(unit))
finally:
    systemctl("stop", "fostest-transient.service", "fostest-private.service", *units)
    for path in made:
        if os.path.lexists(path):
            os.remove(path)
    for folder in sorted(folders - {FOLDER}, reverse=True):
        os.rmdir(folder)
    systemctl("daemon-reload")
    systemctl("reset-failed", "fos*")
print(json.dumps(out))
"""


def _files(name: str, files: dict[str, str]) -> dict[str, str]:
    """Whole paths."""
    unit = f"{name}.service"
    whole = {}
    for path, text in files.items():
        if path in (RUN, ETC, LIB):
            path = f"{path}/{unit}"
        elif not path.startswith("/"):
            path = f"{RUN}/{unit}.d/{path}"
        whole[path.replace("{}", unit)] = text
    return whole


@functools.cache
def _seen(server: str) -> dict[str, Any]:
    """Everything that one run on the host found out. It takes away what it made."""
    job = {
        part: {name: _files(name, case[0]) for name, case in cases.items()}
        for part, cases in (("fit", FIT), ("unfit", UNFIT))
    }
    package = f"{FOLDER}/ansible_collections/fastopen/shadowsocks"
    shell = host(server)
    shell.check_output(f"rm -rf {FOLDER} && mkdir -p {package}/{UTILS}/service {package}/{UTILS}/kernel")
    modules = [f"{UTILS}/{name}.py" for name in MODULES]
    try:
        for path, text in {
            **{f"{package}/{module}": (ROOT / module).read_text(encoding="utf-8") for module in modules},
            f"{FOLDER}/remote.py": REMOTE,
            f"{FOLDER}/job.json": json.dumps(job),
        }.items():
            shell.check_output(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d > {path}")
        return json.loads(
            shell.check_output(f"PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={FOLDER} python3 {FOLDER}/remote.py")
        )
    finally:
        shell.check_output(f"rm -rf {FOLDER}")


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", FIT)
def test_fit(name: str, server: str) -> None:
    seen = _seen(server)[name]
    below = seen["read"]
    assert below.get("exec_start") == FIT[name][1], below
    assert below["name"] == f"{name}.service"
    assert below["mode"] == 0o640
    assert not below["stale"]
    assert below["own_flag"] == (name == "fostest-flag")
    assert seen["plain"]
    assert seen["fast"] == [*seen["plain"], "--fast-open"]
    assert seen["again"] == below, "the same is below once our own drop-in is loaded"


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("name", UNFIT)
def test_unfit(name: str, server: str) -> None:
    assert UNFIT[name][1] in _seen(server)[name].get("unfit", ""), _seen(server)[name]


@pytest.mark.parametrize("server", SERVERS)
def test_alias(server: str) -> None:
    seen = _seen(server)
    assert seen["alias"] == seen["fostest-plain"]["read"]


@pytest.mark.parametrize("server", SERVERS)
def test_stale(server: str) -> None:
    """Our drop-in is written and systemd has not read it yet. (252 would not tell of one in a new folder.)"""
    seen = _seen(server)
    assert seen["stale"] == {**seen["fostest-last"]["read"], "stale": True}


@pytest.mark.parametrize("server", SERVERS)
def test_files(server: str) -> None:
    """All files are named, also those behind ours, and odd names as they are on the disk."""
    seen = _seen(server)
    assert set(_files("fostest-after", FIT["fostest-after"][0])) | {f"{RUN}/service.d/zzz-fostest.conf"} == set(
        seen["fostest-after"]["read"]["sources"]
    )
    name = "fostest@a\\x2db"
    assert set(_files(name, FIT[name][0])) <= set(seen[name]["read"]["sources"])


@pytest.mark.parametrize("server", SERVERS)
def test_joins_namespace_of(server: str) -> None:
    """Alone it joins no network: that takes PrivateNetwork= in both units, and with it a unit is unfit anyway."""
    plain, joins, private = _seen(server)["namespaces"]
    assert joins == plain != private
