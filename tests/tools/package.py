# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `package`: what Galaxy and its users would get.

The artifact is built from the tracked files and installed into an empty folder, and Galaxy's own importer takes the tarball
without a warning. With nothing left of it but meta/, playbooks/, plugins/ and roles/, every playbook is found by its full name
and passes the syntax check.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from _copies import COLLECTION, install_artifact, outside, run, scratch_directory

# One host for each group that the playbooks name.
INVENTORY = """\
[shadowsocks_servers]
server
[shadowsocks_clients]
client
[canary]
client
"""
KEPT = {"MANIFEST.json", "FILES.json", "meta", "playbooks", "plugins", "roles"}
# The importer logs "WARNING: …" and "ERROR: …"; what it logs as information has no prefix.
COMPLAINT = re.compile(r"^(WARNING|ERROR|CRITICAL): |^Traceback ", re.MULTILINE)


def strip(installed: Path) -> None:
    """Leave what a collection may rely on, as Ansible's requirements for collections have it."""
    for path in (installed / COLLECTION).iterdir():
        if path.name not in KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def check_playbooks(installed: Path, scratch: Path) -> None:
    """Run the syntax check of every installed playbook by its full name."""
    names = sorted(path.stem for path in (installed / COLLECTION / "playbooks").glob("*.yml"))
    if not names:
        sys.exit("package: the artifact has no playbook: add playbooks/NAME.yml")
    inventory = scratch / "inventory.ini"
    inventory.write_text(INVENTORY, encoding="utf-8")
    for name in names:
        command = ["ansible-playbook", "--syntax-check", "-i", str(inventory), f"fastopen.shadowsocks.{name}"]
        run(command, cwd=scratch, collections_path=installed)


def check_importer(tarball: Path, scratch: Path) -> None:
    """Let galaxy-importer read, document and lint the tarball; one complaint is a failure."""
    variables = outside(GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP=str(scratch / "tmp"), GALAXY_IMPORTER_LOG_LEVEL_MAIN="INFO")
    command = [sys.executable, "-m", "galaxy_importer.main", str(tarball)]
    print("+", " ".join(command), flush=True)
    importer = subprocess.run(
        command, cwd=scratch, check=False, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(importer.stdout, flush=True)
    if importer.returncode != 0:
        sys.exit(f"package: galaxy-importer refused the artifact, exit status {importer.returncode}")
    if COMPLAINT.search(importer.stdout):
        sys.exit("package: galaxy-importer complained: mend every WARNING and ERROR above")


def main() -> None:
    """Build, install, check."""
    with scratch_directory("package") as scratch:
        try:
            tarball, installed = install_artifact(scratch)
            check_importer(tarball, scratch)
            strip(installed)
            check_playbooks(installed, scratch)
        except subprocess.CalledProcessError as failed:
            sys.exit(f"package: failed with exit status {failed.returncode}: {' '.join(failed.cmd)}")


if __name__ == "__main__":
    main()
