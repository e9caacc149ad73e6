# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read one log line: when it was written, by whom, for which request, and what of it may be shown.

oslo.log writes `time pid LEVEL logger [context] message`, and in a traceback `time pid LEVEL logger text`. The context began
with the request id until oslo.log 4, and with the global request id, or None, since 5.0 (Zed): oslo_log/_options.py.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple, Optional

# What a report shows of a line, in characters.
SHOWN = 500

_TIME = rb"(?P<hour>[012]\d):(?P<minute>[0-5]\d):(?P<second>[0-6]\d)"
_STAMP = re.compile(
    rb"(?P<year>[12]\d{3})-(?P<month>[01]\d)-(?P<day>[0-3]\d)[ T]" + _TIME + rb"(?:[.,](?P<fraction>\d{1,9}))?"
    rb" ?(?P<zone>Z|[+-]\d\d:?\d\d)?(?![\d:])"
)
_APACHE = re.compile(
    rb"\[(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) "
    + _TIME
    + rb"(?:\.(?P<fraction>\d{1,6}))? (?P<year>[12]\d{3})\]"
)
_SYSLOG = re.compile(rb"(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) " + _TIME + rb" ")
_AUDIT = re.compile(rb"type=\S+ msg=audit\((?P<epoch>\d{9,11}(?:\.\d+)?):")
_MONTHS = {name: n for n, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}

_OSLO = re.compile(
    r"(?:^|\s)(?P<pid>\d+) (?P<level>TRACE|DEBUG|INFO|AUDIT|WARNING|ERROR|CRITICAL) (?P<logger>[\w.-]+)(?: |$)"
)
_CONTEXT = re.compile(r"\[(?:(?P<global>req-[0-9a-f-]{36}|None) )?(?P<request>req-[0-9a-f-]{36})[ \]]")

_SERVER = re.compile(r"\[instance: ([0-9a-f-]{36})\]")

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Each of these begins where a run of its characters does, lest a long run is gone through again from every place in it.
_ESCAPES = re.compile(r"(?<!\\)(?:\\+u([0-9a-fA-F]{4})|((?:\\+x[0-9a-fA-F]{2})+))")
_SECRETS = (
    (re.compile(r"://[^\s/@'\":]*:[^\s/@'\"]*@"), "://***:***@"),
    (re.compile(r"gAAAA[\w=-]{8,}"), "***"),
    (re.compile(r"(?i)\b(X-(?:Auth|Subject|Service)-Token[\"']?\s*[:=]\s*[\"']?)[^\s\"',}]+"), r"\1***"),
    (re.compile(r"(The token ['\"])[^'\"]+"), r"\1***"),
    (
        re.compile(
            r"(?i)((?<!\w)\w*(?:pass(?:word|wd|phrase)?|secret(?:_key)?|token|api_?key|private_key)"
            r"[\"']?\s*(?:=|:)\s*u?)(\"[^\"]*\"?|'[^']*'?|[^\s,;&}\])]+)"
        ),
        r"\1***",
    ),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY.*", re.DOTALL), "*** (private key)"),
    (re.compile(r"(?i)\b(Bearer|Basic) +[\w+/=.~-]{8,}"), r"\1 ***"),
)


class Clock(NamedTuple):
    """What is needed to read the times of a host's logs: its time zone, and now (for times without a year)."""

    zone: tzinfo
    now: datetime


class Head(NamedTuple):
    """What the beginning of a line says. level, request and global_request are empty where it does not."""

    level: str
    logger: str
    request: str
    global_request: str


def moment(line: bytes, clock: Clock) -> Optional[float]:
    """When a line was written, in seconds since 1970; None for a line that does not begin with a time."""
    start = line[:64].lstrip(b"\x00")
    try:
        found = _STAMP.match(start)
        if found:
            return _epoch(found, int(found["year"]), int(found["month"]), _zone(found["zone"], clock))
        found = _AUDIT.match(start)
        if found:
            return float(found["epoch"])
        found = _APACHE.match(start)
        if found:
            return _epoch(found, int(found["year"]), _MONTHS[found["month"]], clock.zone)
        found = _SYSLOG.match(start)
        if found:
            year = clock.now.astimezone(clock.zone).year
            seconds = _epoch(found, year, _MONTHS[found["month"]], clock.zone)
            # a line of December that is read in January
            last_year = seconds > clock.now.timestamp() + 86400
            return _epoch(found, year - 1, _MONTHS[found["month"]], clock.zone) if last_year else seconds
    except (KeyError, ValueError, OverflowError):
        pass  # it looks like a time and is none: "2026-02-31", "Foo 12 ..."
    return None


def _zone(given: Optional[bytes], clock: Clock) -> tzinfo:
    if not given:
        return clock.zone
    if given == b"Z":
        return timezone.utc
    sign = -1 if given[:1] == b"-" else 1
    return timezone(sign * timedelta(hours=int(given[1:3]), minutes=int(given[-2:])))


def _epoch(found: re.Match[bytes], year: int, month: int, zone: tzinfo) -> float:
    second = min(int(found["second"]), 59)  # a leap second
    when = datetime(year, month, int(found["day"]), int(found["hour"]), int(found["minute"]), second, tzinfo=zone)
    fraction = found.groupdict().get("fraction")
    return when.timestamp() + (float(b"0." + fraction) if fraction else 0.0)


def told(seconds: Optional[float]) -> Optional[str]:
    """A time as the result has it: RFC 3339, UTC, milliseconds."""
    if seconds is None:
        return None
    when = datetime.fromtimestamp(seconds, timezone.utc)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(line: bytes) -> str:
    """A line as text: escapes of Python 2 undone, what is no UTF-8 replaced, without colours and its line end."""
    text = line.rstrip(b"\r\n").decode("utf-8", "replace")
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    return _ESCAPES.sub(_unescape, text) if "\\" in text else text


def _unescape(escape: re.Match[str]) -> str:
    if escape.group(1):
        letter = chr(int(escape.group(1), 16))
        return letter if letter.isprintable() else escape.group(0)
    raw = bytes.fromhex("".join(re.findall(r"x([0-9a-fA-F]{2})", escape.group(2))))
    for encoding in ("utf-8", "latin-1"):  # the bytes of a str, or the letters of a unicode
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            return text
    return escape.group(0)


def head(text: str) -> Head:
    """The fields of oslo.log's prefix, of either kind."""
    start = text[:600]
    oslo = _OSLO.search(start, 0, 250)
    context = _CONTEXT.search(start)
    other = context.group("global") if context else None
    return Head(
        oslo.group("level") if oslo else "",
        oslo.group("logger") if oslo else "",
        context.group("request") if context else "",
        other if other and other != "None" else "",
    )


def server_of(text: str) -> str:
    """The server in whose context oslo.log wrote a line, or empty."""
    found = _SERVER.search(text)
    return found.group(1) if found else ""


def shown(text: str) -> str:
    """A line for a report: no secrets, no control characters, at most `SHOWN` characters."""
    # masked before it is cut, lest the half of a secret is not known for one
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    text = "".join(letter if letter.isprintable() else " " for letter in text[: 8 * SHOWN]).strip()
    if len(text) > SHOWN:
        text = text[: SHOWN - 1] + "…"
    return text
