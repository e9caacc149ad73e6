# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log lines that known faults leave behind, and how each is recognised (FAULTS.md 1.4, appendix A).

The texts are those of the services' source; the translations are those of nova's message catalogues.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Optional

from ._messages_nova import MESSAGES


class Signature(NamedTuple):
    """One kind of log line.

    fault, reference: id and section of the fault it points at; the catalogue may not hold it yet.
    meaning: what a reader of the report is told.
    literals: {bytes of which every such line holds at least one: the pattern that a line with them has to match}. The
        bytes stand in the file: in English, in each translation, and in each translation as Python 2 escaped it. The
        pattern is for the line as `_log_lines.plain` gives it; its first group that took part is what the line is about.
    certainty: of a finding that rests on the line alone; "possible" for what a healthy cloud logs too.
    where: the services whose logs may hold it, a pattern for the service's name; None for all.
    """

    id: str
    fault: str
    reference: str
    meaning: str
    literals: Mapping[bytes, str]
    certainty: str = "probable"
    where: Optional[re.Pattern[str]] = None

    def value(self, literal: bytes, text: str) -> Optional[str]:
        """What a line that holds the literal is about: a host, an image; empty when it does not say, None for no match."""
        match = _compiled(self.literals[literal]).search(text)
        return None if match is None else next((group for group in match.groups() if group), "").rstrip(".,:;'")


# There are hundreds, and a log holds the literals of a few.
_compiled = functools.lru_cache(maxsize=None)(re.compile)


# A name in a message stands between quotes, spaces or full-width punctuation.
_NAME = r"([\w.:/@-]+)"
_UUID = "([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_IDENTIFIER = re.compile(r"%\((\w+_u?u?id|host|name|filter_name|model)\)s")
_PLACE = re.compile(r"%\(\w+\)[a-z]|%[a-z]")
# Catalogues, terminals and editors differ in these; a literal never spans them.
_PUNCTUATION = {",": "[,，]", "，": "[,，]", ".": "[.。]?", "。": "[.。]?", ":": "[:：]", "：": "[:：]"}
# What several short texts share is looked for once.
_SHARED = ("fmt=",)


def _signature(
    id: str,
    fault: str,
    meaning: str,
    *,
    english: str = "",
    literals: tuple[str, ...] = (),
    messages: tuple[str, ...] = (),
    certainty: str = "probable",
    where: str = "",
) -> Signature:
    """english: a pattern beside those of the messages; literals: what guards it. messages: of nova's catalogues."""
    name, reference = fault.rsplit(" ", 1)
    patterns: dict[bytes, list[str]] = {literal.encode(): [english] for literal in literals}
    for message in messages:
        for text in (message, *MESSAGES[message].values()):
            for literal in literals_of(text):
                patterns.setdefault(literal, []).append(pattern_of(text))
    joined = {literal: "|".join(dict.fromkeys(found)) for literal, found in patterns.items()}
    return Signature(id, name, reference, meaning, joined, certainty, re.compile(where) if where else None)


def pattern_of(text: str) -> str:
    """A pattern for a message of the catalogue with its places filled in."""
    found: list[str] = []
    end = len(text.rstrip(" .。"))
    position = len(text) - len(text.lstrip())
    while position < end:
        place = _PLACE.match(text, position)
        if place:
            identifier = _IDENTIFIER.match(text, position)
            inner = found and place.end() < end
            # clients look servers up by name first, and nova says of each name that it is no server (F32)
            name = _UUID if identifier and identifier.group(1) == "instance_id" else _NAME
            found.append(name if identifier else ".*?" if inner else "")
            position = place.end()
        else:
            letter = text[position]
            # translations are broken over lines, and double spaces are lost, in the terminals that seeds were copied from
            found.append(_PUNCTUATION.get(letter) or (r"\s*" if letter.isspace() else re.escape(letter)))
            position += 1
    return re.sub(r"(\\s\*)+", r"\\s*", "".join(found))


def literals_of(text: str) -> Iterator[bytes]:
    """The most telling piece of a message, as UTF-8 and as Python 2 escaped it."""
    pieces = [piece for part in _PLACE.split(text.strip()) for piece in re.split("[,，.。:：]", part)]
    for shared in _SHARED:
        if shared in text:
            yield shared.encode()
            return
    for encoding in ("utf-8", "unicode_escape"):
        yield max((piece.encode(encoding) for piece in pieces), key=_telling)


def _telling(piece: bytes) -> tuple[bool, bool, int]:
    # A long piece is found in passing; of short ones those are cheap that no English log holds.
    return len(piece) >= 15, not piece.isascii() or b"\\" in piece, len(piece)


_CONSOLE = r"novnc|spice|serialproxy|websockify|console"
# The checks of oslo.utils (imageutils/format_inspector.py) that an image fails for another file that it names.
_REFERS = r": .*\b(?:backing_file|data_file)\b"
_DISK_SMALLER = "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is "
_DISK_SMALL = "Flavor's disk is too small for requested image. Flavor disk is "

SIGNATURES: tuple[Signature, ...] = (
    _signature(
        "host_without_cell",
        "cell_host_unmapped F01",
        "the scheduler chose a compute host that is mapped to no cell",
        english=r"No host-to-cell mapping found for (?:selected )?host (\S+)|Host mapping not found for host (\S+) Not tracking"
        r"|Host mapping not found for host (\S+)",
        literals=("No host-to-cell mapping found for ", "Host mapping not found for host "),
        messages=("Host '%(name)s' is not mapped to any cell",),
    ),
    _signature(
        "catalog_invalid",
        "catalog_service_without_endpoints F02",
        "a client found no usable endpoint of a service in the catalog",
        english=r"Invalid service catalog(?: service)?: (\S+)|Malformed endpoint",
        literals=("Invalid service catalog", "Malformed endpoint"),
    ),
    _signature(
        "ascii_codec",
        "locale_not_utf8 F03",
        "a program could not write or read a character outside ASCII",
        english=r"'ascii' codec can't (?:en|de)code|UnicodeEncodeError",
        literals=("'ascii' codec can't ", "UnicodeEncodeError"),
    ),
    _signature(
        "disk_full",
        "instances_disk_full F04",
        "a file system or image had no space left",
        english=r"No space left on device|error while writing (?:sector|at byte) \d+",
        literals=("No space left on device", "error while writing sector ", "error while writing at byte "),
        messages=("Unable to convert image to raw: %(exp)s",),
    ),
    _signature(
        "evacuate_storage",
        "evacuate_storage_mismatch F05",
        "an evacuation said that instances are on shared storage where they are not, or the reverse",
        messages=("Invalid state of instance files on shared storage",),
    ),
    _signature(
        "message_queue_unreachable",
        "controller_backends_differ F06",
        "a service lost the message queue, was refused by it, or got no answer through it",
        english=r"AMQP server on (\S+?:\d+) is unreachable|ACCESS_REFUSED|Timed out waiting for a reply"
        r"|All hosts must be set with username/password or not",
        literals=(
            "AMQP server on ",
            "ACCESS_REFUSED",
            "Timed out waiting for a reply",
            "All hosts must be set with username/password or not",
        ),
    ),
    _signature(
        "extra_specs_reject_all",
        "flavor_extra_specs_unscoped F07",
        "a filter that compares a flavor's extra specs rejected every host",
        english=r"Filter (?:ComputeCapabilitiesFilter|AggregateInstanceExtraSpecsFilter) returned 0 hosts",
        literals=("ComputeCapabilitiesFilter returned 0 hosts", "AggregateInstanceExtraSpecsFilter returned 0 hosts"),
    ),
    _signature(
        "flavor_too_small",
        "flavor_smaller_than_image F07",
        "a server was refused because its flavor is smaller than the image needs",
        messages=(
            "Flavor's memory is too small for requested image.",
            _DISK_SMALL + "%(flavor_size)i bytes, image is %(image_size)i bytes.",
            _DISK_SMALLER + "%(flavor_size)i bytes, minimum size is %(image_min_disk)i bytes.",
        ),
    ),
    _signature(
        "python_module_unreadable",
        "package_file_unreadable F08",
        "a service could not import or read a file of its packages",
        english=r"ImportError\('No module named|ModuleNotFoundError: No module named (\S+)"
        r"|PermissionError: \[Errno 13\].*(?:site|dist)-packages|Unable to load (\S+) from configuration file",
        literals=(
            "ImportError('No module named",
            "ModuleNotFoundError: No module named",
            "PermissionError: [Errno 13]",
            " from configuration file",
        ),
    ),
    _signature(
        "port_bind_denied",
        "api_port_bind_denied F09",
        "Apache or a service was not allowed to bind its port",
        english=r"\(13\)Permission denied: AH00072|avc: +denied +\{ [^}]*name_bind.*src=(\d+)",
        literals=("Permission denied: AH00072", "avc:  denied  { name_bind"),
    ),
    _signature(
        "port_in_use",
        "api_port_bind_denied F09",
        "Apache's port was taken by another program",
        english=r"\(98\)Address already in use: AH00072",
        literals=("Address already in use: AH00072",),
        certainty="possible",
    ),
    _signature(
        "image_not_authorized",
        "auth_strategy_invalid F10",
        "nova was not let at an image",
        english=f"Not authorized for image {_UUID}",
        literals=("Not authorized for image ",),
        messages=("Not authorized for image %(image_id)s.",),
    ),
    _signature(
        "authentication_unknown",
        "auth_strategy_invalid F10",
        "a service ended because it has no authentication of the name that it is configured with",
        # oslo.config of placement, neutron's pipeline_factory, glance's paste file
        english=r"Value for option auth_strategy from LocationInfo|Couldn't lookup app: neutron: KeyError: "
        r"|No section 'glance-api-\S+' \(prefixed by ",
        literals=("Value for option auth_strategy from ", "Couldn't lookup app: neutron", "No section 'glance-api-"),
    ),
    _signature(
        "config_value_refused",
        "config_value_invalid F10",
        "a service ended because an option has a value that it does not take",
        english=r"ConfigFileValueError: Value for option (?!auth_strategy )\S+ from LocationInfo",
        literals=("ConfigFileValueError: Value for option ",),
    ),
    _signature(
        "ide_unsupported",
        "image_ide_bus F11",
        "QEMU refused a server with an IDE disk",
        english=r"IDE controllers are unsupported for this\s+QEMU binary or machine type",
        literals=("IDE controllers are unsupported for this",),
    ),
    _signature(
        "video_unsupported",
        "image_video_unsupported F12",
        "QEMU or nova refused a server's video or other hardware model",
        english=r"Cirrus VGA not available",
        literals=("Cirrus VGA not available",),
        messages=(
            "Provided video model (%(model)s) is not supported.",
            "Requested hardware '%(model)s' is not supported by the '%(virt)s' virt driver",
        ),
    ),
    _signature(
        "compute_silent",
        "compute_service_down F15",
        "a compute service did not report, or its record was gone",
        english=r"has not been heard from in a while|Filter ComputeFilter returned 0 hosts"
        r"|Lost connection to nova-conductor for reporting service status"
        r"|services table record for the \S+ service on host (\S+) is gone"
        r"|Unable to find services table record for nova-compute host (\S+)",
        literals=(
            "has not been heard from in a while",
            "Filter ComputeFilter returned 0 hosts",
            "Lost connection to nova-conductor for reporting service status",
            "services table record for ",
        ),
    ),
    _signature(
        "deleted_without_host",
        "server_stuck_scheduling F15",
        "a server that never got a host was deleted",
        english=r"instance's host None is down, deleting from database",
        literals=("instance's host None is down, deleting from database",),
        certainty="possible",
    ),
    _signature(
        "database_grant_missing",
        "database_grants_missing F16",
        "a database user was refused a database",
        english=r"\(1044, [\"']+Access denied for user '[^']+'@'[^']+' to database '([^']+)'"
        r"|Access denied for user '[^']+'@'[^']+' to database '([^']+)'",
        literals=("Access denied for user '",),
    ),
    _signature(
        "disk_larger_than_known",
        "disk_overcommitted F17",
        "a host had other disk space than nova reckoned with",
        english=r"has more disk space than database expected|Disk of instance is too large",
        literals=("has more disk space than database expected", "Disk of instance is too large"),
        messages=(
            "Unable to migrate %(instance_uuid)s: Disk of instance is too large(available on destination "
            "host:%(available)s < need:%(necessary)s)",
        ),
    ),
    _signature(
        "console_refused",
        "console_ports_blocked F18",
        "a console proxy could not reach the console of a server",
        english=r"ECONNREFUSED|EHOSTUNREACH|Connection refused|No route to host",
        literals=("ECONNREFUSED", "EHOSTUNREACH", "Connection refused", "No route to host"),
        where=_CONSOLE,
    ),
    _signature(
        "console_rejected",
        "console_ports_blocked F18",
        "a console proxy turned a browser away",
        english=r"Origin header does not match",
        literals=("Origin header does not match",),
        messages=("The token '%(token)s' is invalid or has expired",),
        certainty="possible",
    ),
    _signature(
        "migration_ssh_failed",
        "migration_ssh_broken F21",
        "a compute could not reach another one by ssh",
        english=r"Host key verification failed|This account is currently not available",
        literals=("Host key verification failed", "This account is currently not available"),
        messages=("not able to execute ssh command: %s",),
    ),
    _signature(
        "ceph_full",
        "ceph_osd_nearfull F22",
        "Ceph reported that disks or pools fill up",
        english=r"OSD_(?:NEAR|BACKFILL)?FULL|PG_(?:BACKFILL|RECOVERY)_FULL|POOL_(?:NEAR_?)?FULL",
        literals=("FULL",),
        where="ceph",
    ),
    _signature(
        "vif_plugging",
        "vif_plugging_masked F23",
        "the network of a server was not wired in time, or neutron could not tell nova that it was",
        english=r"Timeout waiting for \[.*network-vif-plugged|Timeout waiting for vif plugging callback"
        r"|Failed to notify nova on events",
        literals=(
            "Timeout waiting for [",
            "Timeout waiting for vif plugging callback",
            "Failed to notify nova on events",
        ),
        messages=(
            "Virtual Interface creation failed",
            "Failed to allocate the network(s), not rescheduling.",
            "Failed to allocate the network(s) with error %s, not rescheduling.",
            "Binding failed for port %(port_id)s, please check neutron logs for more information.",
        ),
    ),
    _signature(
        "server_not_found",
        "instance_mapping_missing F25",
        "a server was asked for that nova did not know; this is normal once it is deleted",
        english=f"Instance {_UUID} could not be found",
        literals=("could not be found",),
        messages=("Instance %(instance_id)s could not be found.",),
        certainty="possible",
    ),
    _signature(
        "allocation_left_behind",
        "allocation_orphaned F26",
        "a server that this host does not run has allocations against it",
        english=r"Instance (\S+) has allocations against this compute host but is not found in the database"
        r"|Instance (\S+) is not being actively managed by this compute host but has allocations",
        literals=("has allocations against this compute host", "is not being actively managed by this compute host"),
    ),
    _signature(
        "allocation_on_source",
        "allocation_doubled F26",
        "a server that moved away has allocations left on its former host",
        english=r"Instance (\S+) has been moved to another host .*allocations remaining against the source host",
        literals=(" has been moved to another host ",),
    ),
    _signature(
        "no_valid_host",
        "placement_capacity_exhausted F27",
        "no host could take a server",
        english=r"NoValidHost(?:_Remote)?|Got no allocation candidates from the Placement"
        r"|Filtering removed all hosts for the request with instance ID '([^']+)'|Over capacity for (\S+) on resource provider",
        literals=(
            "NoValidHost",
            "Got no allocation candidates from the Placement",
            "Filtering removed all hosts for the request with instance ID ",
            "Over capacity for ",
        ),
        messages=("No valid host was found. %(reason)s", "There are not enough hosts available."),
    ),
    _signature(
        "scheduler_filter_unknown",
        "scheduler_packs_hosts F29",
        "the scheduler is configured with a filter that its release does not have",
        english=r"Scheduler Host Filter (\S+) could not be found",
        literals=("Scheduler Host Filter ",),
        messages=("Scheduler Host Filter %(filter_name)s could not be found.",),
    ),
    _signature(
        "image_unacceptable",
        "image_format_mismatch F31",
        "nova refused an image because of its content",
        english=r"Image (\S+) expected to be \S+ but detected as \S+|expected to be \S+ but detected as"
        rf"|Image (\S+) failed safety check(?!{_REFERS})",
        literals=(" expected to be ", "failed safety check"),
        messages=("Image %(image_id)s is unacceptable: %(reason)s",),
    ),
    _signature(
        "image_backed",
        "image_has_backing_file F31",
        "nova refused an image that has a backing file",
        english=rf"Image (\S+) failed safety check{_REFERS}",
        literals=("failed safety check",),
        messages=("fmt=%(fmt)s backed by: %(backing_file)s",),
    ),
)
