# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the next boot would set a sysctl to, and which file decides: sysctl.d(5) and `sysctl --system` worked out.

The kernel's own command line comes before them all.

systemd-sysctl reads only the sysctl.d folders; /etc/sysctl.conf counts where a link in them leads to it (Debian <= 12).
Where systemd-sysctl is not installed, procps reads the same folders, hidden files too, and /etc/sysctl.conf after them.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ascii, _glob

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
_SYSTEMD = ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
_PROCPS_FILE = "/etc/sysctl.conf"
_CONTAINER = "/run/systemd/container"
_ARGUMENT = re.compile(r'(?:[^\s"]|"[^"]*"?)+', re.ASCII)
_MASKS = tuple(f"{top}/systemd/system/systemd-sysctl.service" for top in ("/etc", "/run"))


class BootValue(NamedTuple):
    """The text that the boot writes and the file it comes from, None where none sets the key: then the text is that of the
    kernel's command line, and None where that does not set it either.

    `unreadable` is the last file that could have decided otherwise, had this user been allowed to read it.
    """

    value: str | None
    file: str | None
    unreadable: str | None = None


def boot_value(key: str, root: str = "/", overlay: Mapping[str, str] | None = None) -> BootValue:
    """Return what the boot would set `key` (net.ipv4.tcp_fastopen) to.

    `overlay` gives files, by real path, the text that they are going to have.
    """
    if is_masked(root):
        return BootValue(_by_command_line(normalise(key), root), None)
    overlay = overlay or {}
    path = normalise(key)
    settings: dict[str, tuple[str | None, str]] = {}
    unreadable = None
    for file in _files(root, overlay):
        real = os.path.realpath(_below(root, file))
        try:
            text = overlay[real] if real in overlay else _read(real)
        except PermissionError:
            unreadable = file
            continue
        for pattern, value in assignments(text):
            if pattern == path or (_glob.is_glob(pattern) and _glob.matches(path, pattern)):
                if pattern in settings and settings[pattern][0] != value:
                    del settings[pattern]  # a new value moves to the end of the order, an equal one stays
                settings[pattern] = (value, file)
                unreadable = None
    # An exact key, or its exclusion ("-key", no value), wins over every glob, wherever it stands.
    value, winner = settings[path] if path in settings else next(reversed(settings.values()), (None, ""))
    if value is None:
        return BootValue(_by_command_line(path, root), None, unreadable)
    return BootValue(value, winner, unreadable)


def _by_command_line(path: str, root: str) -> str | None:
    """The text that a parameter like sysctl.net.ipv4.tcp_fastopen=3 sets, before any file does (fs/proc/proc_sysctl.c,
    process_sysctl_arg(); words and quotes as next_arg() in lib/cmdline.c). A container's network namespace is another one.
    """
    found = None
    try:
        arguments = "" if os.path.exists(_below(root, _CONTAINER)) else _ascii.read(_below(root, "/proc/cmdline"))
    except OSError:
        return None
    for argument in _ARGUMENT.findall(arguments):
        name, equals, value = argument.replace('"', "").partition("=")
        if name == "--":  # the rest is for the first process
            break
        if equals and re.match("sysctl[./]", name) and name[7:].replace(".", "/") == path:
            found = _ascii.strip(value)
    return found


def is_masked(root: str = "/") -> bool:
    """Whether no file is applied at boot at all: systemctl mask systemd-sysctl."""
    return any(os.path.realpath(_below(root, unit)) == os.devnull for unit in _MASKS)


def assignments(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield (normalised key or glob, value) per line; the value is None for an exclusion from globs.

    As parse_file() in systemd's src/sysctl/sysctl.c: one dash counts, and only ASCII blanks are blanks.
    """
    for line in map(_ascii.strip, _ascii.systemd_lines(text)):
        key, equals, value = line.partition("=")
        dash = line.startswith("-")
        if line[:1] in ("", "#", ";") or not (equals or dash):
            continue
        yield normalise(_ascii.strip(key[dash:])), _ascii.strip(value) if equals else None


def normalise(key: str) -> str:
    """Return the key as a path below /proc/sys: where its first separator is a dot, dots and slashes change places.

    What names no folder goes, as in sysctl_normalize() of systemd's src/shared/sysctl-util.c: /net//ipv4/./x.
    """
    first = next((character for character in key if character in "./"), "/")
    path = key if first == "/" else key.translate(str.maketrans("./", "/."))
    return "/".join(name for name in path.split("/") if name not in ("", "."))


def is_winner(winner: BootValue, file: str, root: str = "/") -> bool:
    """Tell whether `file` is the one that decides, under whatever name it is reached."""
    return winner.file is not None and os.path.realpath(_below(root, winner.file)) == os.path.realpath(
        _below(root, file)
    )


def _files(root: str, overlay: Mapping[str, str]) -> list[str]:
    """Return the files in the order in which they are read, those masked by a file of the same name left out."""
    systemd = any(os.path.exists(_below(root, program)) for program in _SYSTEMD)
    chosen: dict[str, str] = {}
    for folder in FOLDERS:
        real = os.path.realpath(_below(root, folder))
        names = {os.path.basename(path) for path in overlay if os.path.dirname(path) == real}
        if os.path.isdir(real):
            names.update(os.listdir(real))
        for name in names:
            if name.endswith(".conf") and not (systemd and name.startswith(".")):
                chosen.setdefault(name, os.path.join(folder, name))
    files = [chosen[name] for name in sorted(chosen, key=os.fsencode)]  # strcmp(3)
    return files if systemd else [*files, _PROCPS_FILE]


def _read(path: str) -> str:
    """Return a file's text; a link that leads nowhere or in a circle, a folder and /dev/null are empty."""
    try:
        return _ascii.read(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno == errno.ELOOP:
            return ""
        raise


def _below(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))
