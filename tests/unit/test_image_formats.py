# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The format of an image is told from its first bytes as oslo.utils tells it, by which nova and glance decide."""

from __future__ import annotations

import io
import struct

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._image_formats import (
    HEAD,
    identify,
    needed,
    packing,
)
from hypothesis import given
from hypothesis import strategies as st
from oslo_utils.imageutils import format_inspector

MARKS = {
    "qcow2": (0, b"QFI\xfb\0\0\0\x03"),
    "qcow2, version 2": (0, b"QFI\xfb\0\0\0\x02"),
    "qed": (0, b"QED\0"),
    "vhd": (0, b"conectix"),
    "vhdx": (0, b"vhdxfile"),
    "vmdk": (0, b"KDMV\x01\0\0\0"),
    "luks": (0, b"LUKS\xba\xbe\0\x01"),
    "vdi": (64, b"\x7f\x10\xda\xbe"),
    "gpt": (510, b"\x55\xaa"),
    "fat": (16, b"\x02\0\0\0\0\xf8"),
    "iso": (32769, b"CD001"),
    "udf": (32769, b"NSR03"),
}
DESCRIPTOR = b"""# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="monolithicSparse"
# Extent description
RW 2048 SPARSE "disk.vmdk"
"""


def oslo(content: bytes) -> tuple[str, ...]:
    wrapper = format_inspector.InspectWrapper(io.BytesIO(content))
    wrapper.read(len(content))
    wrapper.close()
    return tuple(sorted(str(found) for found in wrapper.formats or ()))


def oslo_refuses(content: bytes) -> set[str]:
    """The safety checks that oslo.utils says a content does not pass."""
    wrapper = format_inspector.InspectWrapper(io.BytesIO(content))
    wrapper.read(len(content))
    wrapper.close()
    assert wrapper.format is not None
    try:
        wrapper.format.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        return set(error.failures)
    return set()


def qcow2(version: int = 3, backing: int = 0, features: int = 0, name: bytes = b"") -> bytes:
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", version, backing, len(name), 16, 1 << 30)
    content = bytearray(header.ljust(72, b"\0") + struct.pack(">Q", features)).ljust(HEAD, b"\0")
    content[backing : backing + len(name)] = name if backing else b""
    return bytes(content[:HEAD])


def sparse_vmdk(descriptor: bytes = DESCRIPTOR) -> bytes:
    header = struct.pack("<4sIIQQQQIQQ", b"KDMV", 1, 3, 2048, 128, 1, 20, 512, 0, 21)
    return (header.ljust(512, b"\0") + descriptor.ljust(20 * 512, b"\0")).ljust(HEAD, b"\0")


@given(
    marks=st.sets(st.sampled_from(sorted(MARKS)), max_size=3),
    filler=st.sampled_from([b"\0", b"\xff", b"text \n", b"\x01\x02"]),
    size=st.sampled_from([0, 3, 63, 64, 100, 511, 512, 600, 33000, 34815, 34816, 40000]),
)
def test_any_mixture_of_marks_is_what_oslo_utils_says(marks: set[str], filler: bytes, size: int) -> None:
    content = bytearray((filler * size)[:size])
    for mark in sorted(marks):
        offset, there = MARKS[mark]
        if offset + len(there) <= size:
            content[offset : offset + len(there)] = there
    try:
        theirs = oslo(bytes(content))
    except AttributeError:
        # oslo.utils itself fails where only the first 512 bytes are text; nova then refuses the image.
        return
    assert identify(bytes(content)).formats == theirs


@given(content=st.binary(max_size=2048))
def test_any_other_content_is_what_oslo_utils_says(content: bytes) -> None:
    try:
        theirs = oslo(content)
    except AttributeError:
        return
    assert identify(content).formats == theirs


@given(kind=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=80))
def test_a_text_is_a_vmdk_where_oslo_utils_says_so(kind: str) -> None:
    content = DESCRIPTOR.replace(b"monolithicSparse", kind.encode())
    assert identify(content).formats == oslo(content)


@given(backing=st.sampled_from([0, 1, 104, 4096, 1 << 40]), features=st.integers(0, 15))
def test_a_qcow2_refers_to_other_files_where_oslo_utils_says_so(backing: int, features: int) -> None:
    content = qcow2(backing=backing, features=features)
    assert bool(identify(content).refers) == bool(oslo_refuses(content) & {"backing_file", "data_file"})


@pytest.mark.parametrize(
    ("content", "refers"),
    [
        (qcow2(), ""),
        (qcow2(version=2), ""),
        (qcow2(backing=1024, name=b"/srv/base.qcow2"), "a backing file (/srv/base.qcow2)"),
        (qcow2(version=2, backing=1024, name=b"base"), "a backing file (base)"),
        (qcow2(features=4), "a data file"),
        (sparse_vmdk(), ""),
        (sparse_vmdk(DESCRIPTOR.replace(b'"disk.vmdk"', b'"/etc/passwd"')), 'a file by its path (rw 2048 sparse "/etc/passwd")'),
        (DESCRIPTOR.replace(b"monolithicSparse", b"vmfs"), "files of its own beside it (createType vmfs)"),
        (sparse_vmdk(DESCRIPTOR + b'parentFileNameHint="base.vmdk"\n'), "a backing file (base.vmdk)"),
    ],
)  # fmt: skip
def test_what_an_image_refers_to_is_named(content: bytes, refers: str) -> None:
    assert identify(content).refers == refers


def test_a_disc_that_boots_as_a_disk_is_an_iso() -> None:
    content = bytearray(40000)
    content[510:512], content[32769:32774] = b"\x55\xaa", b"CD001"
    assert identify(bytes(content)).format == "iso"


def test_several_formats_at_once_are_none() -> None:
    content = bytearray(qcow2())
    content[510:512] = b"\x55\xaa"
    assert identify(bytes(content)).format == ""


def test_a_long_descriptor_is_read_whole_and_no_more_than_qemu_reads() -> None:
    head = bytearray(sparse_vmdk())
    struct.pack_into("<Q", head, 36, 400)
    assert needed(bytes(head)) == 401 * 512
    struct.pack_into("<Q", head, 36, 1 << 40)
    assert needed(bytes(head)) == 512 + (1 << 20) - 1
    assert needed(qcow2()) == HEAD


def test_a_packed_image_is_no_disk() -> None:
    assert packing(b"\x1f\x8b\x08") == "gzip"
    assert packing(bytes(512)) == ""
