# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Shadowsocks program's command line says about TCP Fast Open, read as that program reads it.

Three families: shadowsocks-libev (getopt_long(3) in src/server.c, local.c, redir.c, tunnel.c, manager.c of 3.3.5),
shadowsocks-rust (clap in src/service/*.rs) and the Python ones (shadowsocks/shell.py, also of ShadowsocksR).
"""

from __future__ import annotations

import re
import typing as t

LIBEV, RUST, PYTHON = "libev", "rust", "python"

# A letter, and a colon where it takes a value.
_LIBEV = {
    "ss-server": "f:s:p:l:k:t:m:b:c:i:d:a:n:huUv6A",
    "ss-local": "f:s:p:l:k:t:m:i:c:b:a:n:S:huUvV6A",
    "ss-redir": "f:s:p:l:k:t:m:c:b:a:n:huUTv6A",
    "ss-tunnel": "f:s:p:l:k:t:m:i:c:b:L:a:n:S:huUvV6A",
    "ss-manager": "f:s:l:k:t:m:c:i:d:a:n:D:6huUvA",
}
_RUST = {"sslocal": "local", "ssserver": "server", "ssmanager": "manager"}
_RUST_LETTERS = "c:b:s:k:m:n:a:f:uUv6dhV"
_RUST_SWITCHES = frozenset(
    "fast-open tcp-fast-open no-delay tcp-no-delay mptcp tcp-multipath log-without-time daemonize single-threaded".split()
)
"""Its long options that take no value; in its place a word that is no option would end the program."""
_PYTHON_LETTERS = "hd:s:b:p:k:l:m:c:t:vqaO:o:G:g:"
PROGRAMS = frozenset((*_LIBEV, *_RUST, "ssservice"))

_BUFFERS = [f"tcp-{way}-{kind}buf" for way in ("incoming", "outgoing") for kind in ("snd", "rcv")]
_WORDS = {
    LIBEV: {
        **dict.fromkeys(("fast-open", "reuse-port", "no-delay", "mptcp", "help"), False),
        **dict.fromkeys(("acl", "mtu", "plugin", "plugin-opts", "password", "key", "manager-address"), True),
        **dict.fromkeys(("executable", "workdir", "nftables-sets", "config", *_BUFFERS), True),
    },
    PYTHON: {
        **dict.fromkeys(("help", "fast-open", "version", "prefer-ipv6"), False),
        **dict.fromkeys(("pid-file", "log-file", "workers", "forbidden-ip", "user", "manager-address"), True),
    },
}
"""Long options, and whether they take a value; both families take unambiguous beginnings."""

_INTERPRETER = re.compile(r"(?:python|pypy)[0-9.]*")
_INTERPRETER_VALUES = "WXQ"  # python(1): these take a value; -c and -m end the options
_MODULE = re.compile(r"shadowsocks\.(server|local)")
_SCRIPT = re.compile(r"(?:.*/)?(?:(ssserver|sslocal)(?:\.py)?|shadowsocks/(server|local)\.py)", re.DOTALL)


class Command(t.NamedTuple):
    """``role`` is server, manager, or a client's: local, redir, tunnel. ``config`` is what -c names. ``default``: without
    it the program looks for its config itself, under ``names``.

    ``doubt`` is the first option that is not known, behind which nothing is certain. ``script``: a Python program's.
    ``options``: of shadowsocks-libev and shadowsocks-rust every option in order with its value ('' where it takes none), by
    its long name where it is given or libev's only one, else by its letter.
    """

    program: str
    family: str
    role: str
    flag: bool = False
    config: t.Optional[str] = None
    default: bool = False
    names: tuple[str, ...] = ("config.json",)
    doubt: str = ""
    script: str = ""
    options: tuple[tuple[str, str], ...] = ()


class _Options(t.NamedTuple):
    flag: bool = False
    given: tuple[tuple[str, str], ...] = ()
    config: t.Optional[str] = None
    letters: frozenset[str] = frozenset()
    doubt: str = ""


def parse(argv: t.Sequence[str], executable: str = "") -> t.Optional[Command]:
    """What runs, None where it is no Shadowsocks program.

    ``executable`` is the file that runs: argv[0] may be any word (`@` in systemd.service(5), ``exec -a``).
    """
    if not argv:
        return None
    names = [argv[0].rpartition("/")[2], executable.rpartition("/")[2]]
    program = next((name for name in names if name in PROGRAMS), None)
    if program is None:
        return _python(argv[1:]) if any(map(_INTERPRETER.fullmatch, names)) else None
    if program in _LIBEV:
        found = _getopt(argv[1:], LIBEV, _LIBEV[program])
        # Only `if (argc == 1)` does it take its default; ss-manager has none.
        default = len(argv) == 1 and program != "ss-manager"
        return Command(
            program,
            LIBEV,
            program[len("ss-") :],
            found.flag,
            found.config,
            default,
            doubt=found.doubt,
            options=found.given,
        )
    role = _RUST.get(program)
    if role is None:
        role, argv = (argv[1] if len(argv) > 1 else ""), argv[1:]
        if role not in _RUST.values():
            return None
    found = _clap(argv[1:])
    # A server in the arguments stands for the config (ArgGroup SERVER_CONFIG); -s of the manager is something else.
    default = found.config is None and (role == "manager" or "s" not in found.letters)
    names = (f"{role}.json", "config.json")
    program = f"ssservice {role}" if program == "ssservice" else program
    return Command(program, RUST, role, found.flag, found.config, default, names, found.doubt, options=found.given)


def _python(arguments: t.Sequence[str]) -> t.Optional[Command]:
    """What an interpreter runs: a script, or a module (-m)."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        option = rest.pop(0)
        if option.startswith("--"):
            if option == "--check-hash-based-pycs":
                del rest[:1]
            continue
        ends = re.search("[cm]", re.split(f"[{_INTERPRETER_VALUES}]", option)[0])
        if ends:
            name = option[ends.end() :] or (rest.pop(0) if rest else "")
            module = _MODULE.fullmatch(name) if ends[0] == "m" else None
            return _python_command(module[1], rest, "") if module else None
        if option[-1] in _INTERPRETER_VALUES and not re.search(f"[{_INTERPRETER_VALUES}]", option[:-1]):
            del rest[:1]
    found = _SCRIPT.fullmatch(rest[0]) if rest else None
    return _python_command((found[1] or found[2]).replace("ss", "", 1), rest[1:], rest[0]) if found else None


def _python_command(role: str, arguments: t.Sequence[str], script: str) -> Command:
    found = _getopt(arguments, PYTHON, _PYTHON_LETTERS)
    names = ("user-config.json", "config.json")  # the former is ShadowsocksR's
    return Command(
        f"ss{role}", PYTHON, role, found.flag, found.config, found.config is None, names, found.doubt, script=script
    )


def _getopt(arguments: t.Sequence[str], family: str, letters: str) -> _Options:
    """getopt_long(3), which looks behind words that are no options too; Python's getopt stops at the first."""
    found, rest = _Options(), list(arguments)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            known = {option: takes for option, takes in _WORDS[family].items() if option.startswith(name)}
            if "fast-open" in known:
                found = found._replace(flag=True)
                continue
            if name not in known and len(known) != 1:
                return found._replace(doubt=f"--{name}")
            name = name if name in known else min(known)
            if known[name] and not equals:
                value = rest.pop(0) if rest else ""
            found = found._replace(given=(*found.given, (name, value)))
            if name == "config":
                found = found._replace(config=value)
        elif word.startswith("-") and len(word) > 1:
            found = _cluster(found, word[1:], letters, rest)
            if found.doubt:
                return found
        elif family == PYTHON:
            break
    return found


def _clap(arguments: t.Sequence[str]) -> _Options:
    """clap: long options in full, and no value of its own that begins with a dash."""
    found, rest = _Options(), list(arguments)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and rest and name not in _RUST_SWITCHES and not re.match("-.", rest[0]):
                value = rest.pop(0)
            found = found._replace(given=(*found.given, (name, value)))
            if name in ("fast-open", "tcp-fast-open"):
                found = found._replace(flag=True)
            elif name == "config":
                found = found._replace(config=value)
            elif name in ("server-addr", "server-url"):
                found = found._replace(letters=found.letters | {"s"})
        elif word.startswith("-") and len(word) > 1:
            found = _cluster(found, word[1:], _RUST_LETTERS, rest, "=")
            if found.doubt:
                return found
    return found


def _cluster(found: _Options, word: str, letters: str, rest: list[str], equals: str = "") -> _Options:
    """Letters behind one dash: the first that takes a value has the rest of the word, or else the next one."""
    for position, letter in enumerate(word, 1):
        place = -1 if letter == ":" else letters.find(letter)
        if place < 0:
            return found._replace(doubt=f"-{letter}")
        found = found._replace(letters=found.letters | {letter})
        if letters[place + 1 : place + 2] == ":":
            value = word[position:] or (rest.pop(0) if rest else "")
            if equals and word[position:].startswith(equals):
                value = value[1:]
            found = found._replace(given=(*found.given, (letter, value)))
            return found._replace(config=value) if letter == "c" else found
        found = found._replace(given=(*found.given, (letter, "")))
    return found
