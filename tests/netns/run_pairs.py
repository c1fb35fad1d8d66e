# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard's paired attempts in this process: run_pairs.py HOST PORT COUNT [PROXY_PORT]; the source and the pairs to stdout."""

from __future__ import annotations

import json
import os
import sys
import time

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard import _attempts, _request
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.guard._evidence import Target

if __name__ == "__main__":
    host, port, count, *proxy = sys.argv[1:]
    client = _request.Client(("127.0.0.1", int(proxy[0])), os.geteuid(), "http://origin.example/") if proxy else None
    target = Target("ss-local@main.service", host, int(port))
    if client:
        _request.data_lost(client, target, 1.5)  # the first one may only fetch the cookie
        time.sleep(0.1)
    source, pairs = _attempts.pairs(target, int(count), client)
    json.dump([source, [pair[1:] for pair in pairs]], sys.stdout)
