# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that inventories, playbooks and scripts of users rely on.

One of these goes only with a changelog entry and with its old spelling still working.
"""

from __future__ import annotations

from typing import Any

import pytest
from _collection import MODULES, PLAYBOOKS, ROLES, ROOT, entry_points

ROLE_VARIABLES = {
    "tcp_fastopen": [
        "tcp_fastopen_accept",
        "tcp_fastopen_all_listeners",
        "tcp_fastopen_blackhole_timeout_seconds",
        "tcp_fastopen_key",
        "tcp_fastopen_max_syn_backlog",
        "tcp_fastopen_send",
        "tcp_fastopen_syncookies",
        "tcp_fastopen_sysctl_file",
    ],
    "shadowsocks": [
        "shadowsocks_archive_checksum",
        "shadowsocks_archive_url",
        "shadowsocks_implementation",
        "shadowsocks_install",
        "shadowsocks_package",
        "shadowsocks_version",
    ],
    "ss_server": [
        "ss_server_allow_insecure_methods",
        "ss_server_fast_open",
        "ss_server_fast_open_mode",
        "ss_server_instances",
        "ss_server_limit_nofile",
        "ss_server_prune",
        "ss_server_state",
    ],
    "tfo_guard": [
        "tfo_guard_interval_seconds",
        "tfo_guard_return",
        "tfo_guard_hold_seconds",
        "tfo_guard_state",
        "tfo_guard_textfile_directory",
        "tfo_guard_undo",
    ],
    "ss_client": [
        "ss_client_fast_open",
        "ss_client_instances",
        "ss_client_limit_nofile",
        "ss_client_prune",
        "ss_client_state",
    ],
}
PLAYBOOK_VARIABLES = {
    "rollout": [
        "rollout_accept_unmanaged",
        "rollout_bake_seconds",
        "rollout_client_waves",
        "rollout_confidence",
        "rollout_max_error_share",
        "rollout_max_reverted_share",
        "rollout_max_slowdown_ms",
        "rollout_max_unreachable_share",
        "rollout_network_label",
        "rollout_notify_url",
        "rollout_textfile_directory",
        "rollout_probe_requests",
        "rollout_probe_url",
        "rollout_report_dir",
        "rollout_retry",
        "rollout_revert",
        "rollout_server_batches",
        "rollout_take_over",
    ],
    "rollback": ["rollback_lift", "rollback_scope", "rollback_yield"],
    "audit": ["audit_strict"],
    "capture": ["capture_seconds"],
    "status": ["status_journal", "status_watch"],
    "discover": ["discover_dir", "discover_overwrite"],
    "report": ["report_journal", "report_page"],
}
# Keys of a module's result; a dotted name is a key of that mapping, or of each entry of that list.
MODULE_RESULTS = {
    "tfo_probe": [
        "fastopen.blackhole_timeout_seconds",
        "fastopen.boot.agrees",
        "fastopen.boot.file",
        "fastopen.boot.value",
        "fastopen.counters",
        "fastopen.kernel_release",
        "fastopen.key",
        "fastopen.loopback.ipv4",
        "fastopen.loopback.ipv6",
        "fastopen.max_syn_backlog",
        "fastopen.problems.code",
        "fastopen.problems.message",
        "fastopen.problems.remedy",
        "fastopen.somaxconn",
        "fastopen.syncookies",
        "fastopen.sysctl.accept",
        "fastopen.sysctl.accept_without_cookie",
        "fastopen.sysctl.all_listeners",
        "fastopen.sysctl.send",
        "fastopen.sysctl.send_without_cookie",
        "fastopen.sysctl.value",
    ],
    "tfo_sysctl": ["after", "before", "snapshot"],
    "tfo_path": [
        "paths.attempts",
        "paths.extra_ms",
        "paths.fast_open_ms",
        "paths.host",
        "paths.plain_ms",
        "paths.port",
        "paths.verdict",
    ],
    "tfo_tunnel": [
        "counters",
        "fast_open.failed",
        "fast_open.ok",
        "fast_open.ttfb_ms",
        "plain.failed",
        "plain.ok",
        "plain.ttfb_ms",
        "saved_ms",
    ],
    "tfo_verdict": ["coverage.detectable_share", "coverage.networks", "hosts", "reasons", "verdict"],
}


@pytest.mark.parametrize("role", ROLE_VARIABLES)
def test_role_has_its_variables(role: str) -> None:
    assert role in ROLES, f"roles/{role} is missing"
    missing = sorted(set(ROLE_VARIABLES[role]) - set(entry_points(role).get("main", {}).get("options", {})))
    assert not missing, f"roles/{role}/meta/argument_specs.yml lacks {missing}"


@pytest.mark.parametrize("playbook", ["deploy", *PLAYBOOK_VARIABLES])
def test_playbook_reads_its_variables(playbook: str) -> None:
    assert playbook in PLAYBOOKS, f"playbooks/{playbook}.yml is missing"
    read = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("playbooks", "roles", "plugins")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yml", ".j2")
    )
    missing = [name for name in PLAYBOOK_VARIABLES.get(playbook, []) if name not in read]
    assert not missing, f"nothing reads {missing}"


@pytest.mark.parametrize("module", MODULE_RESULTS)
def test_module_documents_its_results(module: str, documentation: dict[str, Any]) -> None:
    assert module in MODULES, f"plugins/modules/{module}.py is missing"
    undocumented = []
    for dotted in MODULE_RESULTS[module]:
        level = documentation["return"]
        for key in dotted.split("."):
            level = (level or {}).get(key, {})
            if not level:
                undocumented.append(dotted)
                break
            level = level.get("contains")
    assert not undocumented, f"RETURN of plugins/modules/{module}.py lacks {undocumented}"
