# Copyright (c) 2026, the Stackmend authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a table of mounts or the head of a disk holds, it is read, the table as libmount reads it."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence import compute, instances_disk
from ansible_collections.stackmend.openstack.plugins.module_utils._evidence._tree import Tree
from ansible_collections.stackmend.openstack.plugins.module_utils._model import Unavailable
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.texts import FEW, LONG_SETTINGS, SETTINGS, long, near

WORDS = (
    "/dev/sda1",
    "/",
    "/mnt",
    "/mnt/a\\040b",
    "\\040",
    "\\011",
    "ext4",
    "nfs4",
    "rw,x=y",
    "0 0",
    "#",
    "UUID=x",
    "none",
    "swap",
)


@SETTINGS
@given(near(*WORDS), st.sampled_from(["/mnt", "/mnt/a b/c", "", "x"]))
def test_any_text_is_a_table_of_mounts(text: str, path: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        Path(root, "etc").mkdir()
        Path(root, "etc/fstab").write_bytes(text.encode("utf-8", "surrogateescape"))
        kind = compute.filesystem(Tree(root), path)
    assert kind in ["", *(kind for _point, kind in compute.mount_points(text))]


@LONG_SETTINGS
@given(long(*WORDS, "\n"))
def test_long_tables_are_read_in_one_go(text: str) -> None:
    compute.mount_points(text)


POINT = st.sampled_from(
    ["/", "/mnt", "/mnt/a", "/mnt/a\\040b", "/mnt/a#b", "/m\\011\\134x", "/ä", "/mnt\\12", "/x\\043"]
)
LINE = st.one_of(
    st.builds(
        lambda before, source, gap, point, kind, rest: f"{before}{source}{gap}{point}{gap}{kind}{rest}",
        st.sampled_from(["", "", " ", "\t", "#", "# "]),
        st.sampled_from(["/dev/sda1", "UUID=x", "systemd-1", "a:/b", "a\\040b"]),
        st.sampled_from([" ", "\t", " \t  "]),
        POINT,
        st.sampled_from(["ext4", "autofs", "nfs4", "fuse.ceph"]),
        st.sampled_from(["", " defaults", " rw 0 0", "\trw\t0\t2", " rw 0 0 "]),
    ),
    st.sampled_from(["", " ", "#", "# x"]),
)


@pytest.mark.skipif(not shutil.which("findmnt"), reason="findmnt is not installed")
@FEW
@given(st.lists(LINE, max_size=6).map("\n".join), st.sampled_from(["\n", "\n\n", "\n# x\n"]))
def test_a_table_of_mounts_is_read_as_libmount_reads_it(text: str, end: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, "etc/fstab")
        path.parent.mkdir()
        path.write_text(text + end, encoding="utf-8")
        command = ["findmnt", "--tab-file", str(path), "--json", "--list", "-o", "TARGET,FSTYPE"]
        said = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        rows = json.loads(said.stdout)["filesystems"] if said.stdout.strip() else []
        assert compute.mount_points(text + end) == [(row["target"], row["fstype"]) for row in rows]
        for point in {row["target"] for row in rows}:
            last = [row["fstype"] for row in rows if row["target"] == point][-1]
            assert compute.filesystem(Tree(root), point) == last


HEADER = st.builds(
    lambda version, offset, length, rest: b"QFI\xfb" + struct.pack(">IQI", version, offset, length) + rest,
    st.integers(0, 3),
    st.one_of(st.sampled_from([0, 20, 24, 1 << 62, 1 << 63, (1 << 64) - 1]), st.integers(0, (1 << 64) - 1)),
    st.one_of(st.integers(0, 40), st.integers(0, (1 << 32) - 1)),
    st.one_of(st.binary(max_size=40), st.sampled_from([b"\0/a", b"json:{}", b"file:/a", b"a" * 2000])),
)


@SETTINGS
@given(st.one_of(st.binary(max_size=60), HEADER, st.builds(lambda head, cut: head[:cut], HEADER, st.integers(0, 40))))
def test_any_bytes_are_a_disk(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "disk").write_bytes(content)
        try:
            assert "\0" not in instances_disk.backing_file(f"{directory}/disk")
            instances_disk.backing_files(directory)
        except Unavailable:
            assert b"json:" in content


def test_a_fifo_among_the_disks_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "console")
    assert instances_disk.backing_files(str(tmp_path)) == set()


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("systemd-1 /mnt autofs rw 0 0\nnas:/x /mnt nfs4 rw 0 0\n", "nfs4"),
        ("/dev/sda1 / ext4 rw 0 0\nnas:/x /mnt\\040a nfs4 rw 0 0\n", "ext4"),
        ("/dev/sda1 / ext4 rw 0 0\n#nas:/x /mnt nfs4 rw 0 0\n", "ext4"),
    ],
)
def test_the_file_system_on_top_counts(tmp_path: Path, table: str, kind: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/fstab").write_text(table)
    assert compute.filesystem(Tree(str(tmp_path)), "/mnt/instances") == kind


@pytest.mark.parametrize(("offset", "name"), [((1 << 64) - 1, b""), (1 << 44, b""), (20, b"a\0b")])
def test_a_head_that_a_server_wrote_leads_nowhere(tmp_path: Path, offset: int, name: bytes) -> None:
    (tmp_path / "disk").write_bytes(b"QFI\xfb" + struct.pack(">IQI", 3, offset, len(name)) + name)
    assert instances_disk.backing_files(str(tmp_path)) == set()
