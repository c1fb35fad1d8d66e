# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one of the collection's modules in this process: run_module.py NAME ARGUMENTS (JSON); its answer goes to stdout."""

from __future__ import annotations

import importlib
import json
import sys

from ansible.module_utils.testing import patch_module_args

if __name__ == "__main__":
    name, arguments = sys.argv[1:]
    module = importlib.import_module(f"ansible_collections.fastopen.shadowsocks.plugins.modules.{name}")
    with patch_module_args(json.loads(arguments)):
        module.main()
