"""Whether a path lies on a network file system, where SQLite's locks and its shared memory cannot be relied on."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

NETWORK_ADVICE = "SQLite can lose data there. Name a directory on a local disk, or a PostgreSQL URL."
_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
    "smb2", "smb3", "smbfs", "virtiofs",
}  # fmt: skip
_NETWORK_FUSE = {"fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.sshfs", "fuse.rclone", "fuse.blobfuse2"}
_ESCAPE = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path, *, table: Path = Path("/proc/mounts")) -> str | None:
    """Its kind, as the kernel's table of mounts names it; None for a local one, or where there is no such table."""
    try:
        mounts = table.read_text(errors="surrogateescape")
    except OSError:
        return None
    kind = kind_of_mount(PurePosixPath(path.resolve()), mounts)
    return kind if kind in _NETWORK or kind in _NETWORK_FUSE else None


def kind_of_mount(path: PurePosixPath, mounts: str) -> str:
    """The file system that the deepest mount above `path` has; of two at one place the later one hides the other."""
    deepest, kind = -1, ""
    for line in mounts.splitlines():
        _, where, found, *_ = line.split(" ")
        point = PurePosixPath(_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), where))
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, kind = len(point.parts), found
    return kind
