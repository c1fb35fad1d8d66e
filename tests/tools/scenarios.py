# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `molecule`: the scenarios on new machines, with the installed artifact in place of the checkout.

Molecule succeeds where a playbook of the sequence is missing, where a play met no host, and where a step was not run.
This program reads along and fails then. Molecule ends with the first scenario that fails; this program goes on with
the others, so that one run tells of all failures.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

from _copies import install_artifact, outside, scratch_directory
from _output import follow
from with_tools import CHECKOUT

# A line in quotes is what the verifying tests printed of playbooks that they ran themselves.
FALSE_GREEN = re.compile(
    r"(?!\s+[\"']).*(missing=[1-9]|Missing playbook|no hosts matched"
    r"|Could not match supplied host pattern|provided hosts list is empty)"
)
# Plays of a rollout in which nobody is left to be stepped.
WAVES = ("Servers, in batches", "Canary clients", "Remaining clients, in waves")
FAILED = re.compile(r"(\w+) ➜ \w+: Executed: Failed")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="use the machines as they are, and leave them running")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="only these (without: all of them)")
    return parser.parse_args()


def test(names: list[str], options: list[str], environment: dict[str, str]) -> tuple[list[str], list[str]]:
    """Run Molecule over these scenarios; return those that failed, `default` among them, and all lines."""
    command = ["molecule", "test", "--no-command-borders", "--report", *options]
    status, lines = follow([*command, *(f"--scenario-name={name}" for name in names)], environment)
    if status == 0:
        return [], lines
    failed = next((found[1] for found in map(FAILED.search, reversed(lines)) if found), "default")
    if failed not in names:
        return [failed], lines
    later = names[names.index(failed) + 1 :]
    others, more = test(later, options, environment) if later else ([], [])
    return [failed, *others], lines + more


def left_out(lines: list[str]) -> list[str]:
    """The lines that tell of something that was not run; that a wave has no host left is no such thing."""
    found, play = [], ""
    for line in lines:
        if "PLAY [" in line:
            play = line.partition("PLAY [")[2].partition("]")[0]
        if FALSE_GREEN.match(line) and not ("no hosts matched" in line and play in WAVES):
            found.append(line)
    return found


def main() -> int:
    """Run Molecule over the scenarios; the exit status is 0 when nothing failed and nothing was left out."""
    arguments = parse_arguments()
    if not arguments.keep:
        subprocess.run([str(CHECKOUT / "tests" / "fleet" / "fleet"), "down"], check=True)
    known = sorted(path.parent.name for path in CHECKOUT.glob("molecule/*/molecule.yml"))
    names = sorted(arguments.scenarios) or [name for name in known if name != "default"]
    with scratch_directory("molecule") as scratch:
        _tarball, installed = install_artifact(scratch)
        state = scratch / "state"
        state.mkdir()
        environment = outside(installed, MOLECULE_EPHEMERAL_DIRECTORY=str(state))
        failed, lines = test(names, ["--destroy=never"] if arguments.keep else [], environment)
    # What a scenario that fails has left out is said by its failure.
    empty = [] if failed else sorted(set(left_out(lines)))
    for line in empty:
        print(f"molecule: passes without having tested anything: {line}", file=sys.stderr)
    for name in failed:
        print(f"molecule: scenario {name} fails", file=sys.stderr)
    return 1 if failed or empty else 0


if __name__ == "__main__":
    sys.exit(main())
