# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real shadowsocks-rust starts with what the reader of its configs understands, and listens where that says; what the
reader calls wrong ends it."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _rust, _settings
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _ss_arguments
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _process
from ansible_collections.fastopen.shadowsocks.tests.unit.plugins.module_utils.adopted import test_rust as rules

BUILD = pathlib.Path(__file__).parents[1] / "fleet/rust.py"
ALONE = (
    "ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind && echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind"
    ' && exec "$@"'
)
"""In a namespace of its own, where it may bind any address."""
BEYOND = re.compile(r'plugin|"http"|auth|--user')
"""What needs a plugin, a file, a user, or a build with more features."""
CASES = list({json.dumps(row[:3]): row[:3] for row in [*rules.RULES, *rules.REFUSED]}.values())
SECONDS = 5.0


@pytest.fixture(scope="module")
def programs() -> pathlib.Path:
    """Where the programs are. A machine without Rust cannot build them."""
    done = subprocess.run([sys.executable, BUILD], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        pytest.skip("shadowsocks-rust cannot be built here, see above")
    return pathlib.Path(done.stdout.strip())


@pytest.mark.parametrize(
    ("program", "arguments", "change"), [case for case in CASES if not BEYOND.search(json.dumps(case))]
)
def test_as_the_program_itself(
    programs: pathlib.Path, tmp_path: pathlib.Path, program: str, arguments: str, change: t.Any
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**rules.MINE, **(change or {})}))
    argv = [*f"{programs}/{program}".split(), *arguments.split(), *([] if change is None else ["-c", str(config)])]
    command = _ss_arguments.parse(argv)
    assert command is not None
    try:
        told = _rust.settings(command, lambda _path: config.read_bytes(), rules.VARIABLES.get)
    except _settings.NotUnderstood as error:
        if _settings.START in str(error):
            with started(argv, tmp_path) as process:
                assert process.wait(SECONDS) != 0
        return
    ports = {one.port for one in told.servers} if told.local_port is None else {told.local_port}
    with started(argv, tmp_path) as process:
        deadline = time.monotonic() + SECONDS
        while told.mode != "udp_only" and not all(listens(process, port) for port in ports):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.02)
        assert process.poll() is None


def listens(process: subprocess.Popen[str], port: int) -> bool:
    """In the namespace of this process, which enters it once it is unshare no more."""
    own = os.readlink(f"/proc/{process.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    return own and _process.listening(port, f"/proc/{process.pid}")


@contextlib.contextmanager
def started(argv: list[str], folder: pathlib.Path) -> t.Iterator[subprocess.Popen[str]]:
    """A program without network, and without a config that it could find by itself."""
    process = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", ALONE, "sh", *argv],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **rules.VARIABLES},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
