# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell the format of an image by the beginning of its content, and whether it refers to other files.

It agrees with oslo_utils.imageutils.format_inspector (oslo.utils 10.1), which nova and glance decide by; a test compares
the two. No program is run on the content, and what it names is not looked at.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple, Optional

# All that is needed of any format but the descriptor of a VMDK: an ISO 9660 volume is told at 32 KiB.
HEAD = 64 << 10
# A VMDK's descriptor is at most this long (QEMU, block/vmdk.c).
_DESCRIPTOR = (1 << 20) - 1
_SECTOR = 512
# A name is shown cut off here; it is somebody else's text.
_NAME = 200
_WHOLE_VMDKS = ("monolithicsparse", "streamoptimized")


class Content(NamedTuple):
    """formats: all whose marks are there, ("raw",) for none; refers: to what other file, "" for none."""

    formats: tuple[str, ...]
    refers: str

    @property
    def format(self) -> str:
        """The one format, as nova and glance decide; "" where several contradict each other."""
        if self.formats == ("gpt", "iso"):
            return "iso"  # a disc that also boots as a disk
        return self.formats[0] if len(self.formats) == 1 else ""


def needed(head: bytes) -> int:
    """How many bytes of the content `identify` needs, judging by the first HEAD of them."""
    if head.startswith(b"KDMV") and len(head) >= 64:
        length: int = struct.unpack("<Q", head[36:44])[0]
        return max(HEAD, _SECTOR + min(length * _SECTOR, _DESCRIPTOR))
    return HEAD


def identify(head: bytes) -> Content:
    """The format of a content that begins with these bytes; give it as many as `needed` says, or all there are."""
    marks = {
        "qcow2": len(head) >= _SECTOR and head.startswith(b"QFI\xfb"),
        "qed": len(head) >= _SECTOR and head.startswith(b"QED\0"),
        "vhd": head.startswith(b"conectix"),
        "vhdx": head.startswith(b"vhdxfile"),
        "vmdk": head.startswith(b"KDMV") or _create_type(_text_descriptor(head)) is not None,
        "vdi": len(head) >= _SECTOR and head[64:68] == b"\x7f\x10\xda\xbe",
        # ISO 9660, and UDF beside it
        "iso": len(head) >= 34 << 10 and head[32769:32774] in (b"CD001", b"NSR02", b"NSR03"),
        # a master boot record, of GPT too; a FAT file system ends its first sector alike
        "gpt": len(head) >= _SECTOR and head[510:512] == b"\x55\xaa" and not (head[16] == 2 and head[21] == 0xF8),
        "luks": head.startswith(b"LUKS\xba\xbe"),
    }
    formats = tuple(sorted(name for name, there in marks.items() if there)) or ("raw",)
    refers = ""
    if "qcow2" in formats:
        refers = _of_qcow2(head)
    elif "vmdk" in formats:
        refers = _of_vmdk(head)
    return Content(formats, refers)


# Packed images are no disks: (mark, offset, name)
_PACKED = (
    (b"\x1f\x8b", 0, "gzip"),
    (b"\xfd7zXZ\0", 0, "xz"),
    (b"BZh", 0, "bzip2"),
    (b"PK\x03\x04", 0, "zip"),
    (b"\x28\xb5\x2f\xfd", 0, "zstd"),
    (b"ustar", 257, "tar"),
)


def packing(head: bytes) -> str:
    """How a content is packed, "" where it is not; to oslo.utils that is raw."""
    return next((name for mark, offset, name in _PACKED if head[offset : offset + len(mark)] == mark), "")


def _of_qcow2(head: bytes) -> str:
    """QEMU, docs/interop/qcow2.txt: backing_file_offset and _size at 8, incompatible features at 72 from version 3 on."""
    version, offset, length = struct.unpack(">IQI", head[4:20])
    if offset:
        name = head[offset : offset + min(length, 1023)] if offset < len(head) else b""
        return f"a backing file{_shown(name)}"
    # oslo.utils reads the features of version 2 as well, which has none there.
    if version >= 3 and struct.unpack(">Q", head[72:80])[0] & 4:
        return "a data file"
    return ""


def _of_vmdk(head: bytes) -> str:
    """The descriptor: a createType with files of its own, a parent, or extents by their path."""
    text = _text_descriptor(head) or _embedded_descriptor(head)
    kind = _create_type(text)
    parent = re.search(r'^\s*parentfilenamehint\s*=\s*"([^"\n]*)', text, re.MULTILINE)
    if parent:
        return f"a backing file{_shown(parent[1].encode())}"
    if kind is not None and kind not in _WHOLE_VMDKS:
        return f"files of its own beside it (createType {kind})"
    for line in text.splitlines():
        if line.strip().split(" ")[0] in ("rw", "rdonly", "noaccess") and "/" in line:
            return f"a file by its path{_shown(line.strip().encode())}"
    return ""


def _text_descriptor(head: bytes) -> str:
    """The descriptor of a VMDK that is nothing but one, in lower case; "" for anything else."""
    try:
        beginning = head[:_SECTOR].decode("ascii")
    except UnicodeDecodeError:
        return ""
    if len(head) < 64 or not all(char.isprintable() or char.isspace() for char in beginning):
        return ""
    return _text(head[:_DESCRIPTOR])


def _embedded_descriptor(head: bytes) -> str:
    """The descriptor inside a sparse VMDK, in lower case."""
    if len(head) < 64:
        return ""
    offset, length = struct.unpack("<QQ", head[28:44])
    if offset != 1:  # where QEMU and oslo.utils want it
        return ""
    return _text(head[_SECTOR : _SECTOR + min(length * _SECTOR, _DESCRIPTOR)])


def _text(data: bytes) -> str:
    try:
        return data.partition(b"\0")[0].decode("ascii").lower()
    except UnicodeDecodeError:
        return ""


def _create_type(text: str) -> Optional[str]:
    """As oslo.utils cuts it out; None where there is none."""
    _before, mark, after = text.partition('createtype="')
    if not mark:
        return None
    kind = after.partition('"')[0] if '"' in after else after[:-1]
    return kind if len(kind) < 64 or '"' not in after else None


def _shown(name: bytes) -> str:
    text = "".join(char if char.isprintable() else "?" for char in name[:_NAME].decode("utf-8", "replace"))
    return f" ({text})" if text else ""
