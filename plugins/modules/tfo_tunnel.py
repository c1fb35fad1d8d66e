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
  - The cookie is fetched by a first request that does not count.
  - For an ss-redir instance, ss-local measures the same path; for ss-tunnel, an ss-tunnel to the host of O(url).
  - The password is neither in the arguments of a process nor on disk, and nothing is left when the module is killed.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._services
options:
  url:
    description: An http URL to fetch.
    type: str
    required: true
  requests:
    description: How many requests of each kind. With V(0) nothing is measured and O(earlier) comes back.
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
  earlier:
    description: What an earlier task of this module returned. Its rounds are put before this one in RV(rounds).
    type: dict
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
fast_open:
  description: The requests with TFO.
  returned: success
  type: dict
  contains: *arm
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
rounds:
  description: Each measurement of this host so far, without its own RV(rounds).
  returned: success
  type: list
  elements: dict
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _secrets, _service, _systemd
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lease, _proof, _record
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _pair, _temporary


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "instances": {"type": "list", "elements": "dict"},
            "services": {"type": "list", "elements": "dict", "options": _service.SERVICE_SPEC},
            "url": {"type": "str", "required": True},
            "requests": {"type": "int", "default": 10},
            "arms": {"type": "list", "elements": "str", "choices": list(_pair.ARMS), "default": list(_pair.ARMS)},
            "timeout_seconds": {"type": "float", "default": 10.0},
            "pause_seconds": {"type": "float", "default": 0.05},
            "network": {"type": "str", "default": ""},
            "running": {"type": "bool", "default": False},
            "run": {"type": "str", "default": ""},
            "lease_seconds": {"type": "float", "default": 600.0},
            "earlier": {"type": "dict"},
            **_secrets.SPEC,
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        wanted = _secrets.join(params["services"], params["secrets"])
    except _secrets.SecretsError as error:
        module.fail_json(msg=str(error))
    services = [service for service in wanted if service["mode"] != "udp_only"]
    if not services:
        module.fail_json(msg="no client instance carries TCP, so there is nothing to measure")
    try:
        if params["run"] and not module.check_mode:
            with _record.lock():
                _lease.keep(params["run"], params["lease_seconds"])
        try:
            arms, warmed = _pair.measure(
                services,
                params["url"],
                params["requests"],
                params["arms"],
                params["timeout_seconds"],
                params["pause_seconds"],
            )
        except _temporary.Missing as error:  # no fault: a host that runs nothing yet has nothing to tell
            arms, warmed = {arm: _pair.Answers(errors=[str(error)]) for arm in params["arms"]}, False
        running, reasons = _proof.tunnels(services if params["running"] else [], params["url"])
        units = _systemd.show([_service.unit(service) for service in services])
    except (_temporary.ClientError, *EXPECTED) as error:
        module.fail_json(msg=str(error))
    found = {name: dataclasses.asdict(arms.get(name, _pair.Answers())) for name in _pair.ARMS}
    counters = {
        name: sum(arm["counters"].get(name, 0) for arm in found.values())
        for name in sorted({name for arm in found.values() for name in arm["counters"]})
    }
    module.exit_json(
        changed=False,
        **found,
        saved_ms=_pair.saved_ms(arms),
        counters=counters,
        warmed=warmed,
        running=running,
        reasons=reasons,
        restarts=sum(unit.restarts for unit in units.values()) if params["running"] else 0,
        network=params["network"],
    )


if __name__ == "__main__":
    main()
