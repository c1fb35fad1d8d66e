# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ExecStart is in effect, and the drop-in on top; tests/testinfra/test_exec_start.py asks systemd the same."""

from __future__ import annotations


import zlib

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _exec_start as es

P = "/usr/bin/ss-server"
SHOWN = {
    "Id": "a.service",
    "LoadState": "loaded",
    "SourcePath": "",
    "Transient": "no",
    "NeedDaemonReload": "no",
    "PrivateNetwork": "no",
    "NetworkNamespacePath": "",
}


def resolve(*texts: str, after: tuple[str, ...] = ()) -> es.Below:
    sources = [es.Source(f"/{number}.conf", text, 0o644) for number, text in enumerate(texts)]
    return es.resolve(sources, [es.Source(f"/after{n}.conf", text, 0o644) for n, text in enumerate(after)])


def unit(value: str) -> str:
    return f"[Service]\nExecStart={value}\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"[Service]\n  ExecStart \t=  {P} a  b \t\n", f"{P} a  b"),
        (f"[Service]\nExecStart={P} first\nExecStart=\nExecStart={P} second", f"{P} second"),
        (f"ExecStart=/no\n[Unit]\nExecStart=/no\n[service]\nExecStart=/no\n [Service] \nExecStart={P}\n", P),
        (f"[Service]\nExecStart={P}\n[ Service ]\nExecStart=/no\n[X-Service]\nExecStart=/no\n", P),
        (f"[Service]\nexecstart=/no\nExecStartPre=/no\nExecStart={P}\nExecStart\n", P),
        (f"[Service]\n#ExecStart=/no\n ;ExecStart=/no\nExecStart={P} # ;x\n", f"{P} # ;x"),
        (f"[Service]\nExecStart={P} \\\n  a\\\n# no \\\n ; no\n\tb\nNice=1\n", f"{P}    a \tb"),
        (f"[Service]\nExecStart={P} a\\\n\nExecStart=\nExecStart={P} b\\", f"{P} b"),
        (f"[Service]\nExecStart={P} a\\\\\nNice=1\n", f"{P} a\\\\"),
        (f"[Service]\nEnvironment=A=b \\\nExecStart=/no\nExecStart={P}\n", P),
        (f"# note \\\n[Service]\nExecStart={P}\n", P),
        (f"[Service]\r\nExecStart={P} \\\r\na\r\n", f"{P}  a"),
        (f"[Service]\rExecStart=/no\0ExecStart=\n\rExecStart={P}", P),
        (f"\ufeff[Service]\nExecStart={P}\n\ufeffExecStart=/no\n", P),
        (f"# caf\udce9\n[Service]\nExecStart={P} \u00fc", f"{P} \u00fc"),
    ],
)
def test_syntax(text: str, value: str) -> None:
    assert resolve(text).exec_start == value


@pytest.mark.parametrize(
    ("value", "executable", "program"),
    [
        (f"{P} -c x", P, "ss-server"),
        ("ss-local -c x", "ss-local", "ss-local"),
        ("@-:!!/usr/bin/ss-redir 'my name'", "/usr/bin/ss-redir", "ss-redir"),
        ("+|/opt/ssservice server", "/opt/ssservice", "ssservice"),
        ("@/opt/ssservice 'my name' \"local\" -c x", "/opt/ssservice", "ssservice"),
        ('-"/opt/my dir/ss-tunnel" x', "/opt/my dir/ss-tunnel", "ss-tunnel"),
        ('"-/opt/it\'s/ss-tunnel" x', "/opt/it's/ss-tunnel", "ss-tunnel"),
    ],
)
def test_program(value: str, executable: str, program: str) -> None:
    below = resolve(unit(value))
    assert (below.executable, below.program, below.exec_start) == (executable, program, value)


def test_below() -> None:
    """Files in their order, the one that sets the value, the strictest mode, the digest."""
    fragment, reset, other = unit(f"{P} a"), f"[Service]\nExecStart=\nExecStart={P} b\n", "[Service]\nNice=1\n"
    below = es.resolve(
        [es.Source("/f", fragment, 0o755), es.Source("/d", reset, 0o640), es.Source("/e", other, 0o644)],
        [es.Source("/z", "[Unit]\nExecStart=/x\n", 0o604)],
    )
    assert below.sources == ("/f", "/d", "/e", "/z")
    assert (below.setter, below.mode, below.exec_start) == ("/d", 0o600, f"{P} b")
    assert below.digest == f"{zlib.crc32(f'{P} b'.encode()):08x}"
    assert es.resolve([es.Source("/f", fragment, 0o777)]).mode == 0o644


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        ("--fast-open", True),
        ("-u '--fast-open' -v", True),
        ("--tcp-fast-open", True),
        ("--fast", True),
        ("-", False),
        ("--fast-opener", False),
        ("-c --fast-open.json x--fast-open", False),
    ],
)
def test_own_flag(arguments: str, own: bool) -> None:
    assert resolve(unit(f"{P} {arguments}")).own_flag is own


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((unit(P), unit(f"{P} secret")), r"2 ExecStart lines are in effect \(/0.conf, /1.conf\)"),
        ((unit(P), unit("")), "no ExecStart is in effect in /0.conf, /1.conf"),
        (("[Unit]\n",), "no ExecStart is in effect in /0.conf"),
        ((unit("-/bin/sh -c 'ss-server secret'"),), "/0.conf: ExecStart runs 'sh', which"),
        ((unit("/usr/bin/env ss-server"),), "ExecStart runs 'env'"),
        ((unit("- ss-server"),), "ExecStart runs ''"),
        ((unit("/usr/bin/ssservice manager -c secret"),), "/0.conf: ExecStart runs ssservice, which gets the flag as"),
        ((unit("/usr/bin/ssservice %p -c server"),), "runs ssservice, which gets the flag as server or local alone"),
        ((unit("@/usr/bin/ssservice server"),), "runs ssservice, which gets the flag as server or local alone"),
        ((unit("/usr/bin/ssservice"),), "runs ssservice, which gets the flag as server or local alone"),
        ((unit("/usr/bin/%p -c secret"),), "/0.conf: the program is given by a specifier"),
        ((unit("$DIR/ss-server"),), "given by a specifier or a variable"),
        ((unit('"/usr/bin/ss-server -k secret"'),), "or not as a plain word"),
        ((unit("/usr/bin/ss-server\\x20-k\\x20secret"),), "or not as a plain word"),
        ((unit(f"{P} -c x -- secret"),), "/0.conf: ExecStart has a bare '--'"),
        ((unit(f"{P} '--'"),), "a bare '--'"),
        ((unit(f"{P} secret ; {P}"),), "/0.conf: ExecStart has several commands"),
        ((unit(f'{P} "secret'),), "/0.conf: ExecStart has unbalanced quotes"),
        ((unit(f"{P} it's"),), "unbalanced quotes"),
        ((unit(f"{P} secret\\ "),), "ends with a backslash"),
        ((f"[Service\n{unit(P)}",), "/0.conf has a broken section header"),
        ((f"[Unit]\nDescription=caf\udce9\n{unit(P)}",), "/0.conf has a line that is not UTF-8"),
    ],
)
def test_unfit(texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(es.Unfit, match=message) as error:
        resolve(*texts)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "value", ["a ';' b", "a \\; b", "a;b", "a ;b", "---", "'-- '", '"it\'s" \\" \'"\'', "a'b c'd\"\"", "\\x2d"]
)
def test_fit(value: str) -> None:
    """What only looks like a command's end, a bare -- or an open quote."""
    assert resolve(unit(f"{P} {value}")).exec_start == f"{P} {value}"


@pytest.mark.parametrize("text", [unit(f"{P} x"), unit("")])
def test_after(text: str) -> None:
    with pytest.raises(es.Unfit, match="/after1.conf sets ExecStart and comes after zz-fastopen.conf"):
        resolve(unit(P), after=("[Service]\nNice=1\n", text))


def test_drop_in() -> None:
    below = resolve(unit(f"-{P} -c '%i x' $ARGS"))
    lines = es.drop_in(below, "server").split("\n")
    assert lines[0].startswith("# ")
    assert "rollback" in lines[0]
    assert "/usr/local/lib/fastopen/fastopen off" in lines[0]
    assert lines[1:] == [
        f"# side=server below={below.digest}",
        "[Service]",
        "ExecStart=",
        f"ExecStart=-{P} -c '%i x' $ARGS --fast-open",
        "",
    ]


def test_parse_drop_in() -> None:
    below = resolve(unit(f"{P} --fast-open x"))
    text = es.drop_in(below, "client")
    assert es.parse_drop_in(text) == ("client", below.digest)
    assert es.parse_drop_in("# another wording\n" + text.split("\n", 1)[1]) == ("client", below.digest)
    damaged = [
        "",
        unit(P),
        text[:-1],
        text + "Nice=1\n",
        "[Service]\nNice=1\n" + text,
        text.replace("ExecStart=\n", ""),
        text.replace(" x --fast-open", " x"),
        text.replace(" x ", " y "),
        text.replace(below.digest, "0" * 8),
        text.replace("\n", "\r\n"),
    ]
    assert [es.parse_drop_in(t) for t in damaged] == [("", "")] * len(damaged)


@pytest.fixture
def shows(tmp_path, monkeypatch):
    """Write files {name: text}, and make systemctl show them as a.service's drop-ins and loaded command line."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    fragment = tmp_path / "a.service"
    fragment.write_text(unit(f"{P} -c 'a b' %i"))
    fragment.chmod(0o640)

    def show(files=None, argv=f"{P} -c a b main", quote=str, **properties):
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text)
        lines = {"FragmentPath": fragment, **SHOWN, **properties}
        lines["DropInPaths"] = " ".join(quote(f"{tmp_path}/{name}") for name in files or {})
        command = [f"ExecStart={{ path={P} ; argv[]={argv} ; ignore_errors=no ; pid=0 }}"] if argv else []
        (tmp_path / "out").write_text("\n".join([*command, *(f"{k}={v}" for k, v in lines.items())]) + "\n")
        (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\ncat {tmp_path}/out\n')
        (tmp_path / "systemctl").chmod(0o755)
        return tmp_path

    return show


def test_read(shows) -> None:
    folder = shows({"5.conf": "[Service]\nNice=1\n", "zz.conf": "[Service]\nNice=2\n"})
    name, below = es.read("alias.service")
    assert name == "a.service"
    assert below.exec_start == f"{P} -c 'a b' %i"
    assert below.sources == tuple(f"{folder}/{name}" for name in ("a.service", "5.conf", "zz.conf"))
    assert (below.mode, below.stale) == (0o640, False)
    assert (folder / "called").read_text().endswith(" -- alias.service\n")


def test_read_stale(shows) -> None:
    shows(NeedDaemonReload="yes")
    assert es.read("a.service")[1].stale


def test_read_ours_loaded(shows) -> None:
    """Left out, and what systemd runs says nothing about what is below. Its place is where systemd has it."""
    shows({"a.conf": "[Service]\n", "zz-fastopen.conf": unit("/old"), "zz-g.conf": "[Unit]\n"}, argv="/old")
    assert [path.rpartition("/")[2] for path in es.read("a.service")[1].sources] == ["a.service", "a.conf", "zz-g.conf"]
    shows({"zz-fastopen.conf": unit("/old"), "zz-g.conf": f"[Service]\nExecStart=\nExecStart={P} z\n"})
    with pytest.raises(es.Unfit, match="zz-g.conf sets ExecStart and comes after"):
        es.read("a.service")


@pytest.mark.parametrize(("name", "after"), [("zz.conf", True), ("zz-fastopen.conf.conf", True), ("ZZZ.conf", False)])
def test_read_ours_not_loaded(shows, name: str, after: bool) -> None:
    """Byte order decides what will come after it."""
    shows({name: f"[Service]\nExecStart=\nExecStart={P} z\n"}, argv=f"{P} z")
    if after:
        with pytest.raises(es.Unfit, match=f"{name} sets ExecStart and comes after"):
            es.read("a.service")
    else:
        assert es.read("a.service")[1].exec_start == f"{P} z"


def test_read_odd_paths(shows) -> None:
    def quoted(path: str) -> str:
        for char, escape in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("`", "\\`"), ("\n", "\\n"), ("\t", "\\t")):
            path = path.replace(char, escape)
        return f'"{path}"'

    files = {"1 a\\x2db.conf": "", "2$`'\"\n\t(;).conf": "", "3\u00fc.conf": ""}
    folder = shows(files, quote=quoted)
    assert es.read("a.service")[1].sources[1:] == tuple(f"{folder}/{name}" for name in files)


@pytest.mark.parametrize("argv", [None, f"{P} -c a b", f"{P} -c a b x --fast-open\nExecStart=", "/bin/x -c a b main"])
def test_read_systemd_disagrees(shows, argv) -> None:
    """A file that systemd does not read to its end, or has not read yet."""
    folder = shows({"5.conf": unit("") + unit(f"{P} -k secret")}, argv=argv)
    with pytest.raises(
        es.Unfit, match=f"a.service: systemd runs something else than the ExecStart of {folder}/5.conf"
    ) as e:
        es.read("a.service")
    assert "secret" not in str(e.value)


@pytest.mark.parametrize(
    ("value", "argv"),
    [
        (f"@{P} name -u", "name -u"),
        (f"-+{P} \\x41\\101\\u0041\\q '' ${{A}} $A", f"{P} AAA\\q  ${{A}} $A"),
        ("ss-server %%%n", "ss-server %a.service"),
        (f"{P} 'a b'", f"{P} 'a b'"),
        (f'{P} "a\\nb"', f"{P} a\nb"),
    ],
)
def test_read_systemd_agrees(shows, value: str, argv: str) -> None:
    shows({"5.conf": unit("") + unit(value)}, argv=argv)
    assert es.read("a.service")[1].exec_start == value


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"LoadState": "not-found", "FragmentPath": ""}, "a.service: there is no such unit"),
        ({"LoadState": "masked"}, "a.service: it is masked"),
        ({"LoadState": "bad-setting"}, r"cannot load it \(bad-setting\)"),
        ({"Id": "a.socket"}, "a.socket: it is not a service"),
        ({"Transient": "yes"}, "it is transient"),
        ({"SourcePath": "/etc/init.d/a"}, "the SysV script /etc/init.d/a"),
        ({"FragmentPath": "/run/systemd/generator.late/a.service"}, "a SysV script"),
        ({"FragmentPath": "/run/systemd/generator/a.service"}, "a generator makes it"),
        ({"FragmentPath": "/run/systemd/generator.early/a.service"}, "a generator makes it"),
        ({"FragmentPath": ""}, "it has no unit file"),
        ({"PrivateNetwork": "yes"}, "network namespace of its own"),
        ({"NetworkNamespacePath": "/run/netns/x"}, "network namespace of its own"),
        ({"CanStop": "no"}, r"nobody may restart it \(RefuseManualStop\)"),
        ({"FragmentPath": "/gone/a.service"}, r"/gone/a.service cannot be read \(No such file or directory\)"),
    ],
)
def test_read_unfit(shows, properties, message: str) -> None:
    shows(**properties)
    with pytest.raises(es.Unfit, match=message):
        es.read("a.service")


@pytest.mark.parametrize("name", ["ss@.service", "ss@", "a b", "*", "a.service\nb"])
def test_read_no_name(shows, name: str) -> None:
    folder = shows()
    with pytest.raises(es.Unfit, match="is not the name of a service"):
        es.read(name)
    assert not (folder / "called").exists()
