# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call that was killed left half written is gone after the next one."""

from __future__ import annotations

import contextlib
import glob
import os
import re

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _switch
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _folders
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _drop_in, _record

_HALF = re.compile(r"\..+\.fastopen-new")
"""What _files.write makes beside the file before it renames it (tempfile.mkstemp)."""


def tidy(sysctl_file: str = _switch.FILE) -> None:
    """Remove it. The caller holds the host's lock, so nobody is writing there."""
    drop_ins = [path for top in (_drop_in.STEPPED, _drop_in.CONFIRMED) for path in glob.glob(f"{top}/*.service.d")]
    folders = [_record.FOLDER, _record.RUN_FOLDER, os.path.dirname(_record.PROGRAM), os.path.dirname(sysctl_file)]
    for folder in [one for one in [*folders, *drop_ins] if not _folders.refusal(one)]:
        with contextlib.suppress(OSError):
            for name in filter(_HALF.fullmatch, os.listdir(folder)):
                os.unlink(f"{folder}/{name}")
