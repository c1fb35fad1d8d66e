# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the boot would set, compared with what the system's own programs set from the same files."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _sysctl_files, _tfo_bits

KEY = "net.ipv4.tcp_fastopen"
UNTOUCHED = 9

# In a private mount and network namespace: only the case's files, then the program, then what the kernel has got.
SCRIPT = """
set -e
mount --make-rprivate /
for folder in /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d; do
    mkdir -p $folder "$CASE$folder"
    mount --bind "$CASE$folder" $folder
done
mkdir -p "$CASE/etc"
touch "$CASE/etc/sysctl.conf" /etc/sysctl.conf
mount --bind "$CASE/etc/sysctl.conf" /etc/sysctl.conf
echo "$UNTOUCHED" > /proc/sys/net/ipv4/tcp_fastopen
"$@" > /dev/null 2>&1 || true
cat /proc/sys/net/ipv4/tcp_fastopen
"""

# Files by path; a text that starts with "-> " is a link.
CASES = {
    "nothing": {},
    "one file": {"/etc/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 3"},
    "later name wins": {
        "/usr/lib/sysctl.d/99-z.conf": "net.ipv4.tcp_fastopen = 1027",
        "/etc/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 3",
    },
    "same name masks": {
        "/usr/lib/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 3",
        "/run/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 2",
        "/etc/sysctl.d/50-a.conf": "net.core.somaxconn = 4096",
    },
    "run masks local": {
        "/usr/local/lib/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 3",
        "/run/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 2",
    },
    "masked by /dev/null": {
        "/usr/lib/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/50-a.conf": "-> /dev/null",
    },
    "masked by an empty file": {
        "/usr/lib/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/50-a.conf": "",
    },
    "broken link": {
        "/usr/lib/sysctl.d/50-a.conf": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/50-a.conf": "-> /nowhere/at/all",
    },
    "other suffix and hidden": {
        "/etc/sysctl.d/50-a": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/50-b.conf.bak": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/.50-c.conf": "net.ipv4.tcp_fastopen = 3",
    },
    "sysctl.conf behind a link": {
        "/etc/sysctl.conf": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf",
        "/etc/sysctl.d/98-a.conf": "net.ipv4.tcp_fastopen = 1",
    },
    "sysctl.conf alone": {"/etc/sysctl.conf": "net.ipv4.tcp_fastopen = 3"},
    "sysctl.conf against a late file": {
        "/etc/sysctl.conf": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/99-tfo.conf": "net.ipv4.tcp_fastopen = 1",
    },
    "last line wins": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen=3\nnet.ipv4.tcp_fastopen=1"},
    "slashes": {"/etc/sysctl.d/a.conf": "net/ipv4/tcp_fastopen = 3"},
    "dots, then slashes": {"/etc/sysctl.d/a.conf": "net.ipv4/tcp_fastopen = 3"},
    "dash before the key": {"/etc/sysctl.d/a.conf": "-net.ipv4.tcp_fastopen = 3"},
    "glob": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fast*n = 3"},
    "glob loses against an earlier key": {
        "/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 3",
        "/etc/sysctl.d/b.conf": "net.ipv4.tcp_fastope? = 1",
    },
    "later glob wins": {
        "/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastope? = 3",
        "/etc/sysctl.d/b.conf": "net.ipv4.tcp_[f]astopen = 1",
    },
    "glob does not cross a slash": {"/etc/sysctl.d/a.conf": "net.*tcp_fastopen = 3"},
    "glob over a folder": {"/etc/sysctl.d/a.conf": "net.*.tcp_fastopen = 3"},
    "excluded from a glob": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastope? = 3\n-net.ipv4.tcp_fastopen"},
    "comments": {"/etc/sysctl.d/a.conf": "# net.ipv4.tcp_fastopen = 3\n; net.ipv4.tcp_fastopen = 1\n  # x = 1"},
    "text after the number": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 3 # on"},
    "hexadecimal": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 0x403"},
    "octal": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 02003"},
    "negative": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = -1"},
    "line without equals": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen 3"},
    "blanks and tabs": {"/etc/sysctl.d/a.conf": "\t net.ipv4.tcp_fastopen\t=\t 3\t \n\n"},
    "carriage returns": {"/etc/sysctl.d/a.conf": "x = 1\r\nnet.ipv4.tcp_fastopen = 3\r"},
    "Latin-1 in a comment": {"/etc/sysctl.d/a.conf": "# caf\udce9\nnet.ipv4.tcp_fastopen = 3"},
    "no-break space before the number": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = \u00a03"},
    "line separator is no line end": {"/etc/sysctl.d/a.conf": "x = 1\u2028net.ipv4.tcp_fastopen = 3"},
    "file separator is no line end": {"/etc/sysctl.d/a.conf": "x = 1\x1cnet.ipv4.tcp_fastopen = 3"},
    "next line is no line end": {"/etc/sysctl.d/a.conf": "# x\u0085net.ipv4.tcp_fastopen = 3"},
    "digits of another script": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = \u0663"},
    "twenty characters": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 00000000000000000003"},
    "too many characters": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 000000000000000000003"},
    "negated with a caret": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastope[^m] = 3"},
    "character class": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastope[[:alpha:]] = 3"},
    "range the wrong way round": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastope[o-m] = 3"},
    "backslash in a glob": {"/etc/sysctl.d/a.conf": "net/ipv4/tcp\\_fastope? = 3"},
    "names as bytes": {
        "/etc/sysctl.d/\uff01.conf": "net.ipv4.tcp_fastopen = 1",
        "/etc/sysctl.d/\udcff.conf": "net.ipv4.tcp_fastopen = 3",
    },
}

# What only systemd-sysctl defines, or where procps differs from it.
SYSTEMD_ONLY = {
    "carriage return alone": {"/etc/sysctl.d/a.conf": "x = 1\rnet.ipv4.tcp_fastopen = 3"},
    "NUL": {"/etc/sysctl.d/a.conf": "x = 1\0net.ipv4.tcp_fastopen = 3\0"},
    "vertical tab behind the number": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 3\x0b"},
    "vertical tab before the number": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = \x0b3"},
    "vertical tab before the key": {"/etc/sysctl.d/a.conf": "\x0bnet.ipv4.tcp_fastopen = 3"},
    "0xa0 before the number": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = \udca03"},
    "byte order mark": {"/etc/sysctl.d/a.conf": "\ufeffnet.ipv4.tcp_fastopen = 3"},
    "two dashes": {"/etc/sysctl.d/a.conf": "--net.ipv4.tcp_fastopen = 3"},
    "dash and a blank": {"/etc/sysctl.d/a.conf": "- net.ipv4.tcp_fastopen = 3"},
    "slash in front": {"/etc/sysctl.d/a.conf": "/net/ipv4/tcp_fastopen = 3"},
    "more separators than needed": {"/etc/sysctl.d/a.conf": "net//ipv4/./tcp_fastopen/ = 3"},
    "braces": {"/etc/sysctl.d/a.conf": "net.ipv4.{tcp_fast,x{1,2}}ope? = 3"},
    "braces without a wildcard": {"/etc/sysctl.d/a.conf": "net.ipv4.{tcp_fastopen,x} = 3"},
    "two dashes exclude nothing": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastope? = 3\n--net.ipv4.tcp_fastopen"},
    "excluded after being set": {"/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastopen = 3\n-net.ipv4.tcp_fastopen"},
    "repeated glob keeps its place": {
        "/etc/sysctl.d/a.conf": "net.ipv4.tcp_fastope? = 3",
        "/etc/sysctl.d/b.conf": "net.ipv4.tcp_[f]astopen = 1",
        "/etc/sysctl.d/c.conf": "net.ipv4.tcp_fastope? = 3",
    },
}


def write(root: pathlib.Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            file.symlink_to(text[3:])
        else:
            file.write_bytes(f"{text}\n".encode("utf-8", "surrogateescape") if text else b"")


def kernel_value(root: pathlib.Path, *program: str) -> int:
    environment = {**os.environ, "CASE": str(root), "UNTOUCHED": str(UNTOUCHED)}
    command = ["unshare", "-n", "-m", "sh", "-c", SCRIPT, "sh", *program]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def predicted(root: pathlib.Path) -> int:
    value = _sysctl_files.boot_value(KEY, str(root)).value
    try:
        return UNTOUCHED if value is None else _tfo_bits.parse(value)
    except ValueError:
        return UNTOUCHED  # the kernel refuses it


@pytest.mark.parametrize("files", {**CASES, **SYSTEMD_ONLY}.values(), ids={**CASES, **SYSTEMD_ONLY}.keys())
def test_like_systemd(tmp_path: pathlib.Path, files: dict[str, str]) -> None:
    write(tmp_path, {**files, "/usr/lib/systemd/systemd-sysctl": "there"})
    assert predicted(tmp_path) == kernel_value(tmp_path, "/lib/systemd/systemd-sysctl")


@pytest.mark.parametrize("files", CASES.values(), ids=CASES.keys())
def test_like_procps(tmp_path: pathlib.Path, files: dict[str, str]) -> None:
    write(tmp_path, files)
    program = shutil.which("sysctl", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert program is not None, "apt-get install procps"
    assert predicted(tmp_path) == kernel_value(tmp_path, program, "--system")
