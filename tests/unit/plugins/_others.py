# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of somebody else in memory, and as _resolve gives them."""

from __future__ import annotations

import json

from ansible_collections.fastopen.shadowsocks.tests.unit.plugins._services import CLIENT_SERVICE, SERVER_SERVICE

OWN, FLAG, LISTENER, CLIENT = "office.service", "branch@eu.service", "xray.service", "tunnel@hq.service"
COMMANDS = {
    OWN: "/opt/ss/ss-server -c {config}",
    FLAG: "/usr/bin/ss-server -c {config} -u",
    LISTENER: "/usr/bin/xray -c {config}",
    CLIENT: "/usr/bin/ss-local -c {config}",
}


def adopted(unit, port, service, **change):
    """A service as _resolve gives it."""
    common = {"name": unit.partition(".")[0], "instance": unit.partition(".")[0], "unit": unit}
    executable = {"executable": COMMANDS[unit].split()[0]} if service.get("program") else {}
    return {**service, **common, **executable, "server_port": port, **change}


SERVICES = {
    OWN: adopted(OWN, 8390, SERVER_SERVICE, fast_open_mode="own"),
    FLAG: adopted(FLAG, 8391, SERVER_SERVICE),
    LISTENER: adopted(
        LISTENER, 443, {"program": "", "server": ["0.0.0.0"], "mode": "tcp_only"}, fast_open_mode="listener"
    ),
    CLIENT: adopted(CLIENT, 8388, CLIENT_SERVICE),
}
TWO_SERVERS = [SERVICES[CLIENT], {**SERVICES[CLIENT], "server": ["203.0.113.8"]}]
SIDES = {OWN: "server", FLAG: "server", LISTENER: "server", CLIENT: "client"}


def serve(stage, unit, extra=""):
    """Somebody's unit that runs with a config of his own; an instance of his template, where the name has an @."""
    name, at, _instance = unit.partition("@")
    service = SERVICES[unit]
    ports = {"server_port": service["server_port"], "local_port": service.get("local_port", service["server_port"])}
    stage.host.put(stage.host.root / f"etc/other/{unit}.json", json.dumps(ports))
    file = f"{name}@.service" if at else unit
    config = stage.host.root / f"etc/other/{f'{name}@%i.service' if at else unit}.json"
    command = COMMANDS[unit].format(config=config)
    stage.host.put(stage.host.lib_unit_dir / file, f"[Service]\nExecStart={command}{extra}\n")
    stage.host._systemctl("enable", unit)
    stage.host._systemctl("start", unit)
    stage.host.done.clear()
    stage.plain = stage.observe()


def argv(stage, unit):
    """What the unit's process runs with."""
    return stage.host.processes[stage.host.running[unit]].argv


def restarts(stage):
    """The units that were restarted since, in order."""
    return [unit for line in stage.host.done if line.startswith("restart ") for unit in line.split()[1:]]


def drop_ins(stage):
    """Every drop-in or folder for one, of anybody."""
    roots = (stage.host.unit_dir, stage.host.run_unit_dir, stage.host.lib_unit_dir)
    return sorted(str(path.relative_to(root)) for root in roots for path in root.rglob("*.d/*"))


def ask(stage, state, *units, **change):
    """Bring the side of these units to a state."""
    return stage.ask(state, SIDES[units[0]], services=[SERVICES[unit] for unit in units], **change)
