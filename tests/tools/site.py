# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `site`: the pages of docs/ with the reference of every module and role as one site; a warning is a failure.

Pages are Markdown that reads the same in the repository. Links between them, and to their headings, are checked by Sphinx.
The site is left below the cache, in site/.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from _copies import copy_tracked, run, scratch_directory
from with_tools import cache_directory

REFERENCE = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]


def gather(collection: Path, pages: Path) -> None:
    """What Sphinx reads: docs/ as it is, with its configuration beside, and room for the reference."""
    shutil.copytree(collection / "docs", pages, ignore=shutil.ignore_patterns("site"))
    shutil.copy(collection / "docs" / "site" / "conf.py", pages)
    (pages / "reference").mkdir(mode=0o700)  # antsibull-docs writes into nothing that others may write to


def main() -> None:
    """Gather, describe, build."""
    target = cache_directory() / "site"
    with scratch_directory("site") as scratch:
        source, pages, built = (scratch / name for name in ("source", "pages", "built"))
        gather(copy_tracked(source), pages)
        try:
            run([*REFERENCE, "--dest-dir", str(pages / "reference"), "fastopen.shadowsocks"], scratch, source)
            run(["sphinx-build", "-q", "-W", "--keep-going", "-b", "html", str(pages), str(built)], scratch)
        except subprocess.CalledProcessError as failed:
            sys.exit(f"site: failed with exit status {failed.returncode}: {' '.join(failed.cmd)}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(built, target)
    print(f"site: {target / 'index.html'}")


if __name__ == "__main__":
    main()
