# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Shadowsocks client of our own beside the running one: same server and config, a free loopback port, short-lived."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import grp
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import time
import typing as t

from ansible_collections.fastopen.shadowsocks.plugins.module_utils.implementation import _implementations
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.service import _binary, _process, _secrets, _service
from ansible_collections.fastopen.shadowsocks.plugins.module_utils.tunnel import _sock_diag, _tunnel

START_SECONDS = 5.0
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
"""include/uapi/linux/prctl.h"""
MFD_CLOEXEC, MFD_EXEC = 0x1, 0x10
"""include/uapi/linux/memfd.h"""
LOOPBACK = "127.0.0.1"
UNUSED = range(65520, 65534)
"""Users that nothing is to have: above systemd's dynamic ones, below nobody (systemd's docs/UIDS-GIDS.md)."""


class ClientError(Exception):
    """The client does not start; the message holds its own last words."""


class Missing(ClientError):
    """The client's program is not installed."""


class TemporaryClient:
    """ss-local (for an ss-tunnel instance: ss-tunnel to the URL's host) with or without --fast-open.

    Requests are made one after the other, so a connection to the server that is new belongs to the one that is made.

    The config is a nameless file in memory, so the password is neither on disk nor in argv, and nothing is left when
    the module is killed; the kernel then kills the client as well (PR_SET_PDEATHSIG). As root it runs as a user that no
    other process has: whoever shares it could read the config through /proc/PID/fd.
    """

    def __init__(self, service: t.Mapping[str, t.Any], url: str, fast_open: bool) -> None:
        self.fast_open = fast_open
        self.exits = 0
        self.socks = service["program"] != "ss-tunnel"
        host, port, _path = _tunnel.split(url)
        self._service = {
            **service,
            "program": "ss-local" if self.socks else "ss-tunnel",
            "local_address": LOOPBACK,
            "tunnel_address": None if self.socks else f"{host}:{port}",
            "mode": "tcp_only",
        }
        self._process: t.Optional[subprocess.Popen[bytes]] = None
        self.port = 0
        self._user = (0, 0)
        self._implementation = _implementations.of(service)
        self._binary = self._implementation.binaries[self._service["program"]]
        self._executable = _executable(service.get("executable"), self._binary)

    def fetch(self, url: str, timeout: float) -> _tunnel.Fetch:
        """One request through this client; a client that has ended by itself is counted in ``exits`` and started anew."""
        if self._process is None:
            self._start()
        watch = _sock_diag.Watch(self._service["server"], self._service["server_port"], self._user[0])
        result = _tunnel.fetch((LOOPBACK, self.port), url, timeout, socks=self.socks, look=watch.only)
        if not result.ok and self._ended():
            self.exits += 1
            words = _secrets.hidden(self.close(), self._service)
            return result._replace(error=f"{self._binary} exited: {words}")
        return result

    def close(self) -> str:
        """End the process and give its last words."""
        process, self._process = self._process, None
        if process is None:
            return ""
        process.kill()
        output = process.communicate()[0].decode(errors="replace").strip().splitlines()
        return output[-1].strip() if output else f"status {process.returncode}"

    def _ended(self) -> bool:
        # A client that dies of its first connection closes it a moment before it is gone.
        deadline = time.monotonic() + 0.2
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return self._process is not None and self._process.poll() is not None

    def _start(self) -> None:
        self.port, self._user = _free_port(), _own_user()
        config = _service.config_text({**self._service, "local_port": self.port})
        program, memory = _without_capabilities(self._binary, self._executable), os.memfd_create("config")
        command = self._implementation.command(self._binary, f"/dev/fd/{memory}")
        try:
            os.write(memory, config.encode())
            self._process = subprocess.Popen(
                [*command, *(["--fast-open"] if self.fast_open else [])],
                executable=f"/proc/self/fd/{program}",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[program, memory],
                preexec_fn=_restrict(os.getpid(), memory, self._user),
            )
        finally:
            os.close(program)
            os.close(memory)
        deadline = time.monotonic() + START_SECONDS
        while not _process.listening(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                words = _secrets.hidden(self.close(), self._service)
                raise ClientError(f"a temporary {self._binary} does not start: {words}")
            time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]


def _executable(running: t.Optional[str], binary: str) -> t.Optional[str]:
    """The file to measure with: the one that a service runs, or that beside it (ss-local for ss-redir); else any.

    ssservice is what it is called by (bin/ssservice.rs of shadowsocks-rust).
    """
    if running and os.path.basename(running) == "ssservice":
        return running
    beside = os.path.join(os.path.dirname(running or ""), binary)
    return beside if running and os.path.exists(beside) else _binary.find(binary)


def _without_capabilities(name: str, path: t.Optional[str]) -> int:
    """The descriptor of a program's copy in memory. Raises ClientError where it is not installed.

    The kernel forgets the death signal when it starts a file that has effective capabilities, as Debian's ss-local has,
    even if none is granted (security/commoncap.c: secureexec; fs/exec.c: begin_new_exec). The copy has none.
    """
    if path is None:
        raise Missing(f"{name} is not installed")
    copy = _executable_memory(name)
    with open(path, "rb") as source, open(copy, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target)
    return copy


def _executable_memory(name: str) -> int:
    """A nameless file in memory that may be started, also where vm.memfd_noexec is 1 (sysctl/vm.rst).

    Kernels before 6.3 know neither that sysctl nor the flag, and refuse the flag with EINVAL.
    """
    try:
        return os.memfd_create(name, MFD_CLOEXEC | MFD_EXEC)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return os.memfd_create(name, MFD_CLOEXEC)
        raise ClientError(f"{name} cannot be copied into memory (vm.memfd_noexec is 2?): {error}") from None


def _own_user() -> tuple[int, int]:
    """User and group of the client: for root one that nobody has, else our own. Raises ClientError."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    taken = {one.pw_uid for one in pwd.getpwall()} | {one.gr_gid for one in grp.getgrall()} | set(_running_users())
    free = [number for number in UNUSED if number not in taken]
    if not free:
        raise ClientError(f"every user of {UNUSED[0]} to {UNUSED[-1]}, of which a client gets one, is taken")
    # Not the first one: another measurement may begin now.
    number = free[int.from_bytes(os.urandom(4), "big") % len(free)]
    return number, number


def _running_users() -> t.Iterator[int]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has ended
            yield os.stat(f"/proc/{name}").st_uid


def _restrict(parent: int, config: int, owner: tuple[int, int]) -> t.Callable[[], None]:
    """What the child does before it becomes the client: drop root, gain nothing, die with its parent.

    The user changes first, for a change of user clears the death signal (kernel/cred.c, commit_creds).
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    (user, group), root = owner, os.geteuid() == 0

    def child() -> None:
        if root:
            os.fchown(config, user, group)
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # its memory holds the password
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return child
