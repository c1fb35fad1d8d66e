# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Prometheus of ss2 knows of the hosts, and textfiles for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from _hosts import host

PROMETHEUS = "ss2"
TEXTFILES = "/var/lib/prometheus/node-exporter"
WAIT_SECONDS = 60


def api(path: str, **parameters: str) -> Any:
    """The data of an answer of Prometheus' API; fails where it is an error."""
    fields = " ".join("--data-urlencode %s" for _parameter in parameters)
    values = [f"{name}={value}" for name, value in parameters.items()]
    url = f"http://localhost:9090/api/v1/{path}"
    answer = json.loads(host(PROMETHEUS).check_output(f"curl --silent --get {fields} %s", *values, url))
    assert answer["status"] == "success", answer
    return answer["data"]


def query(expression: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of every series that an instant query finds."""
    found = api("query", query=expression)
    return [(one["metric"], float(one["value"][1])) for one in found["result"]]


def firing() -> dict[str, dict[str, Any]]:
    """The alerts that fire, by name."""
    return {one["labels"]["alertname"]: one for one in api("alerts")["alerts"] if one["state"] == "firing"}


def until(what: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """What ``what`` says as soon as it says anything; fails where it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"nothing after {seconds:.0f} s")


def put(name: str, file: str, text: str) -> None:
    """Put a textfile on a host, in one step as its writers do."""
    path = f"{TEXTFILES}/{file}"
    host(name).check_output(f"printf %s %s >{path}.new && mv {path}.new {path}", "%s", text)
