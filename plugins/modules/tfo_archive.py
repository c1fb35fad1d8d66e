#!/usr/bin/python
# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tfo_archive
short_description: Install the binaries of shadowsocks-rust from an archive
version_added: 0.1.0
description:
  - Serves the role C(shadowsocks) with C(shadowsocks_install=archive); apply that.
  - Downloads the archive, compares its digest before anything of it is unpacked, runs C(sslocal) and C(ssserver) once from a
    folder of their own, and only then puts them into C(/usr/local/bin), each one whole or not at all. Services are left alone.
  - What is there already and was not installed by this module is refused, in check mode too. What was installed by it stays as
    C(/usr/local/lib/fastopen.shadowsocks/previous); asked for that archive again, it downloads nothing.
author: fastopen.shadowsocks authors (@fastopen-shadowsocks)
options:
  url:
    description: Where the archive is, by https, http or file, a tar file that xz, gzip or bzip2 compressed.
    type: str
    required: true
  checksum:
    description: The archive's digest, V(sha256:) and 64 hexadecimal digits.
    type: str
    required: true
  version:
    description: The version that the binaries must tell of themselves. Left out, any will do.
    type: str
attributes:
  check_mode:
    description: Says whether the archive would be installed, without downloading it.
    support: full
  diff_mode:
    description: Shows the checksum and the version before and after.
    support: full
  platform:
    description: Linux, Python 3.9 or later with lzma.
    support: full
    platforms: posix
seealso:
  - module: fastopen.shadowsocks.tfo_service
"""

EXAMPLES = r"""
- name: Install shadowsocks-rust
  fastopen.shadowsocks.tfo_archive:
    url: https://mirror.example/shadowsocks-v1.25.0.x86_64-unknown-linux-musl.tar.xz
    checksum: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    version: 1.25.0
"""

RETURN = r"""
version:
  description: The version that is installed, or in check mode would be, null where only the archive could tell.
  returned: success
  type: str
  sample: 1.25.0
previous:
  description: The version that is kept for a way back, null where there is none.
  returned: success
  type: str
"""

import typing as t
from http.client import HTTPException

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import fetch_url
from ansible_collections.fastopen.shadowsocks.plugins.module_utils import _python

_python.ready()

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _archive
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.stage import _lock, _record

SECONDS = 60


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "checksum": {"type": "str", "required": True},
            "version": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        before, refused = _archive.load().current, _archive.hindrances()
        if refused:
            raise _archive.ArchiveError("; ".join(refused))
        changed = not _archive.is_installed(module.params["checksum"])
        if not changed and module.params["version"] not in (None, before.version):
            raise _archive.ArchiveError(f"that checksum is of {before.version}, not of {module.params['version']}")
        if changed and not module.check_mode:
            _install(module)
    except (_archive.ArchiveError, _record.RecordError, OSError) as error:
        module.fail_json(msg=f"Nothing was installed: {error}")
    record = _archive.load()
    version = module.params["version"] if changed and module.check_mode else record.current.version
    after = (module.params["checksum"], version)
    module.exit_json(
        changed=changed,
        version=version or None,
        previous=record.previous.version or None,
        diff={"before": _shown(before.checksum, before.version), "after": _shown(*after)},
    )


def _install(module: AnsibleModule) -> None:
    checksum, version = module.params["checksum"], module.params["version"]
    binaries = _archive.kept(checksum) or _archive.unpack(_fetch(module), checksum)
    with _lock.hold():
        told = _archive.try_out(binaries, version)
        try:
            _archive.install(binaries, checksum, told)
        except OSError as error:
            module.fail_json(msg=f"Half installed: {error}: mend that, and run it again")


def _fetch(module: AnsibleModule) -> bytes:
    """The archive, from memory to memory: nothing of it is on disk before its digest is known to be right."""
    url = module.params["url"]
    response, info = fetch_url(module, url, timeout=SECONDS)
    if response is None or (info["status"] != 200 and not url.startswith("file:")):
        raise _archive.ArchiveError(f"{url} cannot be fetched: {info['msg']}")
    try:
        content = response.read(_archive.MOST_BYTES + 1)
    except HTTPException as error:
        raise _archive.ArchiveError(f"{url} ends in the middle: {error!r}") from error
    if len(content) > _archive.MOST_BYTES:
        raise _archive.ArchiveError(f"{url} is larger than {_archive.MOST_BYTES} bytes")
    return content


def _shown(checksum: str, version: t.Optional[str]) -> str:
    return f"{checksum}\n{version or 'a version that the archive tells'}\n" if checksum else ""


if __name__ == "__main__":
    main()
