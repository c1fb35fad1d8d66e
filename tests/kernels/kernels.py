# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot Debian's kernels one after the other, each with its own release's Python, and compare what TCP Fast Open does.

    kernels.py [--record] [NAME …]   # names as in RELEASES; --record: renew the samples that unit tests read

It needs no KVM, and root only to install what is missing. What was made stays in the cache; a kernel that cannot be had
is named and passed over. The exit status is 1 where none ran, or one was not as expected or did not get to its end.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("tools", "fleet")]

import _boot  # noqa: E402  (found by the line before, as those below)
import _expected  # noqa: E402
import _image  # noqa: E402
import _packages  # noqa: E402
import _samples  # noqa: E402
import _table  # noqa: E402
from _machine import FleetError, require  # noqa: E402

RELEASES = {
    "5.10": ("bullseye", "bullseye-security"),
    "6.1": ("bookworm", "bookworm-security"),
    "6.12": ("trixie", "trixie-security"),
    "newest": ("sid", "trixie-backports"),
}
"""By name: the suites, of which the highest version of everything is taken."""
PACKAGES = {"qemu-system-x86": "qemu-system-x86_64", "kmod": "depmod", "debian-archive-keyring": _packages.KEYRING}


def look(name: str) -> dict | None:
    """All sections that the kernel named so told, None where it cannot be had."""
    begin = time.monotonic()
    try:
        image = _image.image(name, RELEASES[name])
    except _packages.Unavailable as error:
        print(f"{name}: skipped, {error}", flush=True)
        return None
    seen: dict = {}

    def line(text: str) -> None:
        word, _blank, told = text.partition(" ")
        if word == "SEEN":
            seen.update(json.loads(told))
            print(f"{name}: {time.monotonic() - begin:4.0f} s  {next(iter(json.loads(told)))}", flush=True)
        elif text.strip():
            print(f"{name}: {text}", flush=True)

    with _image.initramfs(image.system) as initramfs:
        _boot.boot(image.kernel, initramfs, line)
    return seen


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="renew tests/unit's samples")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RELEASES)}; all by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(RELEASES):
        parser.error(f"no such kernel: {', '.join(sorted(unknown))}")
    try:
        require(PACKAGES)
    except FleetError as error:
        print(f"kernels: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(1))  # qemu is ended as by Ctrl-C
    looks = {name: seen for name in arguments.names or RELEASES if (seen := look(name)) is not None}
    for name, seen in looks.items():
        (_image.CACHE / f"{name}.json").write_text(json.dumps(seen))
    problems = {name: _expected.problems(seen) for name, seen in looks.items()}
    whole = {name: seen for name, seen in looks.items() if "end" in seen}
    if arguments.record:
        for seen in whole.values():
            _samples.write(seen)
    print(_table.rendered(whole))
    for name, found in problems.items():
        for problem in found:
            print(f"{name}: {problem}")
    failed = sum(bool(found) for found in problems.values())
    print(f"{len(looks) - failed} passed, {failed} failed, {len(arguments.names or RELEASES) - len(looks)} skipped")
    return 1 if failed or not looks else 0


if __name__ == "__main__":
    sys.exit(main())
