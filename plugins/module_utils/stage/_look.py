# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about one side of a host in one look: kernel, package, services, paths, and how they differ from the plan."""

from __future__ import annotations

import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _probe
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _host, _package, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _proof, _record, _stage
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Request


def look(request: Request, probe_paths: bool) -> dict[str, t.Any]:
    """What tfo_host returns for a side; see that module's RETURN. Changes nothing."""
    wanted = request.wanted
    seen = _host.observe(wanted)
    fastopen = _probe.gather()
    package = _package.read(request.package, request.binary)
    package["packaged_unit"] = seen.units[_service.PACKAGED_UNIT].load_state
    planned = _stage.converge(request, check=True, judge_paths=False)
    paths: list[dict[str, t.Any]] = []
    reasons: list[str] = []
    if probe_paths and wanted.side == "client":
        paths, reasons = _proof.paths(wanted.services)
    elif probe_paths:
        paths = _proof.accepts(wanted.services)
        reasons = _proof.refusals(paths) if paths else [_proof.NO_CARRIER]
    differs = [*_package_differs(package), *planned.differs]
    kept = _record.read_stage(wanted.side)
    confirmed = bool(kept.get("confirmed")) and kept.get("fingerprint") == request.fingerprint
    return {
        "side": wanted.side,
        "fastopen": fastopen,
        "package": package,
        "services": [_service_state(service, seen) for service in wanted.services],
        "paths": paths,
        "differs": differs,
        "reasons": reasons,
        "stage": {
            "intended": kept["stage"],
            "actual": actual(wanted.side, seen, fastopen["sysctl"], paths),
            "confirmed": confirmed,
            "snapshot": _record.snapshot(wanted.side) is not None,
        },
        "done": confirmed and not differs and not reasons,
    }


def actual(
    side: str, seen: _host.Seen, sysctl: t.Optional[t.Mapping[str, t.Any]], paths: t.Sequence[t.Mapping[str, t.Any]]
) -> str:
    """The stage that really runs: by the processes and the kernel, and for servers by an accepted SYN with data.

    ``broken`` means that services are due to run with TFO and would exit for want of kernel bit 0x1.
    """
    flagged = [p for name, p in seen.processes.items() if p is not None and "@" in name and "--fast-open" in p.argv]
    if flagged and not (sysctl and sysctl["send"]):
        return "broken"
    if side == "client":
        return "send" if flagged else "off"
    return "accept" if paths and all(path["verdict"] == "fast_open" for path in paths) else "off"


def _package_differs(package: t.Mapping[str, t.Any]) -> list[dict[str, str]]:
    if package["binary"] is None:
        return [{"what": "package", "name": package["name"], "why": "is not installed"}]
    if not package["knows_fast_open"]:
        return [{"what": "package", "name": package["name"], "why": f"{package['binary']} has no --fast-open"}]
    return []


def _service_state(service: t.Mapping[str, t.Any], seen: _host.Seen) -> dict[str, t.Any]:
    name = _service.unit(service)
    unit, process = seen.units[name], seen.processes[name]
    return {
        "unit": name,
        "state": unit.active_state,
        "enabled": unit.enabled,
        "restarts": unit.restarts,
        "fast_open": process is not None and "--fast-open" in process.argv,
    }
