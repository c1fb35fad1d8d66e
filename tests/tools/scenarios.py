# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `molecule`: the scenarios on new machines, with the installed artifact in place of the checkout.

Molecule succeeds where a playbook of the sequence is missing, where a play met no host, and where a step was not run.
This program reads along and fails then.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

from _copies import install_artifact, outside, scratch_directory
from with_tools import CHECKOUT

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FALSE_GREEN = re.compile(
    r"missing=[1-9]|Missing playbook|no hosts matched|Could not match supplied host pattern|provided hosts list is empty"
)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="use the machines as they are, and leave them running")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="only these (without: all of them)")
    return parser.parse_args()


def follow(command: list[str], environment: dict[str, str]) -> tuple[int, list[str]]:
    """Run a command, pass its output on as it comes, and return the exit status and all its lines, without colours."""
    lines = []
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(COLOURS.sub("", line.rstrip()))
    return process.returncode, lines


def main() -> int:
    """Run Molecule once over the scenarios; the exit status is 0 when nothing failed and nothing was left out."""
    arguments = parse_arguments()
    if not arguments.keep:
        subprocess.run([str(CHECKOUT / "tests" / "fleet" / "fleet"), "down"], check=True)
    command = ["molecule", "test", "--no-command-borders", "--report"]
    command += [f"--scenario-name={name}" for name in arguments.scenarios] or ["--all"]
    command += ["--destroy=never"] if arguments.keep else []
    with scratch_directory("molecule") as scratch:
        _tarball, installed = install_artifact(scratch)
        state = scratch / "state"
        state.mkdir()
        status, lines = follow(command, outside(installed, MOLECULE_EPHEMERAL_DIRECTORY=str(state)))
    empty = sorted({line for line in lines if FALSE_GREEN.search(line)})
    for line in empty:
        print(f"molecule: passes without having tested anything: {line}", file=sys.stderr)
    return status or bool(empty)


if __name__ == "__main__":
    sys.exit(main())
