# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log reader finds what known faults leave in logs, in every form that logs have, and says what it could not read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import time
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import _log_files, _log_scan, logs
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._log_lines import (
    Clock,
    head,
    moment,
    plain,
    shown,
    told,
)
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._log_scan import Window, scan
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._messages_nova import MESSAGES
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._prefilter import Prefilter
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._signatures import SIGNATURES
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from hypothesis import example, given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CLOCK = Clock(UTC, NOW)
SERVER = "362ee7ed-ea2d-43ce-9bc7-1280223875b7"
REQUEST = "req-02753af1-ae20-4839-81c5-66aabd0dc31f"
GLOBAL = "req-11111111-ae20-4839-81c5-66aabd0dc31f"
ALWAYS = Window(0.0)
# What is filled into the places of nova's messages.
FILL = {"reason": "why", "instance_id": SERVER, "image_id": SERVER, "port_id": SERVER, "instance_uuid": SERVER}


def entry(message: str, ago: float = 60.0, level: str = "ERROR", context: str | None = None) -> str:
    """A line as oslo.log writes it, `ago` seconds before now."""
    when = datetime.now(UTC) - timedelta(seconds=ago)
    context = f"[None {REQUEST} user project - - default default] " if context is None else context
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d} 4711 {level} nova.some.where {context}{message}\n"


def noise(lines: int, ago: float = 3600.0) -> str:
    return "".join(
        entry(f"nothing to see, line {n} of the instance", ago - n / 1000, "INFO", "[-] ") for n in range(lines)
    )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


class Host:
    """A directory that stands for a host; its time zone is UTC."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def read(self, **options: Any) -> dict[str, Any]:
        return logs.read(Tree(str(self.root)), options)

    def found(self, **options: Any) -> dict[str, int]:
        return {match["signature"]: match["count"] for match in self.read(**options)["matches"]}


# -- signatures -----------------------------------------------------------------------------------------------------------


def filled(text: str) -> str:
    places = re.compile(r"%\((\w+)\)[a-z]|%s")
    return places.sub(lambda place: FILL.get(place.group(1) or "", "x1"), text)


def _translations() -> list[Any]:
    return [
        pytest.param(message, text, id=f"{language}-{number}")
        for number, (message, known) in enumerate(MESSAGES.items())
        for language, text in {"en": message, **known}.items()
    ]


@pytest.mark.parametrize(("message", "text"), _translations())
@pytest.mark.parametrize("form", ["utf-8", "unicode_escape"])
def test_a_message_of_nova_is_recognised_in_its_language_and_as_python_2_escaped_it(
    host: Host, message: str, text: str, form: str
) -> None:
    host.write("/var/log/nova/nova.log", entry(filled(message)))
    english = host.found()
    assert english
    host.write("/var/log/nova/nova.log", entry("").encode().rstrip(b"\n") + filled(text).encode(form) + b"\n")
    assert host.found().keys() == english.keys()


# One line per alternative of FAULTS.md appendix A, as the service writes it.
LINES = {
    "cell_host_unmapped": (
        "No host-to-cell mapping found for selected host compute3. Setup is incomplete.",
        "Host 'compute3' is not mapped to any cell",
        "Host mapping not found for host compute3. Not tracking instance info for this host.",
    ),
    "catalog_service_without_endpoints": ("Invalid service catalog service: network", "Malformed endpoint http://[x"),
    "locale_not_utf8": ("UnicodeEncodeError: 'ascii' codec can't encode character u'\\u5982'",),
    "instances_disk_full": (
        "OSError: [Errno 28] No space left on device",
        "qemu-img: error while writing sector 4711: No space",
        "qemu-img: error while writing at byte 4096: x",
        "Unable to convert image to raw: x",
    ),
    "evacuate_storage_mismatch": ("InvalidSharedStorage: Invalid state of instance files on shared storage",),
    "controller_backends_differ": (
        "AMQP server on 10.0.0.1:5672 is unreachable: timed out",
        "(0, 0): (403) ACCESS_REFUSED - Login was refused",
        "MessagingTimeout: Timed out waiting for a reply to message ID 3",
        "All hosts must be set with username/password or not at the same time.",
    ),
    "flavor_extra_specs_unscoped": (
        "Filter ComputeCapabilitiesFilter returned 0 hosts",
        "Filter AggregateInstanceExtraSpecsFilter returned 0 hosts",
    ),
    "flavor_smaller_than_image": ("Flavor's memory is too small for requested image.",),
    "package_file_unreadable": (
        "ImportError('No module named nova.x',)",
        "ModuleNotFoundError: No module named 'nova.x'",
        "PermissionError: [Errno 13] Permission denied: '/usr/lib/python3/dist-packages/nova/x.py'",
        "Unable to load nova.x from configuration file api-paste.ini",
    ),
    "api_port_bind_denied": (
        "(13)Permission denied: AH00072: make_sock: could not bind to address [::]:5000",
        "(98)Address already in use: AH00072: make_sock: could not bind",
        "type=AVC msg=audit(1:2): avc:  denied  { name_bind } for  pid=1 comm=httpd src=5000",
    ),
    "auth_strategy_invalid": (
        f"Not authorized for image {SERVER}.",
        "Unhandled error: oslo_config.cfg.ConfigFileValueError: Value for option auth_strategy from LocationInfo(location="
        "<Locations.user: (4, True)>, detail='/etc/placement/placement.conf') is not valid: Valid values are [keystone, "
        "noauth2], but found 'keyston'",
        "Couldn't lookup app: neutron: KeyError: 'keyston'",
        "LookupError: No section 'glance-api-keyston' (prefixed by 'app' or 'application') found in config /etc/glance/x.ini",
    ),
    "config_value_invalid": (
        "oslo_config.cfg.ConfigFileValueError: Value for option workers from LocationInfo(location=<Locations.user: (4, "
        "True)>, detail='/etc/nova/nova.conf') is not valid: invalid literal for int() with base 10: 'two'",
    ),
    "image_ide_bus": ("IDE controllers are unsupported for this QEMU binary or machine type",),
    "image_video_unsupported": (
        "qemu: Cirrus VGA not available",
        "Provided video model (x) is not supported.",
        "Requested hardware 'x' is not supported by the 'kvm' virt driver",
    ),
    "compute_service_down": (
        "compute3 has not been heard from in a while",
        "Filter ComputeFilter returned 0 hosts",
        "Lost connection to nova-conductor for reporting service status.",
        "The services table record for the nova-compute service on host compute3 is gone. Resuming",
    ),
    "server_stuck_scheduling": ("instance's host None is down, deleting from database",),
    "database_grants_missing": ("(1044, \"Access denied for user 'nova'@'%' to database 'nova_cell0'\")",),
    "disk_overcommitted": ("compute3 has more disk space than database expected", "Disk of instance is too large(x)"),
    "console_ports_blocked": ("Origin header does not match this host.", "The token 'abc' is invalid or has expired"),
    "migration_ssh_broken": (
        "not able to execute ssh command: x",
        "Host key verification failed.",
        "This account is currently not available.",
    ),
    "vif_plugging_masked": (
        f"Timeout waiting for ['network-vif-plugged-{SERVER}'] for instance",
        f"Timeout waiting for [('network-vif-plugged', u'{SERVER}')] for instance",
        "Timeout waiting for vif plugging callback.",
        "VirtualInterfaceCreateException: Virtual Interface creation failed",
        "Failed to notify nova on events: [{}]",
        f"Binding failed for port {SERVER}, please check neutron logs for more information.",
    ),
    "instance_mapping_missing": (f"Instance {SERVER} could not be found.",),
    "allocation_orphaned": (
        f"Instance {SERVER} has allocations against this compute host but is not found in the database.",
        f"Instance {SERVER} is not being actively managed by this compute host but has allocations referencing it",
    ),
    "allocation_doubled": (
        f"Instance {SERVER} has been moved to another host b(b). There are allocations remaining against the source host",
    ),
    "placement_capacity_exhausted": (
        "NoValidHost_Remote: x",
        "No valid host was found. There are not enough hosts available.",
        "Got no allocation candidates from the Placement API.",
        f"Filtering removed all hosts for the request with instance ID '{SERVER}'. Filter results: []",
        f"Over capacity for VCPU on resource provider {SERVER}. Needed: 1",
    ),
    "scheduler_packs_hosts": ("Scheduler Host Filter RamFilter could not be found.",),
    "image_format_mismatch": (
        f"Image {SERVER} is unacceptable: x",
        f"Image {SERVER} expected to be raw but detected as qcow2",
        f"Image {SERVER} failed safety check: x",
    ),
    "image_has_backing_file": (
        "fmt=qcow2 backed by: /etc/passwd",
        f"Image {SERVER} failed safety check: Safety checks failed: backing_file",
    ),
}


@pytest.mark.parametrize(("fault", "line"), [(fault, line) for fault, lines in LINES.items() for line in lines])
def test_a_line_points_at_its_fault(host: Host, fault: str, line: str) -> None:
    host.write("/var/log/nova/nova-compute.log", entry(line))
    assert fault in {match["fault"] for match in host.read()["matches"]}


def test_a_misspelt_authentication_is_told_from_any_other_value_that_is_refused(host: Host) -> None:
    host.write("/var/log/placement/placement.log", entry(LINES["auth_strategy_invalid"][1]))
    assert host.found() == {"authentication_unknown": 1}


@pytest.mark.parametrize("name", ["nova-novncproxy", "nova-compute"])
def test_a_refused_connection_is_a_matter_of_consoles_only_in_the_log_of_a_console_proxy(host: Host, name: str) -> None:
    host.write(f"/var/log/nova/{name}.log", entry("[Errno 111] Connection refused"))
    assert host.found() == ({"console_refused": 1} if name == "nova-novncproxy" else {})


def test_a_full_osd_is_found_in_the_log_of_ceph(host: Host) -> None:
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"
    host.write(
        "/var/log/ceph/ceph.log", f"{stamp} mon.a (mon.0) 7 : cluster [WRN] Health check failed: 1 (OSD_NEARFULL)\n"
    )
    assert host.found() == {"ceph_full": 1}


@pytest.mark.parametrize(
    "line",
    [
        "Instance web-1 could not be found.",
        "Filter ComputeFilter returned 2 host(s)",
        "Volume 3 could not be found.",
        "Timeout waiting for [lock] of nobody",
        "HTTP exception thrown: Flavor m1.small could not be found.",
    ],
)
def test_what_only_resembles_a_signature_is_none(host: Host, line: str) -> None:
    host.write("/var/log/nova/nova-api.log", entry(line))
    assert host.found() == {}


def test_the_server_in_whose_context_a_line_was_written_is_told(host: Host) -> None:
    host.write(
        "/var/log/nova/nova-conductor.log", entry(f"[instance: {SERVER}] Setting instance to ERROR state.: NoValidHost")
    )
    assert host.read()["matches"][0]["servers"] == [SERVER]


def test_every_literal_stands_in_one_line() -> None:
    for signature in SIGNATURES:
        assert signature.literals
        assert all(literal and b"\n" not in literal for literal in signature.literals)


# -- the prefilter and the scanner ------------------------------------------------------------------------------------------

LITERALS = [literal for signature in SIGNATURES for literal in signature.literals]


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(
        st.one_of(
            st.sampled_from(
                [b"\n", b"\r\n", b" ", b"\\", b"\xff\xfe", b"\0", "错误".encode(), b"\n2026-11-21 11:00:00.1 7 "]
            ),
            st.sampled_from(LITERALS),
            st.sampled_from(LITERALS).map(lambda literal: literal[: len(literal) // 2]),
            st.binary(max_size=40),
            st.integers(1, 300).map(lambda n: b"instance could not be service " * n),
        ),
        max_size=30,
    ),
    reads=st.lists(st.integers(1, 700), min_size=1, max_size=20),
)
@example(parts=[b"x" * 5, LITERALS[0], b"\n" * 3, LITERALS[1]], reads=[1])
def test_the_lines_found_are_those_that_a_look_at_each_line_finds(parts: list[bytes], reads: list[int]) -> None:
    content = b"".join(parts)
    prefilter = Prefilter(LITERALS)
    file = io.BytesIO(content)
    turn = iter(reads * (len(content) + 2))
    found = [
        (line.raw, frozenset(line.literals))
        for line in scan(lambda _n: file.read(next(turn)), prefilter, CLOCK, ALWAYS)
    ]
    lines = [line + b"\n" for line in content.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    naive = [(line, frozenset(literal for literal in LITERALS if literal in line)) for line in lines]
    assert found == [(line, literals) for line, literals in naive if literals]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9000), min_size=1, max_size=6),
    places=st.lists(st.sampled_from(LITERALS), min_size=1, max_size=4),
    read=st.integers(500, 5000),
)
def test_a_literal_is_found_in_a_long_line_wherever_it_stands(
    lengths: list[int], places: list[bytes], read: int
) -> None:
    content = b" ".join(
        b"word " * (length // 5) + literal for length, literal in zip(lengths * 4, places, strict=False)
    )
    prefilter = Prefilter(LITERALS)
    file = io.BytesIO(b"first\n" + content + b"\nlast\n")
    before = _log_scan.LONG
    _log_scan.LONG = 12 << 10  # more than the overlap of two pieces
    try:
        found = list(scan(lambda _n: file.read(read), prefilter, CLOCK, ALWAYS))
    finally:
        _log_scan.LONG = before
    assert {literal for line in found for literal in line.literals} == {x for x in LITERALS if x in content}
    assert [line.again for line in found[:1]] == [False]


def test_a_line_of_100_megabytes_is_read_in_bounded_memory(host: Host) -> None:
    path = host.write("/var/log/nova/nova-api.log", entry("before"))
    with path.open("ab") as file:
        file.write(entry("").rstrip("\n").encode())
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b" No valid host was found. " + b"y" * (1 << 20) + b" No valid host was found.\n")
        file.write(entry(f"Instance {SERVER} could not be found.").encode())
    host.found()  # what is built once is not counted
    tracemalloc.start()
    result = host.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert {match["signature"]: match["count"] for match in result["matches"]} == {
        "no_valid_host": 1,
        "server_not_found": 1,
    }
    assert result["matches"][1]["lines"][0]["request_id"] == REQUEST
    assert result["read"]["bytes"] == path.stat().st_size
    assert peak < 8 << 20


# -- lines --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("2026-11-21 13:00:43.139 19351 INFO nova", "2026-11-21T13:00:43.139Z"),
        ("2026-11-21 13:00:43 19351 INFO nova", "2026-11-21T13:00:43.000Z"),
        ("2026-11-21 13:00:43,139 - root - INFO", "2026-11-21T13:00:43.139Z"),
        ("2026-11-21T13:00:43.139123456Z 2026-", "2026-11-21T13:00:43.139Z"),
        ("2026-11-21T13:00:43.139123+0100 host nova", "2026-11-21T12:00:43.139Z"),
        ("2026-11-21T13:00:43-05:30 host", "2026-11-21T18:30:43.000Z"),
        ("[Sat Nov 21 13:00:43.139000 2026] [wsgi:error]", "2026-11-21T13:00:43.139Z"),
        ("Nov 21 11:00:43 host nova[3]: x", "2026-11-21T11:00:43.000Z"),
        ("Dec 31 23:59:59 host nova[3]: x", "2025-12-31T23:59:59.000Z"),
        ("type=AVC msg=audit(1795266043.139:7): avc", "2026-11-21T13:00:43.139Z"),
        ("2026-02-31 13:00:43.139 no such day", None),
        ("    return self.pool.connect()", None),
        ("", None),
    ],
)
def test_the_time_of_a_line_is_read_in_the_forms_that_logs_have(line: str, when: str | None) -> None:
    assert told(moment(line.encode(), CLOCK)) == when


@pytest.mark.parametrize(
    ("context", "request_id", "global_id"),
    [
        (f"[{REQUEST} user project - default default] text", REQUEST, ""),
        (f"[None {REQUEST} user project - - default default] text", REQUEST, ""),
        (f"[{GLOBAL} {REQUEST} user project - - default default] text", REQUEST, GLOBAL),
        ("[-] text", "", ""),
        ("Traceback (most recent call last):", "", ""),
    ],
)
def test_both_prefixes_of_oslo_log_are_read(context: str, request_id: str, global_id: str) -> None:
    line = head(entry("", context=context))
    assert (line.level, line.logger, line.request, line.global_request) == (
        "ERROR",
        "nova.some.where",
        request_id,
        global_id,
    )


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb"NoValidHost: \u627e\u4e0d\u5230\u6709\u6548\u4e3b\u673a", "NoValidHost: 找不到有效主机"),
        (rb"\\u627e\\u4e0d", "找不"),
        (rb"f\xfcr den Host", "für den Host"),
        (rb"'\xe6\x89\xbe\xe4\xb8\x8d'", "'找不'"),
        (rb"a\nb \x00 \u0007 C:\users", r"a\nb \x00 \u0007 C:\users"),
        (b"caf\xe9 \xff", "caf\ufffd \ufffd"),
        (b"end\r\n", "end"),
        (b"\x1b[00;31mERROR nova.x \x1b[00m", "ERROR nova.x "),
    ],
)
def test_a_line_is_made_plain(raw: bytes, text: str) -> None:
    assert plain(raw) == text


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("connecting to mysql+pymysql://nova:s3cr3t@10.0.0.1/nova", "s3cr3t"),
        ("transport_url rabbit://a:s3cr3t@h:5672,b:s3cr3t@i:5672/", "s3cr3t@h"),
        ("curl -H 'X-Auth-Token: s3cr3tt0ken' http://x", "s3cr3tt0ken"),
        ('{"X-Subject-Token": "s3cr3tt0ken"}', "s3cr3tt0ken"),
        ("token gAAAAABs3cr3tt0kens3cr3t-_= end", "s3cr3t"),
        ("password=s3cr3t user=nova", "s3cr3t"),
        ("{'adminPass': 's3cr3t word', 'name': 'x'}", "s3cr3t"),
        ("{u'password': u's3cr3t'}", "s3cr3t"),
        ("GET /?token=s3cr3t&x=1", "s3cr3t"),
        ("The token 's3cr3t' is invalid or has expired", "s3cr3t"),
        ("Authorization: Bearer s3cr3ts3cr3t", "s3cr3ts3cr3t"),
        ("-----BEGIN RSA PRIVATE KEY----- s3cr3t", "s3cr3t"),
        ("x" * 490 + " password=s3cr3t", "s3cr3t"),
    ],
)
def test_secrets_of_a_line_are_not_shown(line: str, secret: str) -> None:
    assert secret not in shown(line)
    assert len(shown(line)) <= 500


# -- files ----------------------------------------------------------------------------------------------------------------

FOUND = "No valid host was found. There are not enough hosts available."


def count(result: dict[str, Any]) -> int:
    return sum(match["count"] for match in result["matches"])


def test_only_lines_within_the_window_count(host: Host) -> None:
    host.write("/var/log/nova/nova.log", entry(FOUND, 7200) + noise(100, 5000) + entry(FOUND, 1800) + entry(FOUND, 60))
    (match,) = host.read(log_window=3600)["matches"]
    assert match["count"] == 2
    assert match["first"] < match["last"]
    assert [line["time"] for line in match["lines"]] == [match["first"], match["last"]]


def test_the_beginning_of_the_window_is_found_without_reading_what_is_before_it(host: Host) -> None:
    old = "".join(entry(FOUND, 900000 - n * 10) for n in range(60000))
    path = host.write("/var/log/nova/nova.log", old + entry(FOUND, 3000) + noise(3000, 2000) + entry(FOUND, 10))
    result = host.read(log_window=3600)
    assert count(result) == 2
    assert result["read"]["bytes"] < path.stat().st_size / 5


def test_a_line_without_a_time_has_that_of_the_line_before_it(host: Host) -> None:
    old = entry("Traceback", 7200) + f"  nova.exception.NoValidHost: {FOUND}\n"
    new = entry("Traceback", 600) + "  File x\n" * 500 + f"  nova.exception.NoValidHost: {FOUND}\n"
    host.write("/var/log/nova/nova.log", old + new)
    (match,) = host.read(log_window=3600)["matches"]
    assert match["count"] == 1
    assert match["first"] is not None


def test_a_file_that_was_not_written_to_within_the_window_is_not_read(host: Host) -> None:
    path = host.write("/var/log/nova/nova.log.1", entry(FOUND, 60))
    os.utime(path, (time.time() - 90000,) * 2)
    assert host.read()["read"] == {"files": 0, "bytes": 0}


@pytest.mark.parametrize(
    "name", ["nova.log", "nova.log.1", "nova.log-20261121", "nova-api.log.old", "error_log", "nova_error.log"]
)
def test_a_log_is_known_by_its_name(host: Host, name: str) -> None:
    host.write(f"/var/log/kolla/nova/{name}", entry(FOUND))
    assert host.found() == {"no_valid_host": 1}


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)]
)
def test_a_compressed_log_is_read(host: Host, ending: str, compress: Any) -> None:
    host.write(f"/var/log/nova/nova.log.2{ending}", compress((noise(2000) + entry(FOUND)).encode()))
    assert host.found() == {"no_valid_host": 1}


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)]
)
def test_of_a_compressed_log_that_is_cut_short_what_is_there_counts_and_the_rest_is_told(
    host: Host, ending: str, compress: Any
) -> None:
    rest = os.urandom(3 << 20).hex()
    content = compress((entry(FOUND) + noise(3000) + rest).encode())
    host.write(f"/var/log/nova/nova.log.2{ending}", content[: len(content) - 1000])
    result = host.read()
    assert count(result) == 1
    assert [gap["reason"] for gap in result["gaps"]] == [
        f"/var/log/nova/nova.log.2{ending} is damaged or cut short; what it holds up to there was read"
    ]


@pytest.mark.parametrize("content", [b"", b"not gzip at all\n", b"\x1f\x8b\x08garbage garbage garbage"])
def test_what_is_no_gzip_in_spite_of_its_name_is_a_gap(host: Host, content: bytes) -> None:
    host.write("/var/log/nova/nova.log.2.gz", content)
    assert len(host.read()["gaps"]) == bool(content)


def test_a_format_that_python_cannot_read_is_a_gap(host: Host) -> None:
    host.write("/var/log/nova/nova.log.2.zst", b"(\xb5/\xfd")
    assert "compressed in a way" in host.read()["gaps"][0]["reason"]


def test_a_file_that_may_not_be_read_is_a_gap(host: Host) -> None:
    host.write("/var/log/nova/nova.log", entry(FOUND)).chmod(0)
    host.write("/var/log/nova/nova-api.log", entry(FOUND))
    for directory in (host.root, *host.root.parents):
        if directory.stat().st_uid == os.geteuid() and directory.stat().st_mode & 0o055 != 0o055:
            directory.chmod(directory.stat().st_mode | 0o055)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read anything
    try:
        result = host.read()
    finally:
        if root:
            os.seteuid(0)
    assert count(result) == 1
    assert [gap["reason"] for gap in result["gaps"]] == ["/var/log/nova/nova.log cannot be read: Permission denied"]


def test_a_fifo_in_the_place_of_a_log_does_not_hang(host: Host) -> None:
    host.write("/var/log/nova/nova-api.log", entry(FOUND))
    os.mkfifo(host.root / "var/log/nova/nova.log")
    assert count(host.read()) == 1


def test_lines_of_the_future_are_found_and_told(host: Host) -> None:
    host.write("/var/log/nova/nova.log", entry(FOUND, 60) + entry(FOUND, -86400 * 3))
    result = host.read()
    assert count(result) == 2
    assert "in the future" in result["gaps"][0]["reason"]


def test_windows_line_ends_foreign_bytes_and_a_last_line_without_end_are_read(host: Host) -> None:
    content = (
        entry(FOUND).encode().replace(b"\n", b"\r\n")
        + b"\xff\xfe\x00 "
        + entry(FOUND).encode()
        + entry(FOUND).encode()[:-1]
    )
    host.write("/var/log/nova/nova.log", content)
    assert count(host.read()) == 3


def test_the_time_zone_is_that_of_the_host(host: Host) -> None:
    zone = Path("/usr/share/zoneinfo/Asia/Shanghai")
    host.write("/etc/localtime", zone.read_bytes())
    local = datetime.now(timezone(timedelta(hours=8))) - timedelta(seconds=30)
    host.write("/var/log/nova/nova.log", f"{local:%Y-%m-%d %H:%M:%S}.000 7 ERROR nova [-] {FOUND}\n")
    (match,) = host.read(log_window=3600)["matches"]
    assert abs(datetime.fromisoformat(match["last"]).timestamp() - (time.time() - 30)) < 5


def test_the_limit_of_bytes_is_kept_and_told(host: Host) -> None:
    host.write("/var/log/nova/nova.log", noise(40000) + entry(FOUND))
    result = host.read(log_megabytes=1)
    assert result["read"]["bytes"] <= 1_000_000
    assert "limit of bytes" in result["gaps"][0]["reason"]


def test_the_limit_of_time_is_kept_and_told(host: Host) -> None:
    host.write("/var/log/nova/nova.log", noise(40000) + entry(FOUND))
    result = host.read(log_seconds=0.000001)
    assert "limit of time" in result["gaps"][0]["reason"]


def test_of_many_lines_all_are_counted_and_the_newest_are_kept(host: Host) -> None:
    host.write("/var/log/nova/nova.log.1", "".join(entry(FOUND, 9000 - n) for n in range(700)))
    host.write("/var/log/nova/nova.log", "".join(entry(f"{FOUND} number {n}", 900 - n) for n in range(700)))
    (match,) = host.read()["matches"]
    assert match["count"] == 1400
    assert [line["line"].rsplit(" ", 1)[1] for line in match["lines"]] == ["695", "696", "697", "698", "699"]


def way_through(host: Host, *literals: bytes) -> _log_files.Logs:
    prefilter = Prefilter(literals)
    limits = _log_files.Limits(1 << 30, time.monotonic() + 60)
    return _log_files.Logs(Tree(str(host.root)), lambda _service: prefilter, Window(time.time() - 86400), limits)


def test_a_log_that_is_rotated_while_it_is_read_is_read_to_its_end_and_then_the_new_one(host: Host) -> None:
    old = host.write("/var/log/nova/nova.log", entry("mark one") + noise(20000) + entry("mark two"))
    host.write("/var/log/nova/nova.log.1", entry("mark zero", 4000))
    reading = way_through(host, b"mark ")
    lines = reading.lines(_log_files.PATHS)
    seen = [next(lines)[2].raw]
    old.with_name("nova.log.1").rename(old.with_name("nova.log.2"))
    old.rename(old.with_name("nova.log.1"))
    host.write("/var/log/nova/nova.log", entry("mark three"))
    seen += [line.raw for _path, _service, line in lines]
    names = [raw.split()[-1].decode() for raw in seen]
    assert names[:2] == ["one", "two"]
    assert sorted(names[2:]) == ["three", "zero"]
    assert reading.gaps == []


def test_a_log_that_is_compressed_while_others_are_read_is_not_counted_twice(host: Host) -> None:
    host.write("/var/log/nova/a.log", entry("mark a"))
    old = host.write("/var/log/nova/b.log.1", entry("mark b"))
    last = host.write("/var/log/nova/c.log", entry("mark c") + noise(20000) + entry("mark d"))
    lines = way_through(host, b"mark ").lines(_log_files.PATHS)
    seen = [next(lines)[2].raw for _ in range(3)]
    host.write("/var/log/nova/b.log.1.gz", gzip.compress(old.read_bytes()))
    old.unlink()
    seen += [line.raw for _path, _service, line in lines]
    assert last.exists()
    assert [raw.split()[-1] for raw in seen] == [b"a", b"b", b"c", b"d"]


def test_a_log_that_is_truncated_while_it_is_read_is_read_on_from_its_beginning_and_told(host: Host) -> None:
    path = host.write("/var/log/nova/nova.log", entry("mark one") + noise(20000))
    reading = way_through(host, b"mark ")
    lines = reading.lines(_log_files.PATHS)
    seen = [next(lines)[2].raw]
    path.write_text(entry("mark two"))
    seen += [line.raw for _path, _service, line in lines]
    assert [raw.split()[-1] for raw in seen] == [b"one", b"two"]
    assert "was truncated" in reading.gaps[0]["reason"]


def test_a_request_is_followed_through_the_logs_in_the_order_of_time(host: Host) -> None:
    host.write("/var/log/nova/nova-compute.log", entry("spawning", 50) + noise(2000))
    host.write("/var/log/nova/nova-api.log.1.gz", gzip.compress(entry("accepted", 90, "INFO").encode()))
    other = entry(f"port of {SERVER}", 70, context=f"[{GLOBAL} {REQUEST[:-1]}0 u p - - d d] ")
    host.write("/var/log/neutron/server.log", other + entry("another", 60, context="[-] "))
    told_lines = logs.follow(Tree(str(host.root)), [REQUEST, SERVER], time.time() - 3600)
    assert [(line["service"], line["level"], line["ids"]) for line in told_lines["lines"]] == [
        ("nova-api", "INFO", [REQUEST]),
        ("server", "ERROR", [SERVER]),
        ("nova-compute", "ERROR", [REQUEST]),
    ]
    assert told_lines["lines"][1]["global_request_id"] == GLOBAL
    assert told_lines["left_out"] == 0


def test_of_a_long_trail_the_newest_lines_are_given_and_the_others_counted(host: Host) -> None:
    host.write("/var/log/nova/nova-api.log", "".join(entry(f"step {n}", 900 - n) for n in range(50)))
    told_lines = logs.follow(Tree(str(host.root)), [REQUEST], time.time() - 3600, options={"log_lines": 3})
    assert [line["line"][-2:] for line in told_lines["lines"]] == ["47", "48", "49"]
    assert told_lines["left_out"] == 47
