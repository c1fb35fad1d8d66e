# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way down: to plain TCP, or all the way back to the snapshot. Needs no inventory, only what the host has.

Order: units, restart, proof that plain traffic passes, kernel. Each step may be killed and run again.
"""

from __future__ import annotations

from collections.abc import Collection

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.kernel import _kernel
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import (
    _apply,
    _files,
    _host,
    _package,
    _service,
    _systemd,
)
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _proof, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._request import Outcome, Request


def plain(request: Request, check: bool) -> Outcome:
    """The side without --fast-open, its services otherwise as they are. The snapshot stays for a later restore."""
    result = Outcome()
    side = request.wanted.side
    seen = _host.observe(_host.Wanted(side, []))
    services = _host.running_services(side, seen)
    paths = [_service.unit_path(program) for program in _service.SIDES[side]]
    units = {path: seen.files[path] for path in paths if seen.files[path] is not None}
    write = {path: state for path, state in units.items() if _host.has_flag(state.content.decode())}
    restart = {}
    for service in services:
        unit = _service.unit(service)
        if not seen.units[unit].active:
            restart[unit] = f"is {seen.units[unit].active_state}"
        elif (
            "--fast-open" in getattr(seen.processes[unit], "argv", [])
            or _service.unit_path(service["program"]) in write
        ):
            restart[unit] = "runs with --fast-open"
    for path, state in write.items():
        after = state.content.decode().replace(_host.FLAG, "")
        header = {"before_header": path, "after_header": path}
        result.diff.append({**header, "before": state.content.decode(), "after": after})
        result.differs.append({"what": "file", "name": path, "why": "carries --fast-open"})
        if not check:
            _files.write(path, after.encode(), state.mode)
    result.differs += [{"what": "service", "name": unit, "why": why} for unit, why in restart.items()]
    result.changed = bool(write or restart)
    if check:
        kernel(request, result, check, [seen.units[unit].pid for unit in restart])
        return result
    if write or any(unit.needs_reload for unit in seen.units.values()):  # a run may have been killed before it
        _systemd.systemctl("daemon-reload")
    _apply.restart(services, list(restart))
    if side == "client":
        result.tunnels, result.reasons = _proof.tunnels(services, request.probe_url)
    kernel(request, result, check)
    _record.write_stage(side, None)
    result.outcome = "unproven" if result.reasons else "proven"
    return result


def kernel(request: Request, result: Outcome, check: bool, ending: Collection[int] = ()) -> None:
    """The kernel back to its snapshot, unless the other side of the host still needs it.

    `ending`: in check mode, the processes that the real run restarts or stops before.
    """
    other = "client" if request.wanted.side == "server" else "server"
    if _record.read_stage(other)["stage"] != "off":
        return
    back = _kernel.restore(file=request.sysctl_file, snapshot=_kernel.SNAPSHOT, check=check, ending=ending)
    result.changed = result.changed or back.changed
    result.diff += back.diff if isinstance(back.diff, list) else [back.diff]


def restore(request: Request, check: bool) -> Outcome:
    """The side back to its snapshot; a side without one is as it was found already."""
    result = Outcome()
    side = request.wanted.side
    kept = _record.snapshot(side)
    ending: list[int] = []
    if kept is not None:
        seen = _host.observe(_host.Wanted(side, []))
        ending = [unit.pid for unit in seen.units.values()] if check else []
        result.changed = True
        result.differs.append({"what": "stage", "name": side, "why": "goes back to its snapshot"})
        installed = _package.read(request.package, request.binary)["version"] is not None
        result.package = "absent" if kept["package"] is None and installed else "kept"
        if not check:
            services = _host.running_services(side, seen) if kept["deployed"] else []
            _apply.restore(side, kept, seen, services)
            if side == "client":
                result.tunnels, result.reasons = _proof.tunnels(services, request.probe_url)
            _record.write_stage(side, None)
    kernel(request, result, check, ending)
    result.outcome = "unproven" if result.reasons else "proven" if result.tunnels else "kept"
    # The snapshot stays until all of it is so again: until plain traffic passes, and the package is gone.
    if not check and not result.reasons and result.package == "kept":
        _record.forget(side)
    return result
