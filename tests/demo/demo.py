# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: start the embedded fleet, roll TCP Fast Open out over it, and show what each client gained.

IMPLEMENTATION=rust has all hosts run shadowsocks-rust; mixed has each kind of client use each kind of server.

With --box KIND the remaining clients are enabled first, then client c3's network starts to misbehave while they bake, so
that the rollout takes it back by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import _record
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.append(str(CHECKOUT / "tests" / "fleet"))
sys.path.append(str(CHECKOUT / "tests" / "fleet" / "roles" / "router"))
from boxes import KINDS  # noqa: E402  (the fleet's modules are no package)
from first_byte import CLIENTS, FLEET, PAIRS, Figures, measure, table  # noqa: E402  (likewise)

INVENTORY = CHECKOUT / "tests" / "fleet" / "inventory"
NUMBER = os.environ.get("FASTOPEN_FLEET") or ""
IMPLEMENTATION = os.environ.get("IMPLEMENTATION") or "libev"
PROGRAMS = {"libev": "ss-local", "rust": "sslocal"}
BOXED = "c3"
CANARY = "c1"
BAKE_SECONDS = 15


def cache() -> Path:
    """The folder that the fleet keeps its things in."""
    configured = os.environ.get("FASTOPEN_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "fastopen.shadowsocks"


def play(name: str, folder: Path | None = None, **variables: object) -> int:
    """Run a playbook of the collection over the fleet, with its output on the terminal, and kept in ``folder``."""
    command = ["ansible-playbook", f"--inventory={INVENTORY}", f"fastopen.shadowsocks.{name}"]
    command += ["--extra-vars", json.dumps(variables)] if variables else []
    settings = {
        "ANSIBLE_STDOUT_CALLBACK": "fastopen.shadowsocks.rollout",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_FORKS": "10",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": f"~/.ansible/cp{NUMBER}",  # hosts of every fleet have the same addresses
    }
    typed = f"$ {' '.join(command)}"
    print(f"\n{typed}", flush=True)
    command = [*FLEET, "inside", *command]
    if not folder:
        return subprocess.run(command, env={**os.environ, **settings}, check=False).returncode
    return _record.run(command, {**os.environ, **settings}, folder)


def running(client: str) -> str:
    """The arguments of all processes of a client, one a line."""
    command = [*FLEET, "exec", client, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def stage_of_fleet() -> str:
    """`send` where a client runs with --fast-open, `plain` where all run without; `other` where one runs another program
    with it, otherwise `none`."""
    seen = {client: running(client) for client in CLIENTS}
    sends = any("--fast-open" in text for text in seen.values())
    marks = {client: f"/{PROGRAMS[PAIRS[IMPLEMENTATION][client][0]]}\n-c\n/etc/shadowsocks/" for client in CLIENTS}
    if all(marks[client] in text for client, text in seen.items()):
        return "send" if sends else "plain"
    return "other" if sends else "none"


def box_when_enabled(kind: str, started: float) -> None:
    """Wait until the journal of this run says that the last wave was enabled, then let the network misbehave."""
    while True:
        for path in (cache() / f"reports{NUMBER}").glob("rollout-*.jsonl"):
            if path.stat().st_mtime < started:
                continue
            events = _journal.read(str(path)).events
            if any(event["step"] == "wave" and event.get("what") == "stepped" for event in events):
                print(f"\n  >>> the path of {BOXED} turns bad: {kind}\n", flush=True)
                subprocess.run([*FLEET, "box", BOXED, *kind.split()], check=True)
                return
        time.sleep(0.2)


def last_words(before: Figures, after: Figures) -> str:
    """What was saved, where the report is, and what to try next."""
    saved = statistics.median(plain - after[client][0] for client, (plain, _trip) in before.items())
    trip = statistics.median(trip for _plain, trip in after.values())
    pages = sorted((cache() / f"reports{NUMBER}").glob("rollout-*.html"))
    kinds = ", ".join(name for name, kind in KINDS.items() if not kind.argument)
    return "\n".join(
        [
            f"Saved: {saved:.0f} ms of each first byte, where a round trip takes {trip:.0f} ms.",
            *(f"Report: {page}" for page in pages[-1:]),
            f"Next: make demo BOX=drop-data, a network that turns bad (or BOX={kinds}); make demo IMPLEMENTATION=rust;",
            f"      tests/fleet/fleet exec {CANARY} /usr/local/lib/fastopen/fastopen status; make demo-down",
        ]
    )


def main() -> int:
    """The demo; the exit status is 0 when the fleet ended as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--box", metavar="KIND", help="what c3's network starts to do, see `tests/fleet/fleet box --help`"
    )
    parser.add_argument(
        "--record", metavar="FOLDER", type=Path, help="keep output and journal, as tests/report has them"
    )
    arguments = parser.parse_args()
    box = arguments.box
    if IMPLEMENTATION not in PAIRS:
        sys.exit(f"IMPLEMENTATION is one of {', '.join(PAIRS)}, not {IMPLEMENTATION}")
    subprocess.run([*FLEET, "up"], check=True)
    # an unknown kind is refused now, not in the middle of a rollout
    for kind in [box, "off"] if box else ["off"]:
        if subprocess.run([*FLEET, "box", BOXED, *kind.split()], check=False).returncode != 0:
            return 2
    kept = cache() / f"demo-{IMPLEMENTATION}{NUMBER}.json"
    stage = stage_of_fleet()
    if stage == "other" or (stage == "send" and (box or not kept.exists())):
        play("rollback", rollback_scope="all")
        stage = stage_of_fleet()
    if stage != "send":
        if play("deploy") != 0:
            return 1
        kept.write_text(json.dumps(measure()), encoding="utf-8")
    before = {client: (figures[0], figures[1]) for client, figures in json.loads(kept.read_text("utf-8")).items()}
    if not box:
        status, after = play("rollout", arguments.record), measure()
        print("", *table(IMPLEMENTATION, before, after), "", last_words(before, after), sep="\n")
        return status
    watcher = threading.Thread(target=box_when_enabled, args=(box, time.time()), daemon=True)
    watcher.start()
    status = play("rollout", arguments.record, rollout_client_waves=["100%"], rollout_bake_seconds=BAKE_SECONDS)
    print("", *table(IMPLEMENTATION, before, measure()), sep="\n")
    subprocess.run([*FLEET, "box", BOXED, "off"], check=True, stdout=subprocess.DEVNULL)
    if status == 0:
        print(f"\nThe rollout went through in spite of the box {box!r}.")
        return 1 if watcher.is_alive() else 0
    if watcher.is_alive() or "--fast-open" in running(BOXED) or "--fast-open" not in running(CANARY):
        print(f"\nThe rollout ended otherwise than by taking {BOXED} back: see above.")
        return 1
    print(f"\n{BOXED} went back to plain TCP by itself, as it should; {CANARY}, the canary, keeps TFO.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
