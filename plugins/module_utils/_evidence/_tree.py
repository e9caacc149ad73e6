# Copyright (c) 2026, the Stackmend authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read files of a host, or of a directory that stands for one (a sosreport, a mounted root, a lab host)."""

from __future__ import annotations

import glob
import os
import stat

from .._model import Unavailable

# No configuration file, script or unit of a sane host is larger; reading stops there, and says so.
FILE_LIMIT = 8 << 20


class Tree:
    """The file system below `root`; paths are given as the host itself would write them ("/etc/nova/nova.conf").

    Symbolic links are followed inside the root, so that an absolute link in a copied tree never leads to the
    machine that reads it.
    """

    def __init__(self, root: str = "/") -> None:
        self.root = os.path.abspath(root)
        self.is_live = self.root == "/"

    def path(self, path: str) -> str:
        """Where `path` really is, links followed inside the root."""
        if self.is_live:
            return os.path.realpath(path)
        parts = [part for part in path.split("/") if part not in ("", ".")]
        inside: list[str] = []
        links = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                inside[-1:] = []
                continue
            here = os.path.join(self.root, *inside, part)
            if os.path.islink(here) and links < 40:
                links += 1
                link = os.readlink(here)
                if link.startswith("/"):
                    inside = []
                parts = [piece for piece in link.split("/") if piece not in ("", ".")] + parts
            else:
                inside.append(part)
        return os.path.join(self.root, *inside)

    def exists(self, path: str) -> bool:
        return os.path.exists(self.path(path))

    def is_dir(self, path: str) -> bool:
        return os.path.isdir(self.path(path))

    def stat(self, path: str) -> os.stat_result:
        return os.stat(self.path(path))

    def glob(self, pattern: str) -> list[str]:
        """Existing paths that match, sorted, as the host would write them."""
        if self.is_live:
            return sorted(glob.glob(pattern))
        found = glob.glob(os.path.join(glob.escape(self.root), pattern.lstrip("/")))
        return sorted("/" + os.path.relpath(path, self.root) for path in found)

    def read_bytes(self, path: str, limit: int = FILE_LIMIT) -> bytes:
        """The content of a regular file.

        Raises FileNotFoundError when there is none, Unavailable (a sentence) when it cannot be read or is longer
        than `limit` bytes.
        """
        real = self.path(path)
        try:
            # O_NONBLOCK: opening a fifo that somebody left under a configuration directory must not hang.
            descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(path) from error
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Unavailable(f"{path} is not a regular file")
        with os.fdopen(descriptor, "rb") as file:
            try:
                content = file.read(limit + 1)
            except OSError as error:
                raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
        if len(content) > limit:
            raise Unavailable(f"{path} is larger than {limit >> 20} MiB and was not read")
        return content

    def read_text(self, path: str, limit: int = FILE_LIMIT) -> str:
        """The content of a text file, as UTF-8; a byte that is not UTF-8 becomes a surrogate and survives writing.

        Raises as `read_bytes`, and Unavailable when the file holds NUL bytes.
        """
        content = self.read_bytes(path, limit)
        if b"\0" in content:
            raise Unavailable(f"{path} is not a text file (it holds NUL bytes)")
        return content.decode("utf-8", "surrogateescape")
