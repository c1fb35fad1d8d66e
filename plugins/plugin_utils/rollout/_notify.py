# Copyright: (c) 2026, the fastopen.shadowsocks authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run tells ``rollout_notify_url``: small JSON documents, see docs/notifications.md, each by one POST."""

from __future__ import annotations

import ipaddress
import json
import re
import threading
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout import _journal
from ansible_collections.fastopen.shadowsocks.plugins.plugin_utils.rollout._shown import STATUS

VERSION = 1
"""Of the documents: it changes when a key goes or means something else."""
DEADLINE_SECONDS = 2.0
"""What a notification may take in all, from the look-up of the name to the status of the answer."""
REASONS, CHARACTERS = 10, 300
"""How many reasons are told, and how much of a text."""

_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_IPV6 = re.compile(r"(?<!\w)[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}")
_HIDDEN = "(address)"


def document(
    event: str,
    run: str,
    text: str,
    *,
    wave: str = "",
    side: str = "",
    verdict: str = "",
    outcomes: t.Optional[t.Mapping[str, int]] = None,
    reasons: t.Sequence[str] = (),
    following: str = STATUS,
) -> dict[str, t.Any]:
    """One notification. ``text`` is the sentence for people, without the run's name; ``outcomes`` are hosts by outcome, of
    the wave, at the end of the run. No text has more than CHARACTERS, or an address in it: hosts have their inventory names.
    """
    counts = {outcome: number for outcome, number in (outcomes or {}).items() if outcome}
    counted = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return {
        "version": VERSION,
        "event": event,
        "time": _journal.now(),
        "run": run,
        "wave": wave,
        "side": side,
        "verdict": verdict,
        "outcomes": counts,
        "reasons": [_told(reason) for reason in reasons[:REASONS]],
        "next": _told(following),
        "text": _told(f"TCP Fast Open rollout {run}: {text}{': ' * bool(counted)}{counted}"),
    }


def _told(text: str) -> str:
    without = _IPV6.sub(_hide, _IPV4.sub(_HIDDEN, text))
    return without if len(without) <= CHARACTERS else f"{without[: CHARACTERS - 3]}..."


def _hide(found: re.Match[str]) -> str:
    """An IPv6 address is hidden, what only looks like one, such as a time, is not."""
    text = found[0].removesuffix(":") if not found[0].endswith("::") else found[0]
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return found[0]
    return _HIDDEN + found[0][len(text) :]


def send(url: str, content: t.Mapping[str, t.Any]) -> str:
    """POST it; '' where it arrived, else why it did not, without anything of the URL. Takes DEADLINE_SECONDS at most.

    A thread does it, for no time-out covers all of it: names are looked up without one, and an answer may come drop by drop.
    One that is late is left to itself and dies with the process of its task.
    """
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.append(_post(url, content)), daemon=True)
    thread.start()
    thread.join(DEADLINE_SECONDS)
    return told[0] if told else f"no answer within {DEADLINE_SECONDS:g} s"


def place(url: str) -> str:
    """The part of it that may be shown."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _post(url: str, content: t.Mapping[str, t.Any]) -> str:
    """No redirect is followed and no login added: the operator has named this receiver and no other."""
    try:
        open_url(
            url,
            method="POST",
            data=json.dumps(content),
            headers={"Content-Type": "application/json"},
            http_agent="fastopen.shadowsocks",
            timeout=DEADLINE_SECONDS,
            follow_redirects="none",
            use_netrc=False,
        ).close()
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}" + (", a redirect, which is not followed" if 300 <= error.code < 400 else "")
    except Exception as error:  # its text may hold the URL, and so only what the system says of it is told
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return f"no answer within {DEADLINE_SECONDS:g} s"
        return getattr(reason, "strerror", None) or type(reason).__name__
    return ""
