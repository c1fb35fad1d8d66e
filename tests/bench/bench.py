# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What deploying, rolling out, running again and auditing cost on 24 hosts over ssh, in multiples of a ping play.

One round: a fresh fleet; plain Shadowsocks deployed; a rollout from there, and again; an audit; a deployment again; all
of it rolled back; from there the same state by a play of stock modules, and again. A ping play runs before each, and
the figures of a round are divided by the median of its own pings: what else the machine does slows both. Wall time is
as it passes; CPU is the controller's, of ansible-playbook and every process that it waited for. At the end, or with
--pairings alone, the first byte of each kind of client with each kind of server, see _pairings.py.

With --scale or --measured, instead of that, how a rollout's cost grows up to 100 hosts, see _scale.py; with
--adopting what requests lose when a service that runs already is adopted, see _adopting.py.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

import _adopting
import _pairings
import _scale
from _plays import Bench, fleet
from _steps import BY_STOCK, DEPLOY, PING, ROLLBACK, ROLLED_OUT, STATE, Round, Step, table


def run_round() -> Round:
    """What each step cost on a fresh fleet, and the pings meanwhile."""
    with fleet("bench") as (hosts, url, scratch):
        bench = Bench(scratch, hosts, len(hosts), url)
        costs, pings = {}, []

        def measure(*steps: Step) -> None:
            for step in steps:
                pings.append(bench.play(PING))
                costs[step.label] = bench.measure(step)

        bench.play(PING)  # opens the connections
        measure(DEPLOY, *ROLLED_OUT)
        bench.play(STATE)
        measure(ROLLBACK, *BY_STOCK)
        bench.play(STATE)
        return costs, pings


def run_rounds(count: int) -> None:
    """Run the rounds, and print the table of all so far after each."""
    rounds = []
    for number in range(count):
        before = os.getloadavg()[0]
        rounds.append(run_round())
        load = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
        print(f" round {number + 1} of {count}, {load}", flush=True)
        print("\n".join(table(rounds)), flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default: 3)")
    parser.add_argument("--scale", action="store_true", help="100 hosts against 25, and taking back 40 against 10")
    parser.add_argument("--measured", action="store_true", help="a rollout of 40 clients that measures each of them")
    parser.add_argument("--adopting", action="store_true", help="what requests lose when a running service is adopted")
    parser.add_argument("--pairings", action="store_true", help="the first byte of each kind of client and server")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))  # by way of `finally`
    settings = "pipelining, warm ssh connections, no facts; hosts and controller share this machine"
    print(f"{os.cpu_count()} cores, {settings}", flush=True)
    if arguments.adopting:
        _adopting.run()
    elif arguments.scale or arguments.measured:
        for line in _scale.run(arguments.scale, arguments.measured):
            print(line, flush=True)
    else:
        if not arguments.pairings:
            run_rounds(arguments.rounds)
        for line in _pairings.run():
            print(line, flush=True)


if __name__ == "__main__":
    main()
