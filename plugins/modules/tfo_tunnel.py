#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_tunnel
short_description: Measure requests through the tunnel with and without TCP Fast Open
version_added: 0.1.0
description:
  - Starts two temporary clients of each instance on free loopback ports, one with C(--fast-open) and one without, and makes
    real requests through them in turn. The running instance is not touched, so this also serves before it has TFO.
  - Each instance is a path of its own, see RV(paths). One whose first 5 pairs show every request with TFO late or failed,
    and no plain one, is not asked any more, for each further one would take a second or more. Late is one whose connection
    to the server had to send a segment again or, where that was not seen, whose first byte came 500 ms or more after the
    fastest plain one.
  - An instance whose requests have waited four time-outs for nothing since its last answer is not asked any more either.
  - The cookie is fetched by a first request that does not count.
  - For an ss-redir instance, ss-local measures the same path; for ss-tunnel, an ss-tunnel to the host of O(url).
  - The password is neither in the arguments of a process nor on disk, and nothing is left when the module is killed.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._services
  - fastopen.shadowsocks._adopted
options:
  url:
    description: An http URL to fetch.
    type: str
    required: true
  requests:
    description: How many requests of each kind, at least 1. The instances take turns, and each gets at least one.
    type: int
    default: 10
  arms:
    description: The kinds of requests.
    type: list
    elements: str
    choices: [plain, fast_open]
    default: [plain, fast_open]
  timeout_seconds:
    description: How long one request may take.
    type: float
    default: 10.0
  pause_seconds:
    description: The pause after each request.
    type: float
    default: 0.05
  network:
    description: A label of the client's access network, returned as it is.
    type: str
    default: ""
  running:
    description: Whether to ask once through each running ss-local as well, see RV(running).
    type: bool
    default: false
  run:
    description: The rollout that asks, whose lease on this host is renewed.
    type: str
    default: ""
  lease_seconds:
    description: For how long, see M(fastopen.shadowsocks.tfo_stage).
    type: float
    default: 600
  servers:
    description: Inventory hosts. Only instances that lead to them are measured, all where it is empty.
    type: list
    elements: str
    default: []
attributes:
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Linux with Python 3.9 or later.
    support: full
    platforms: linux
seealso:
  - module: fastopen.shadowsocks.tfo_verdict
"""

EXAMPLES = r"""
- name: Measure what TCP Fast Open would save
  fastopen.shadowsocks.tfo_tunnel:
    instances: "{{ ss_client_instances }}"
    url: http://192.0.2.10/
    requests: 20
  register: measured

- name: Show the saved milliseconds
  ansible.builtin.debug:
    var: measured.saved_ms
"""

RETURN = r"""
plain:
  description: The requests without TFO; none, with the reason in its C(errors), where no client is installed.
  returned: success
  type: dict
  contains: &arm
    ok:
      description: How many requests were answered.
      returned: success
      type: int
    failed:
      description: How many were not.
      returned: success
      type: int
    ttfb_ms:
      description: From the start of each answered request to its first byte, in milliseconds.
      returned: success
      type: list
      elements: float
    counters:
      description: By how much the kernel's counters rose.
      returned: success
      type: dict
    exits:
      description: How often the client's process ended by itself.
      returned: success
      type: int
    errors:
      description: What went wrong, each once.
      returned: success
      type: list
      elements: str
    connections:
      description:
        - The client's own connection to its server, as the kernel saw it when the first byte had come or the request had
          failed, of each request that showed one (sock_diag). None where the kernel does not tell, and fewer where the
          origin does not keep connections open.
      returned: success
      type: list
      elements: dict
      contains:
        syn_data:
          description: Whether data in its SYN was acknowledged.
          returned: success
          type: bool
        lost:
          description:
            - How many segments had to be sent again until then. SYN data that the server refused follows at once and does
              not count, on Linux 5.5 or later.
          returned: success
          type: int
        rtt_ms:
          description: The smoothed round trip in milliseconds; null where the handshake has not ended.
          returned: success
          type: float
fast_open:
  description: The requests with TFO.
  returned: success
  type: dict
  contains: *arm
paths:
  description: The same by instance.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The instance.
      returned: success
      type: str
    server:
      description: The inventory host of its server, else the server's first address.
      returned: success
      type: str
    plain:
      description: Its requests without TFO.
      returned: success
      type: dict
      contains: *arm
    fast_open:
      description: Its requests with TFO.
      returned: success
      type: dict
      contains: *arm
    saved_ms:
      description: What RV(saved_ms) is, on this path.
      returned: success
      type: float
saved_ms:
  description: By how much the median first byte came earlier with TFO; null where a kind has no answered request.
  returned: success
  type: float
counters:
  description: The counters of both kinds together.
  returned: success
  type: dict
warmed:
  description: Whether a first request had fetched the cookie before the counted ones.
  returned: success
  type: bool
running:
  description: With O(running), requests through each running ss-local, with C(name), C(ok) and C(ttfb_ms).
  returned: success
  type: list
  elements: dict
reasons:
  description: What went wrong with those.
  returned: success
  type: list
  elements: str
restarts:
  description:
    - With O(running), automatic restarts of the instances' units since they were last started on purpose, or since their
      step where that restarted nothing.
  returned: success
  type: int
network:
  description: The given label.
  returned: success
  type: str
"""

import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.adopted import _resolve
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets, _service, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lease, _lock, _requests
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _answers, _pair, _temporary


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "instances": {"type": "list", "elements": "dict"},
            "services": {"type": "list", "elements": "dict", "options": _service.SERVICE_SPEC},
            "adopted": _resolve.SPEC,
            "url": {"type": "str", "required": True},
            "requests": {"type": "int", "default": 10},
            "arms": {"type": "list", "elements": "str", "choices": list(_answers.ARMS), "default": list(_answers.ARMS)},
            "timeout_seconds": {"type": "float", "default": 10.0},
            "pause_seconds": {"type": "float", "default": 0.05},
            "network": {"type": "str", "default": ""},
            "running": {"type": "bool", "default": False},
            "run": {"type": "str", "default": ""},
            "lease_seconds": {"type": "float", "default": 600.0},
            "servers": {"type": "list", "elements": "str", "default": []},
            **_secrets.SPEC,
        },
        supports_check_mode=True,
    )
    params = module.params
    if params["requests"] < 1:
        module.fail_json(msg=f"requests: {params['requests']} is less than 1")
    try:
        adopted = _resolve.resolve("client", params["adopted"])
        own = _secrets.join(params["services"], params["secrets"])
        services = _measured([*own, *adopted.services], params["servers"], adopted.reasons)
        if params["run"] and not module.check_mode:
            with _lock.hold():
                _lease.keep(params["run"], params["lease_seconds"])
        terms = _pair.Terms(params["url"], params["arms"], params["timeout_seconds"], params["pause_seconds"])
        try:
            paths, warmed = _pair.measure(services, params["requests"], terms)
        except _temporary.Missing as error:  # no fault: a host that runs nothing yet has nothing to tell
            paths, warmed = _pair.untold(services, params["arms"], str(error)), False
        running, reasons = _requests.tunnels(services if params["running"] else [], params["url"])
        units = _systemd.show(sorted({_service.unit(service) for service in services}))
    except (_Nothing, _temporary.ClientError, *EXPECTED) as error:
        module.fail_json(msg=str(error))
    arms = _answers.total(paths)
    module.exit_json(
        changed=False,
        **{name: dataclasses.asdict(answers) for name, answers in arms.items()},
        paths=[path.result() for path in paths],
        saved_ms=_answers.saved_ms(arms),
        counters=_answers.counters(arms.values()),
        warmed=warmed,
        running=running,
        reasons=reasons,
        restarts=sum(unit.restarts for unit in units.values()) if params["running"] else 0,
        network=params["network"],
    )


class _Nothing(Exception):
    """There is no instance to measure."""


def _measured(services: _pair.Services, servers: t.Sequence[str], unfit: t.Sequence[str]) -> _pair.Services:
    """Those that carry TCP to one of the servers, to any where none is named. Raises _Nothing."""
    if unfit:
        raise _Nothing("; ".join(unfit))
    found = [service for service in services if service["mode"] != "udp_only"]
    if not found:
        raise _Nothing("no client instance carries TCP, so there is nothing to measure")
    led = [service for service in found if not servers or service.get("server_host") in servers]
    if not led:
        raise _Nothing(f"no client instance leads to {' or '.join(servers)}, so there is nothing to measure")
    return led


if __name__ == "__main__":
    main()
