"""Where a directory lies, by tables of mounts as kernels write them, and what is said of it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from target_driftrock.ledger.mounts import Mount, doubt_of, is_contained, mount_above, warnings

TABLE = """\
27 1 0:40 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/l,upperdir=/u
31 27 0:25 / /dev/shm rw - tmpfs tmpfs rw
32 27 0:44 / /mnt/share rw shared:5 master:2 - nfs4 server:/export rw,vers=4.2
33 32 252:16 / /mnt/share/local rw - ext4 /dev/vdb rw
34 27 0:45 / /mnt/two\\040words rw - fuse.sshfs host:/ rw
35 27 0:46 / /data rw - cifs server:/hidden rw
36 27 252:32 /here /data rw - xfs /dev/vdc rw
"""
HASH = "3f" * 32
SERVICE = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        pytest.param("/srv/ledger", "/", "overlay", id="the root"),
        pytest.param("/mnt/share", "/mnt/share", "nfs4", id="the mount itself"),
        pytest.param("/mnt/share/a/b", "/mnt/share", "nfs4", id="below it"),
        pytest.param("/mnt/share/local/a", "/mnt/share/local", "ext4", id="a local disk below it"),
        pytest.param("/mnt/shared", "/", "overlay", id="a name that only begins alike"),
        pytest.param("/mnt/two words/a", "/mnt/two words", "fuse.sshfs", id="a space in the name"),
        pytest.param("/data/a", "/data", "xfs", id="mounted over"),
    ],
)
def test_the_deepest_mount_says_where_a_path_lies_when_several_are_above_it(path: str, point: str, kind: str) -> None:
    """As the kernel resolves it."""
    mount = mount_above(PurePosixPath(path), TABLE)

    assert mount is not None
    assert (str(mount.point), mount.kind) == (point, kind)


def test_nothing_is_above_a_path_when_the_table_is_empty() -> None:
    """Then nothing can be said."""
    assert mount_above(PurePosixPath("/data"), "") is None


@pytest.mark.parametrize(
    ("point", "origin", "kind", "is_in_one", "told"),
    [
        ("/data", "/", "ext4", True, None),
        ("/", "/", "ext4", False, None),
        ("/", "/", "ext4", True, None),  # a virtual machine that was made of an image
        ("/", "/@", "btrfs", False, None),
        ("/", "/var/lib/docker/vfs/dir/3f", "ext4", True, "ends with this container"),
        ("/", "/subvolumes/3f", "btrfs", True, "ends with this container"),
        ("/", "/", "zfs", True, "ends with this container"),
        ("/", "/", "zfs", False, None),
        ("/", "/", "overlay", False, "ends with this container"),
        ("/lower", "/", "overlay", True, None),
        ("/data", "/var/lib/docker/volumes/crm/_data", "ext4", True, None),
        ("/data", f"/var/lib/docker/volumes/{HASH}/_data", "ext4", True, "ends with this container"),
        ("/data", "/lib/kubelet/pods/1/volumes/kubernetes.io~csi/pvc/mount", "ext4", True, None),
        ("/data", "/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/x", "ext4", True, "ends with this container"),
        ("/data", "/", "tmpfs", False, "lies in memory"),
        ("/data", "/", "nfs4", False, "a network file system (nfs4)"),
        ("/data", "/", "fuse.s3fs", True, "a network file system (fuse.s3fs)"),
    ],
)
def test_a_mount_is_told_of_when_a_ledger_would_suffer_there(
    *, point: str, origin: str, kind: str, is_in_one: bool, told: str | None
) -> None:
    """What ends with a container, or is far away, is: a volume with a name is neither."""
    doubt = doubt_of(Mount(point=PurePosixPath(point), origin=origin, kind=kind), is_contained=is_in_one)

    assert (doubt is None) if told is None else (told in (doubt or ""))


@pytest.mark.parametrize(
    ("marks", "environ", "is_one"),
    [([], {}, False), ([".dockerenv"], {}, True), (["run/.containerenv"], {}, True), ([], SERVICE, True)],
    ids=["none", "Docker", "Podman", "Kubernetes"],
)
def test_a_container_is_known_when_it_bears_a_mark(
    tmp_path: Path, *, marks: list[str], environ: dict[str, str], is_one: bool
) -> None:
    """By a file, or by the variable that Kubernetes sets in every pod."""
    for mark in marks:
        (tmp_path / mark).parent.mkdir(exist_ok=True)
        (tmp_path / mark).touch()

    assert is_contained(environ, root=tmp_path) is is_one


def test_a_directory_is_told_of_by_its_name_when_it_lies_in_memory() -> None:
    """What lies in /dev/shm, a tmpfs on every Linux, is gone when the machine starts again."""
    (told,) = warnings(Path("/dev/shm/ledger"), name="the directory X")  # noqa: S108 - nothing is written there

    assert told.startswith("The ledger in the directory X lies in memory")
