# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema: every variable of every role and playbook, with its kind, range and default, and where it is used.

docs/variables.md is made from it, and the roles' argument_specs and defaults are compared with it.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel._transaction import KernelError
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._archive import (
    CHECKSUM,
    ArchiveUrl,
    ByArchitecture,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._lists import Listing, Sizes
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._url import Receiver, Url
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.inventory._values import (
    Boolean,
    Choice,
    Integer,
    Kind,
    Number,
    Path,
    Text,
    Wrong,
)
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.judge._evidence import STEP, UNACCEPTABLE_SHARE

WEEK_SECONDS = 7 * 86_400


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable. ``default`` None: what the host has stays, or nothing is asked for.

    ``run``: it is one decision for a whole run, so all hosts must have the same value; else each host has its own.
    ``about``: what it is, where no role's argument_specs say so.
    """

    name: str
    kind: Kind
    default: t.Any
    run: bool = False
    about: str = ""

    @property
    def secret(self) -> bool:
        """Whether its value must never be shown."""
        return getattr(self.kind, "secret", False)


@dataclasses.dataclass(frozen=True)
class CookieKey:
    """A key of net.ipv4.tcp_fastopen_key, and a backup key."""

    type: str = "str"
    allowed: str = "8hex-8hex-8hex-8hex, and a backup key after a comma"
    secret: bool = True

    def read(self, value: t.Any) -> str:
        """The key as the kernel reads it back."""
        text = Text(words=self.allowed, secret=True).read(value)
        try:
            return _kernel.normalise_key(text)
        except KernelError as error:
            raise Wrong(str(error)) from None


_BOOLEAN = Boolean()
_MODE = Text(
    r"flag|listener", "flag or listener"
)  # no Choice: a role's argument_specs take no null where they have choices
_FOLDER = Text(
    r"(/[A-Za-z0-9._+-]+)+",
    "the path of a folder on the host, of letters, digits and . _ + -, or ''",
    optional=True,
    type="path",
)  # it stands in a unit, where blanks, % and $ mean something
_CONF = Text(r"/etc/sysctl\.d/[^/]+\.conf", "a file /etc/sysctl.d/NAME.conf, which every boot reads", type="path")


def _kernel_number(option: str) -> Integer:
    _name, least, most = _kernel.NUMBERS[option]
    return Integer(least, most)


def _side(side: str) -> tuple[Variable, ...]:
    return (
        Variable(f"ss_{side}_instances", Listing(), []),
        Variable(f"ss_{side}_state", Choice(("present", "absent")), "present"),
        Variable(f"ss_{side}_prune", _BOOLEAN, False),
        Variable(f"ss_{side}_allow_insecure_methods", _BOOLEAN, False),
        Variable(f"ss_{side}_limit_nofile", Integer(64, 1_048_576), 65_536),
        Variable(f"ss_{side}_fast_open", _BOOLEAN, None),
    )


ROLES: dict[str, tuple[Variable, ...]] = {
    "tcp_fastopen": (
        Variable("tcp_fastopen_state", Choice(("present", "restored")), "present"),
        Variable("tcp_fastopen_accept", _BOOLEAN, None),
        Variable("tcp_fastopen_send", _BOOLEAN, None),
        Variable("tcp_fastopen_all_listeners", _BOOLEAN, None),
        Variable("tcp_fastopen_sysctl_file", _CONF, "/etc/sysctl.d/99-tfo.conf"),
        Variable("tcp_fastopen_key", CookieKey(), None),
        Variable("tcp_fastopen_max_syn_backlog", _kernel_number("max_syn_backlog"), None),
        Variable("tcp_fastopen_syncookies", _kernel_number("syncookies"), None),
        Variable("tcp_fastopen_somaxconn", _kernel_number("somaxconn"), None),
        Variable("tcp_fastopen_blackhole_timeout_seconds", _kernel_number("blackhole_timeout_seconds"), None),
    ),
    "shadowsocks": (
        Variable("shadowsocks_implementation", Choice(tuple(_implementations.BY_NAME)), _implementations.DEFAULT),
        Variable("shadowsocks_install", Choice(("package", "archive", "none")), "package"),
        Variable("shadowsocks_package", Text(r"[a-z0-9][a-z0-9+.-]+", "the name of a Debian package"), None),
        Variable("shadowsocks_version", Text(r"[A-Za-z0-9.+:~-]+", "a version of the package or archive"), None),
        Variable("shadowsocks_archive_url", ByArchitecture(ArchiveUrl()), None),
        Variable("shadowsocks_archive_checksum", ByArchitecture(CHECKSUM), None),
    ),
    "ss_server": (*_side("server"), Variable("ss_server_fast_open_mode", _MODE, None)),
    "ss_client": _side("client"),
    "tfo_guard": (
        Variable("tfo_guard_state", Choice(("present", "absent")), "present"),
        Variable("tfo_guard_interval_seconds", Integer(5, 3600), 30),
        Variable("tfo_guard_undo", _BOOLEAN, True),
        Variable("tfo_guard_return", _BOOLEAN, False),
        Variable("tfo_guard_hold_seconds", Integer(1, 86_400), 3600),
        Variable("tfo_guard_textfile_directory", _FOLDER, "/var/lib/prometheus/node-exporter"),
    ),
    "rollout": (
        Variable("rollout_server_batches", Sizes(), [1, "25%", "100%"], run=True),
        Variable("rollout_client_waves", Sizes(), ["10%", "50%", "100%"], run=True),
        Variable("rollout_bake_seconds", Number(0, WEEK_SECONDS, "seconds"), 300, run=True),
        Variable("rollout_probe_url", Url(), "", run=True),
        Variable("rollout_probe_requests", Integer(STEP, 100_000, also=(0,)), 100, run=True),
        Variable("rollout_confidence", Number(0.5, 0.9999), 0.95, run=True),
        Variable("rollout_max_slowdown_ms", Number(0, 60_000, "milliseconds"), 20, run=True),
        Variable("rollout_max_error_share", Number(0, UNACCEPTABLE_SHARE / 2), 0.05, run=True),
        Variable("rollout_max_reverted_share", Number(0, 1), 0.1, run=True),
        Variable("rollout_max_unreachable_share", Number(0, 1), 0.1, run=True),
        Variable("rollout_accept_unmanaged", _BOOLEAN, False, run=True),
        Variable("rollout_retry", _BOOLEAN, False, run=True),
        Variable("rollout_take_over", Text(r"\S+", "the name of a run", optional=True), "", run=True),
        Variable("rollout_network_label", Text(optional=True), ""),
        Variable("rollout_revert", Choice(("wave", "all")), "wave", run=True),
        Variable(
            "rollout_report_dir", Path(words="the path of a folder on the controller"), "rollout-reports", run=True
        ),
        Variable("rollout_notify_url", Receiver(), "", run=True),
        Variable(
            "rollout_textfile_directory",
            Text(r"/.*", "the absolute path of a folder on the controller", optional=True, type="path"),
            "",
            run=True,
        ),
    ),
    "rollback": (
        Variable(
            "rollback_scope",
            Choice(("send", "accept", "all")),
            "send",
            run=True,
            about="send: clients off, servers go on accepting. accept: the kill switch on servers, no restart. all: clients,"
            " then servers off, and nothing kept of a rollout; what was deployed stays",
        ),
        Variable("rollback_lift", _BOOLEAN, False, run=True, about="With rollback_scope=accept, lifts the kill switch"),
        Variable(
            "rollback_yield",
            _BOOLEAN,
            False,
            run=True,
            about="Leaves hosts that a rollout holds to that rollout, which judges them itself, and names them; for what starts a"
            " rollback without being asked, such as an alert",
        ),
    ),
    "discover": (
        Variable(
            "discover_dir",
            Path(words="the path of a folder host_vars on the controller", optional=True),
            "",
            run=True,
            about="The folder that gets HOST/shadowsocks.yml. Left empty, it is host_vars beside the first source of the inventory"
            " that is a file or folder",
        ),
        Variable(
            "discover_overwrite",
            _BOOLEAN,
            False,
            run=True,
            about="Whether files of an earlier run are brought up to date; names, and what was added to an instance, stay",
        ),
    ),
    "audit": (
        Variable(
            "audit_strict",
            _BOOLEAN,
            False,
            run=True,
            about="Whether drift, and every problem of severity error, is an error",
        ),
    ),
    "capture": (
        Variable(
            "capture_seconds",
            Number(1, 3600, "seconds"),
            20,
            run=True,
            about="For how long each host captures, in seconds",
        ),
    ),
    "status": (
        Variable(
            "status_journal",
            Path(words="the path of a journal on the controller", optional=True),
            "",
            run=True,
            about="The journal of a rollout. Left empty, it is the newest one in rollout_report_dir",
        ),
        Variable("status_watch", _BOOLEAN, False, run=True, about="Whether the run is followed until it ends"),
    ),
    "report": (
        Variable(
            "report_journal",
            Path(words="the path of a journal on the controller", optional=True),
            "",
            run=True,
            about="The journal of a rollout or an audit. Left empty, it is the newest of a rollout in rollout_report_dir",
        ),
        Variable(
            "report_page",
            Path(words="the path of a file on the controller", optional=True),
            "",
            run=True,
            about="The page to write. Left empty, it is beside the journal, with the ending .html",
        ),
    ),
}
"""The variables by role; rollback, discover, audit, capture, report and status are playbooks, whose tasks are the role rollout's."""

_SIDES = ("ss_server", "ss_client", "shadowsocks", "tcp_fastopen")
USED: dict[str, tuple[str, ...]] = {
    "tcp_fastopen": ("tcp_fastopen",),
    "shadowsocks": ("shadowsocks",),
    "ss_server": ("ss_server", "shadowsocks"),
    "ss_client": ("ss_client", "shadowsocks"),
    "tfo_guard": ("tfo_guard",),
    "deploy": _SIDES,
    "rollout": (*_SIDES, "rollout"),
    "rollback": ("rollback",),
    "discover": ("discover",),
    "audit": ("audit", *_SIDES),
    "capture": ("capture",),
    "status": ("status",),
    "report": ("report",),
}
"""Whose variables each role and playbook reads."""

ALSO: dict[str, tuple[str, ...]] = {
    "ss_server": ("tcp_fastopen_sysctl_file",),
    "ss_client": ("tcp_fastopen_sysctl_file",),
    "rollback": ("rollout_probe_url", "tcp_fastopen_sysctl_file"),
    "audit": ("rollout_report_dir",),
    "capture": ("rollout_probe_url", "rollout_report_dir"),
    "status": ("rollout_report_dir",),
    "report": ("rollout_report_dir",),
}
"""Single ones beside those: a way back does not hang on what only the way up needs."""

BY_HOST: dict[str, tuple[str, ...]] = {"rollback": ("rollout_probe_url",), "capture": ("rollout_probe_url",)}
"""Decisions of a rollout that hosts need not agree on elsewhere: there each has its own."""


def variables(used_by: str) -> tuple[Variable, ...]:
    """The variables that a role or playbook reads."""
    also = ALSO.get(used_by, ())
    return tuple(
        variable
        for role, group in ROLES.items()
        for variable in group
        if role in USED[used_by] or variable.name in also
    )


def names() -> frozenset[str]:
    """The names of all variables."""
    return frozenset(variable.name for group in ROLES.values() for variable in group)
