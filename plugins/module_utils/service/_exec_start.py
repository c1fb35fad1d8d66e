# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in that adds TCP Fast Open to a systemd service, and the ExecStart that it repeats.

``systemctl show -p ExecStart`` has specifiers expanded and our own line in it, so the unit's files are read, by the
rules of systemd.syntax(7) and systemd.service(5); tests/testinfra/test_exec_start.py compares them with systemd.
"""

from __future__ import annotations

import functools
import os
import re
import stat
import typing as t
import zlib

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _identify
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service._identify import Unfit

DROP_IN = "zz-fastopen.conf"
FLAG = "--fast-open"
PROGRAMS = ("ss-server", "ss-local", "ss-redir", "ss-tunnel", "ssserver", "sslocal", "ssservice")

_QUOTED = r"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_WORD = re.compile(rf"""(?:[^ \t"'\\]|{_QUOTED})+""")
_PREFIXES = "@-:+!|"
_PLAIN_WORD = re.compile(r"[\w.+-]*", re.ASCII)
_ABOUT = (
    "# TCP Fast Open for this service (fastopen.shadowsocks). The playbook rollback takes this file away, and so does, "
    "on this host alone: /usr/local/lib/fastopen/fastopen off"
)
_OURS = re.compile(rf"\A#.*\n# side=([a-z]+) below=([0-9a-f]{{8}})\n\[Service\]\nExecStart=\nExecStart=(.+) {FLAG}\n\Z")


class Source(t.NamedTuple):
    """One unit file, in the order in which systemd merges them. Bytes that are no UTF-8 are surrogates in ``text``."""

    path: str
    text: str
    mode: int


class Below(t.NamedTuple):
    """What runs without our drop-in.

    ``exec_start`` is the one value in effect, verbatim, its lines joined as systemd joins them, and ``digest`` its
    CRC-32 in hex; ``setter`` is the one of the files ``sources`` that it comes from. ``mode`` is the strictest of the
    sources' modes and 0644. ``executable`` is the program as written, without prefixes and quotes, ``program`` its base
    name. ``own_flag``: somebody else's flag is in the value. ``stale``: systemd has not read the files as they are now,
    or not to the end, and new ones may be missing here; daemon-reload and read again. 252 does not tell of a drop-in
    whose folder is new.
    """

    exec_start: str
    sources: tuple[str, ...]
    setter: str
    mode: int
    program: str
    executable: str
    digest: str
    own_flag: bool
    stale: bool = False


def resolve(sources: t.Sequence[Source], after: t.Sequence[Source] = ()) -> Below:
    """What fragment and drop-ins make of ExecStart; ``after``: drop-ins that are merged after ours. Raises Unfit."""
    values: list[tuple[str, str]] = []
    for source in sources:
        for value in _exec_starts(source):
            values = [*values, (value, source.path)] if value else []
    for source in after:
        if list(_exec_starts(source)):
            raise Unfit(
                f"{source.path} sets ExecStart and comes after {DROP_IN}, which it would undo; rename it to something "
                "that sorts before"
            )
    paths = tuple(source.path for source in (*sources, *after))
    if not values:
        raise Unfit(f"no ExecStart is in effect in {', '.join(paths)}")
    if len(values) > 1:
        where = ", ".join(dict.fromkeys(path for _value, path in values))
        raise Unfit(f"{len(values)} ExecStart lines are in effect ({where}); only a service of one can be changed")
    value, setter = values[0]
    words = _words(value, setter)
    executable = words[0].lstrip(_PREFIXES)
    program = executable.rpartition("/")[2]
    # It is shown only where it is a plain word: quoted or escaped, its arguments may be part of it.
    if "%" in executable or "$" in executable or not _PLAIN_WORD.fullmatch(program):
        raise Unfit(
            f"{setter}: the program is given by a specifier or a variable, or not as a plain word; write its path out"
        )
    if program not in PROGRAMS:
        raise Unfit(
            f"{setter}: ExecStart runs '{program}', which would get the flag, and is not one of {', '.join(PROGRAMS)}; "
            "let it start the program itself, without a shell or another wrapper"
        )
    if program == "ssservice" and not set(words[1 + ("@" in words[0][: -len(executable)]) :][:1]) & {"server", "local"}:
        raise Unfit(
            f"{setter}: ExecStart runs ssservice, which gets the flag as server or local alone, its first argument"
        )
    return Below(
        exec_start=value,
        sources=paths,
        setter=setter,
        mode=functools.reduce(lambda mode, source: mode & source.mode, (*sources, *after), 0o644),
        program=program,
        executable=executable,
        digest=_digest(value),
        # --tcp-fast-open is ssserver's other name; getopt_long(3) takes --fast and the like for --fast-open too.
        own_flag=any(w == "--tcp-fast-open" or (FLAG.startswith(w) and len(w) > 2) for w in words[1:]),
    )


def drop_in(below: Below, side: str) -> str:
    """The text of the drop-in, for a file of mode ``below.mode``; ``side`` is server or client."""
    return f"{_ABOUT}\n# side={side} below={below.digest}\n[Service]\nExecStart=\nExecStart={below.exec_start} {FLAG}\n"


def parse_drop_in(text: str) -> tuple[str, str]:
    """The side and the digest in a drop-in of ours; two empty strings where it is not ours or was edited."""
    found = _OURS.search(text)
    return (found[1], found[2]) if found and _digest(found[3]) == found[2] else ("", "")


def read(unit: str) -> tuple[str, Below]:
    """The unit's real Id (an alias has its own), and what is below our drop-in, there or not. Raises Unfit."""
    text, shown = _identify.show(unit)
    paths = _paths(shown["DropInPaths"])
    names = [os.path.basename(path) for path in paths]
    # Sorted by base name with strcmp over all folders: ours has this place, whether it is loaded yet or not.
    place = sum(os.fsencode(name) < DROP_IN.encode() for name in names)
    before = [shown["FragmentPath"], *paths[:place]]
    behind = [path for path in paths[place:] if os.path.basename(path) != DROP_IN]
    below = resolve([_source(path) for path in before], [_source(path) for path in behind])
    if DROP_IN not in names and not _agrees(below, text):
        raise Unfit(
            f"{shown['Id']}: systemd runs something else than the ExecStart of {below.setter}: systemctl "
            f"daemon-reload; if that does not help, it cannot read a line: systemd-analyze verify {shown['Id']}"
        )
    return shown["Id"], below._replace(stale=shown.get("NeedDaemonReload") == "yes")


def _paths(text: str) -> list[str]:
    """DropInPaths as systemctl writes them: blanks between, quoted with escapes where the path has an odd character."""
    unescape = functools.partial(re.sub, r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]))
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', text, re.ASCII)
    return [plain or unescape(quoted) for quoted, plain in found]


def _source(path: str) -> Source:
    try:
        with open(path, "rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            return Source(path, _ascii.text(stream.read()), mode)
    except OSError as error:
        raise Unfit(f"{path} cannot be read ({error.strerror}); if it is gone: systemctl daemon-reload") from None


def _exec_starts(source: Source) -> t.Iterator[str]:
    """The values of ExecStart= in order; an empty one resets. Raises Unfit where systemd stops reading the file."""
    section = ""
    for line in _logical_lines(source.text):
        if not _ascii.is_utf8(line):
            raise Unfit(f"{source.path} has a line that is not UTF-8, where systemd stops reading it")
        if line.startswith("["):
            if not line.endswith("]"):
                raise Unfit(f"{source.path} has a broken section header, where systemd stops reading it")
            section = line[1:-1]
            continue
        key, equals, value = line.partition("=")
        if section == "Service" and equals and key.rstrip(_ascii.BLANKS) == "ExecStart":
            yield value.lstrip(_ascii.BLANKS)


def _logical_lines(text: str) -> t.Iterator[str]:
    """Stripped lines without comments; a backslash at the end, unless it is escaped itself, joins with a blank."""
    joined, bom = "", "\ufeff"
    for line in [*_ascii.systemd_lines(text), ""]:
        if line.lstrip(_ascii.BLANKS).startswith(("#", ";")):
            continue
        if bom and line.startswith(bom):
            line, bom = line[1:], ""
        joined += line
        if (len(joined) - len(joined.rstrip("\\"))) % 2:
            joined = joined[:-1] + " "
            continue
        yield _ascii.strip(joined)
        joined = ""


def _words(value: str, setter: str) -> list[str]:
    """The words of a command line, quotes off, escapes kept. Raises Unfit where a flag behind it would be lost."""
    words = [found[0] for found in _WORD.finditer(value)]
    if _WORD.sub("", value).strip(" \t"):
        raise Unfit(f"{setter}: ExecStart has unbalanced quotes, or ends with a backslash")
    if ";" in words:
        raise Unfit(f"{setter}: ExecStart has several commands, with ';' between")
    words = [re.sub(_QUOTED, lambda found: found[0] if found[0][0] == "\\" else found[0][1:-1], word) for word in words]
    if "--" in words[1:]:
        raise Unfit(f"{setter}: ExecStart has a bare '--', behind which {FLAG} would be no option")
    return words


def _digest(value: str) -> str:
    """A checksum finds what hands and packages change; hashlib would cost every look of the guard 3.5 MB, for OpenSSL."""
    return f"{zlib.crc32(_ascii.raw(value)):08x}"


def _agrees(below: Below, shown: str) -> bool:
    """Whether systemd has loaded this command line, as far as can be told: specifiers and escapes may be anything."""
    loaded = re.findall(r"^ExecStart=\{ path=.*? ; argv\[\]=(.*?) ; ignore_errors=", shown, re.MULTILINE | re.DOTALL)
    words = _words(below.exec_start, below.setter)
    prefixes = words[0][: len(words[0]) - len(below.executable)]
    argv = words[1:] if "@" in prefixes else [below.executable, *words[1:]]
    parts = re.split(r"%.|\\[0-7]{3}|\\x..|\\u.{4}|\\U.{8}|\\.", " ".join(argv))
    pattern = ".*".join(re.escape(_bare(part)) for part in parts)
    return len(loaded) == 1 and re.fullmatch(pattern, _bare(loaded[0]), re.DOTALL) is not None


def _bare(text: str) -> str:
    """Without what newer releases of systemctl may write in another way."""
    return re.sub(r"[\s\"'\\]", "", text, flags=re.ASCII)
