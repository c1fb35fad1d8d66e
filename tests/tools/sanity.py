# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `sanity`: every `ansible-test sanity` test over a copy of the tracked files. Arguments go to ansible-test.

ansible-test makes a virtual environment for each of its tests, and starts them with a get-pip.py that it downloads. The
stand-in below, put where it keeps that download, does the same with what is already there: ensurepip, then the wanted pip
from the configured index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from _copies import copy_tracked, outside, scratch_directory
from with_tools import cache_directory

# ansible_test/_internal/python_requirements.py names the pip: 24.2 in ansible-core 2.19, 25.2 from 2.20 on.
GET_PIP_NAMES = ("get_pip_24_2.py", "get_pip_25_2.py")
GET_PIP = '''\
"""Stands in for get-pip.py: `python get_pip.py pip==VERSION [--no-setuptools] [--no-wheel] [pip options]`."""
import subprocess
import sys

arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", *arguments])
'''


def home_directory() -> Path:
    """A home for ansible-test alone, kept for its virtual environments, so that nobody's real one is touched."""
    home = cache_directory() / "ansible-test"
    stand_ins = home / ".ansible" / "test" / "cache"
    stand_ins.mkdir(parents=True, exist_ok=True)
    for name in GET_PIP_NAMES:
        (stand_ins / name).write_text(GET_PIP, encoding="utf-8")
    return home


def link_interpreters(folder: Path) -> None:
    """Link every Python that starts; ansible-test takes a version manager's python3.12 that only prints an error for one."""
    for minor in range(9, 20):
        name = f"python3.{minor}"
        if shutil.which(name) is None:
            continue
        probe = [name, "-c", "import sys; print(sys.executable)"]
        answer = subprocess.run(probe, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if answer.returncode == 0:
            (folder / name).symlink_to(answer.stdout.strip())


def main() -> int:
    """Run the tests; the exit status is that of ansible-test."""
    pip_cache = os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip"))
    tools = Path(sys.executable).parent
    command = ["ansible-test", "sanity", "--local", "--color", "no", *sys.argv[1:]]
    with scratch_directory("sanity") as scratch:
        interpreters = scratch / "interpreters"
        interpreters.mkdir()
        link_interpreters(interpreters)
        path = os.pathsep.join([str(tools), str(interpreters), "/usr/sbin:/usr/bin:/sbin:/bin"])
        variables = outside(HOME=str(home_directory()), PIP_CACHE_DIR=pip_cache, PATH=path)
        return subprocess.run(command, cwd=copy_tracked(scratch), check=False, env=variables).returncode


if __name__ == "__main__":
    sys.exit(main())
