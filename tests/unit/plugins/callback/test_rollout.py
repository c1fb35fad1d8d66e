# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people see of a run, as files in ``golden``."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
ROLLOUT = """
- name: Preflight
  hosts: all
  gather_facts: false
  tasks:
    - name: Look
      other: {changed: false}
    - name: Plan
      tfo_plan: {lines: ["Journal: x.json", "c1  off -> send"], details: [all of it]}
      run_once: true
      register: planned
    - name: Say the plan
      ansible.builtin.debug: {msg: "{{ planned.lines }}"}
      run_once: true
- name: Canary
  hosts: all
  gather_facts: false
  ignore_errors: true
  ignore_unreachable: true
  tasks:
    - name: Begin
      tfo_wave: {lines: ["Canary: c1, c2, c3"], details: []}
      run_once: true
    - name: Step
      tfo_stage:
        changed: true
        failed: "{{ inventory_hostname == 'c1' }}"
        unreachable: "{{ inventory_hostname == 'c2' }}"
        msg: |-
          in the way:
          a unit
    - name: Measure
      tfo_stage: {failed: "{{ item == 2 }}", msg: "item {{ item }}"}
      loop: [1, 2]
    - name: Close
      tfo_wave: {lines: ["  verdict   promote"], details: ["    c1: p = 0.01"], warnings: [the journal is full]}
      run_once: true
- name: End of the run
  hosts: all
  gather_facts: false
  tasks:
    - name: Name who is amiss
      ansible.builtin.fail: {msg: "failed: {{ inventory_hostname }} is not proven"}
      when: inventory_hostname != 'c3'
"""
OTHER = """
- name: Servers
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the config
      other: {changed: "{{ inventory_hostname != 'c2' }}"}
      notify: Restart
    - name: Say what stays
      ansible.builtin.debug: {msg: "{{ inventory_hostname }}: main stays"}
      when: inventory_hostname == 'c2'
    - name: Say a value
      ansible.builtin.debug: {var: inventory_hostname}
      when: inventory_hostname == 'c2'
    - name: Say each
      ansible.builtin.debug: {msg: ["{{ item }}", twice]}
      loop: [a]
      when: inventory_hostname == 'c2'
    - name: Say what nobody knows
      ansible.builtin.debug: {msg: "{{ unknown }}"}
      when: inventory_hostname == 'c2'
      ignore_errors: true
    - name: Run a command
      ansible.builtin.command: sh -c 'echo "no such file" >&2; exit 3'
      changed_when: false
      when: inventory_hostname == 'c2'
    - name: Begin every host
      other:
        failed: "{{ item == 'b' }}"
        changed: true
        msg: "no {{ item }}"
      loop: [a, b]
      when: inventory_hostname == 'c3'
  handlers:
    - name: Restart
      other: {changed: true}
- name: Nothing to do here
  hosts: c1
  gather_facts: false
  tasks:
    - name: Be content
      ansible.builtin.assert: {that: 1 == 1}
- name: Nobody to do it for
  hosts: nobody
- name: Check
  hosts: c1
  gather_facts: false
  tasks:
    - name: Hide it
      other: {failed: true, msg: secret}
      no_log: true
      ignore_errors: true
    - name: Rescue it
      block:
        - name: Agree
          ansible.builtin.assert: {that: 1 == 2, fail_msg: "{{ inventory_hostname }}: one is not two"}
      rescue:
        - name: Be lost
          other: {unreachable: true, msg: "no route\\nto host"}
"""
DIFF = """
- name: Config
  hosts: c1, c2
  gather_facts: false
  tasks:
    - name: Write it
      other: {changed: true, diff: {before: "a\\n", after: "b\\n", before_header: x, after_header: x}}
      when: inventory_hostname == 'c1'
    - name: Write them
      other: {changed: "{{ item == 'd' }}", diff: {before: "a\\n", after: "{{ item }}\\n"}}
      loop: [c, d]
      when: inventory_hostname == 'c2'
"""
AUDIT = """
- name: Audit
  hosts: all
  gather_facts: false
  tasks:
    - name: Look
      other: {}
    - name: Show
      tfo_wave: {lines: [c1  send], failed: true, msg: c1 is not as intended}
      run_once: true
"""
BAKE = """
- name: Bake
  hosts: c1
  gather_facts: false
  tasks:
    - name: Step
      tfo_wave: {lines: [stepped], bake_seconds: 2.6}
    - name: Wait
      fastopen.shadowsocks.tfo_bake: {seconds: 2.6}
    - name: Say it
      tfo_wave: {lines: [judged]}
"""
OBEYED = r"""
- name: Escapes
  hosts: c1
  gather_facts: false
  tasks:
    - name: Say it
      tfo_wave: {lines: ["c1: gains 50 ms \u2192 \e]0;title\a\tall\u202e\r well"]}
    - name: Fail
      ansible.builtin.fail: {msg: "\e[2Jfailed\nfor good"}
"""


@pytest.mark.parametrize(
    ("name", "playbook", "arguments"),
    [
        pytest.param("rollout", ROLLOUT, [], id="rollout"),
        pytest.param("rollout_verbose", ROLLOUT, ["-v"], id="rollout -v"),
        pytest.param("other", OTHER, [], id="another playbook"),
        pytest.param("other_verbose", OTHER, ["-v"], id="another playbook -v"),
        pytest.param("diff", DIFF, ["--diff"], id="diff"),
        pytest.param("audit", AUDIT, [], id="lines of a task that fails"),
    ],
)
def test_golden(play, name, playbook, arguments):
    """Every line of it."""
    shown, _warnings = play(playbook, *arguments)
    golden = GOLDEN / f"{name}.txt"
    assert shown == golden.read_text(encoding="utf-8")


def test_plays_of_somebody_else_after_a_rollout(play):
    """A playbook that imports it goes on: what changes there is shown as ever."""
    end = """
- name: End of the run
  hosts: all
  gather_facts: false
  tasks:
    - name: End
      tfo_end: {lines: [End of the run]}
      run_once: true
"""
    shown, _warnings = play(ROLLOUT.partition("- name: End of the run")[0] + end + OTHER)
    alone, _warnings = play(OTHER)
    after = shown.partition("End of the run\n")[2]
    assert after == alone.partition("\nPLAY RECAP")[0]


def test_warnings(play):
    """As always, on stderr."""
    _shown, warnings = play(ROLLOUT)
    assert "[WARNING]: the journal is full" in warnings
    assert "ERROR" not in warnings and "DEPRECATION" not in warnings


def test_very_verbose_is_default(play):
    """Every line; the order of items and results of other hosts is ansible-core's, and varies."""
    shown = {
        callback: play(ROLLOUT, "-vv", callback=callback) for callback in ("default", "fastopen.shadowsocks.rollout")
    }
    as_default, ours = (sorted(text.partition("PLAYBOOK: ")[2].splitlines()) for text, _warnings in shown.values())
    assert as_default and ours == as_default


def test_colours(play):
    """Failures in red, lines in none."""
    shown, _warnings = play(ROLLOUT, ANSIBLE_NOCOLOR="0", ANSIBLE_FORCE_COLOR="1")
    assert "\x1b[0;31mc1: failed: c1 is not proven\x1b[0m\n" in shown
    assert "\nCanary: c1, c2, c3\n  verdict   promote\n" in shown


def test_what_a_terminal_would_obey(play):
    """Hosts have a say in lines and messages, and none over the operator's terminal; its bytes are shown."""
    shown, _warnings = play(OBEYED)
    assert "c1: gains 50 ms \u2192 \\x1b]0;title\\x07\tall\\u202e\\r well\n" in shown
    assert "c1: \\x1b[2Jfailed\n  for good\n" in shown
    assert not set("\x1b\a\r\u202e") & set(shown)


def test_failures_to_stderr(play):
    """Where that is asked for, and where the task stands."""
    shown, told = play(AUDIT, ANSIBLE_DISPLAY_FAILED_STDERR="1", ANSIBLE_SHOW_TASK_PATH_ON_FAILURE="1")
    assert shown == "c1  send\n"
    assert "c1: is not as intended" not in told and "c1: c1 is not as intended\n  task path: " in told


def on_terminal(command: list[str], environment: dict[str, str]) -> str:
    """What a terminal gets from a command."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL):
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # Linux says so that nobody has the other end any more
            pass
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_countdown_on_a_terminal(play):
    """Two seconds of it, then its line is cleared for what follows."""
    environment = {name: value for name, value in play.environment(TERM="xterm").items() if name != "CI"}
    shown = on_terminal(play.command(BAKE), environment)
    seconds = "\r\x1b[K  baking, 2 s left\r\r\x1b[K  baking, 1 s left\r"
    assert shown == f"stepped\n{seconds}\r\x1b[Kjudged\n"


def test_no_countdown_in_a_pipe(play):
    """Not a byte of it."""
    assert play(BAKE, TERM="xterm")[0] == "stepped\njudged\n"


INTERRUPTED = """
- name: Preflight
  hosts: c1
  gather_facts: false
  tasks:
    - name: Plan
      tfo_plan: {lines: [Plan], journal: "%s"}
    - name: Wait
      ansible.builtin.command: sleep 60
"""


@pytest.mark.parametrize("journal", ["/x.jsonl", ""])
def test_run_that_is_interrupted(play, journal):
    """By Ctrl-C: its journal has no end, and the playbook that reads it is named; without a journal nothing is."""
    command = play.command(INTERRUPTED % journal)
    with subprocess.Popen(
        command,
        env=play.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as started:
        assert started.stdout.readline() == "Plan\n"
        time.sleep(1)  # a worker that is killed while it sends keeps ansible-core 2.19 waiting
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does
        shown = started.stdout.read().splitlines()
    status = "How it stands, and what is next: ansible-playbook fastopen.shadowsocks.status"
    assert shown[-1:] == ([f"The run was interrupted. {status}"] if journal else [])


def test_run_that_comes_to_its_end_is_not_called_interrupted(play):
    """Whatever became of its hosts."""
    shown, _warnings = play(INTERRUPTED.replace("sleep 60", "test -e /x.jsonl") % "/x.jsonl")
    assert "interrupted" not in shown and "non-zero return code" in shown


def test_other_callbacks_need_nothing_of_ours(play):
    """They have the same lines in the results."""
    shown, _warnings = play(BAKE, callback="ansible.builtin.minimal")
    assert json.dumps(["judged"]) in " ".join(shown.split()).replace("[ ", "[").replace(" ]", "]")
