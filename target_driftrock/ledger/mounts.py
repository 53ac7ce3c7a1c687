"""Where the bytes of a directory lie, by the kernel's table of mounts, and what SQLite should not rely on there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLE = Path("/proc/self/mountinfo")
_ROOT = PurePosixPath("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of the table: `origin` is what of the file system lies at `point`."""

    point: PurePosixPath
    origin: str
    kind: str


def warnings(path: Path, *, name: str) -> list[str]:
    """What a person should know of a directory, called `name`, before a run keeps its ledger there."""
    mount = _mount_of(path)
    doubt = None if mount is None else doubt_of(mount, is_contained=is_contained(os.environ))
    return [] if doubt is None else [doubt.format(name=name)]


def kernels_own(path: Path) -> str | None:
    """The kind of file system, where all that is in it is made by the kernel; else None."""
    mount = _mount_of(path)
    return mount.kind if mount is not None and mount.kind in _OF_THE_KERNEL else None


def is_contained(environ: Mapping[str, str], *, root: Path = Path("/")) -> bool:
    """Whether this process runs in a container, as Docker, Podman and Kubernetes mark theirs."""
    marks = root / ".dockerenv", root / "run/.containerenv"
    return "KUBERNETES_SERVICE_HOST" in environ or any(map(os.path.lexists, marks))


def mount_above(path: PurePosixPath, table: str) -> Mount | None:
    """The deepest mount above `path`; of two at one place the later one hides the other."""
    deepest = None
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        _, _, _, origin, where, *_ = before.split(" ")
        point = PurePosixPath(_unescaped(where))
        if path.is_relative_to(point) and (deepest is None or point.is_relative_to(deepest.point)):
            deepest = Mount(point=point, origin=_unescaped(origin), kind=after.partition(" ")[0])
    return deepest


def doubt_of(mount: Mount, *, is_contained: bool) -> str | None:
    """What a ledger on this mount would suffer, with a `{name}` in it for the directory's; None if nothing."""
    if mount.kind in _NETWORK:
        return _ON_NETWORK.replace("{kind}", mount.kind)
    if mount.kind in _MEMORY:
        return _IN_MEMORY
    is_laid_out = is_contained and (mount.kind == "zfs" or mount.origin != "/")
    is_own = mount.point == _ROOT and (mount.kind in _LAYERED or is_laid_out)
    return _ENDS_WITH_IT if is_own or _MADE_FOR_IT.search(mount.origin) else None


def _mount_of(path: Path) -> Mount | None:
    """None where the kernel has no such table: it is no Linux."""
    try:
        table = _TABLE.read_text(errors="surrogateescape")
    except OSError:
        return None
    return mount_above(PurePosixPath(path.resolve()), table)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), text)


_ESCAPE = re.compile(r"\\([0-7]{3})")
_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
    "smb2", "smb3", "smbfs", "virtiofs",
    "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.sshfs", "fuse.rclone", "fuse.blobfuse2",
}  # fmt: skip
_OF_THE_KERNEL = {"cgroup", "cgroup2", "debugfs", "devpts", "proc", "securityfs", "sysfs", "tracefs"}
_MEMORY = {"ramfs", "tmpfs"}
_LAYERED = {"aufs", "fuse.fuse-overlayfs", "overlay"}
"""What a container's root is mostly made of. Else it is a folder of the host's file system, a file system on a disk of
its own being what a virtual machine has: one that was made of an image keeps the marks of a container."""
_MADE_FOR_IT = re.compile(r"/kubernetes\.io~empty-dir/|/volumes/[0-9a-f]{64}/_data$")
"""Kubernetes' `emptyDir`, and a volume of Docker's that nobody gave a name: both go with what they serve."""
_ON_NETWORK = (
    "The ledger in {name} lies on a network file system ({kind}): SQLite can lose data there. Name a directory on a "
    "local disk, or a PostgreSQL URL."
)
_IN_MEMORY = (
    "The ledger in {name} lies in memory, and is gone with it: whatever is read again then is sent again. Name a "
    "directory that outlives the run, or a PostgreSQL URL."
)
_ENDS_WITH_IT = (
    "The ledger in {name} ends with this container: the next one sends again whatever it reads again. Mount a volume "
    "there that outlives it, such as a named one, or name a PostgreSQL URL."
)
