#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_capture
short_description: Capture the SYNs of a host's Shadowsocks services, and count those with data
version_added: 0.1.0
description:
  - Serves the playbook capture, for the proof on the wire. It runs C(tcpdump), which has to be there, over SYNs, their answers
    and resets of the services' ports, and on clients makes requests meanwhile.
  - Nothing is changed; the file O(path) is made.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
extends_documentation_fragment:
  - fastopen.shadowsocks._side
  - fastopen.shadowsocks._services
  - fastopen.shadowsocks._adopted
options:
  path:
    description: The new file that gets the packets, in a folder of root alone, as M(ansible.builtin.tempfile) makes it.
    type: path
    required: true
  seconds:
    description: How long the capture takes at least.
    type: float
    default: 20
  requests:
    description: How many requests a client makes through each of its services meanwhile.
    type: int
    default: 5
  probe_url:
    description: The http URL that a client asks for.
    type: str
    default: ""
attributes:
  diff_mode:
    description: There is no difference to show.
    support: none
  platform:
    description: Linux with tcpdump, Python 3.9 or later.
    support: full
    platforms: linux
seealso:
  - module: fastopen.shadowsocks.tfo_path
"""

EXAMPLES = r"""
- name: See what the clients of this host send
  fastopen.shadowsocks.tfo_capture:
    side: client
    instances: "{{ ss_client_instances }}"
    probe_url: http://192.0.2.80/
    path: /root/syns.pcap
  register: captured
"""

RETURN = r"""
ports:
  description: By port of a server what was seen of connections to it.
  returned: success
  type: dict
  contains:
    syns:
      description: Connections that were opened.
      returned: always
      type: int
    again:
      description: SYNs that were sent again.
      returned: always
      type: int
    with_data:
      description: SYNs with data.
      returned: always
      type: int
    taken:
      description: Those whose data the server's answer acknowledged.
      returned: always
      type: int
    cookie_requests:
      description: SYNs that asked for a cookie.
      returned: always
      type: int
    resets:
      description: SYNs that were answered by a reset.
      returned: always
      type: int
requests:
  description: What a client asked for meanwhile, with C(name), C(ok) and C(ttfb_ms).
  returned: success
  type: list
  elements: dict
lines:
  description: The same in words.
  returned: success
  type: list
  elements: str
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.capture import _capture, _pcap, _words
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _request, _requests
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage._errors import EXPECTED


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_request.SPEC,
            "path": {"type": "path", "required": True},
            "seconds": {"type": "float", "default": 20.0},
            "requests": {"type": "int", "default": 5},
            "probe_url": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    made: list[dict[str, object]] = []
    try:
        request = _request.build(params)
        ports = {service["server_port"] for service in request.services}
        if not ports:
            module.fail_json(
                msg=f"no {params['side']} service is known here: {'; '.join(request.unfit) or 'none is listed'}"
            )

        def meanwhile() -> None:
            if params["side"] == "client" and params["probe_url"]:
                for _number in range(params["requests"]):
                    made.extend(_requests.tunnels(request.services, params["probe_url"])[0])

        _capture.record(params["path"], ports, params["seconds"], meanwhile)
        with open(params["path"], "rb") as stream:
            seen = _pcap.count(_pcap.read(stream.read()), ports)
    except (*EXPECTED, _capture.CaptureError, _pcap.PcapError) as error:
        module.fail_json(msg=str(error))
    told = {str(port): dataclasses.asdict(one) for port, one in seen.items()}
    module.exit_json(changed=False, ports=told, requests=made, lines=_words.lines(params["side"], seen, made))


if __name__ == "__main__":
    main()
