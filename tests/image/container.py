"""The image in containers that may do nothing: made by buildah, run by crun as its configuration says, as root."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.daemons import program
from tests.program import Ended, Running, started
from tests.waiting import until

MEMORY = 256 * 1024 * 1024
_CGROUPS = Path("/sys/fs/cgroup")
_LIMITS_1 = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
_LIMITS_2 = "memory.max", "memory.swap.max"
_LIMIT = {"type": "RLIMIT_DATA", "soft": MEMORY, "hard": MEMORY}
"""Where there is no control group: what a process may have of its own, in use or not."""
_SHARED = "/dev/shm"  # noqa: S108 - as every container has one
_IN_PLACE = """
    if mountpoint --quiet /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
    if [ -n "$1" ]; then echo $$ > "$1/cgroup.procs"; fi
    shift
    exec "$@"
"""
"""crun refuses to work beside both kinds of control groups, even where it is to leave them alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image says of itself, and the folder in which its files are to be seen."""

    root: Path
    config: Mapping[str, Any]

    @property
    def user(self) -> int:
        """The number of the user as whom it runs."""
        return int(self.config["User"].partition(":")[0])


@contextmanager
def mounted(name: str) -> Iterator[Image]:
    """The image with this name, until the end of the `with`."""
    container = _buildah("from", "--pull-never", name)
    try:
        described = json.loads(_buildah("inspect", "--type=image", name))
        yield Image(root=Path(_buildah("mount", container)), config=described["OCIv1"]["config"])
    finally:
        _buildah("rm", container)


def _buildah(*arguments: str) -> str:
    return subprocess.run([program("buildah"), *arguments], check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of an image: no capabilities, no new ones, 256 MiB without swap; `folder` is for what it takes.

    Its first process is the image's own. It shares the network with the tests. `volumes` are folders of this machine,
    by where they are in it.
    """

    image: Image
    folder: Path
    volumes: Mapping[str, Path]
    environ: Mapping[str, str]
    is_read_only: bool = True

    @contextmanager
    def started(self, *arguments: str) -> Iterator[Running]:
        """It at work. A signal to what is started is passed on to its first process."""
        with _limited() as group:
            configuration = self._configuration(arguments, limits=[] if group else [_LIMIT])
            (self.folder / "config.json").write_text(json.dumps(configuration))
            command = ["unshare", "--mount", "sh", "-ec", _IN_PLACE, "sh", str(group or "")]
            crun = ["crun", f"--root={self.folder}/crun", "--cgroup-manager=disabled", "run", uuid4().hex]
            with started(folder=self.folder, command=[*command, *crun]) as running:
                yield running

    def run(self, *arguments: str, given: bytes = b"") -> Ended:
        """The whole of it, with `given` as its input."""
        with self.started(*arguments) as running:
            running.pour([given])
            return running.ended()

    def _configuration(self, arguments: Sequence[str], *, limits: Sequence[Any]) -> dict[str, Any]:
        """By the OCI's runtime specification, version 1.0.2."""
        user, _, group = self.image.config["User"].partition(":")
        mounts: list[dict[str, Any]] = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": _SHARED, "type": "tmpfs", "source": "shm", "options": ["noexec", "size=64m"]},
            *(
                {"destination": there, "type": "bind", "source": str(here), "options": ["bind", "rw"]}
                for there, here in self.volumes.items()
            ),
        ]
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": int(user), "gid": int(group)},
                "args": [*self.image.config["Entrypoint"], *arguments],
                "env": [*self.image.config["Env"], *(f"{name}={value}" for name, value in self.environ.items())],
                "cwd": self.image.config["WorkingDir"],
                "capabilities": {},
                "noNewPrivileges": True,
                "rlimits": limits,
            },
            "root": {"path": str(self.image.root), "readonly": self.is_read_only},
            "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
        }


@contextmanager
def _limited() -> Iterator[Path | None]:
    """A control group in which processes have `MEMORY` together, and no swap; None where none can be had."""
    is_second = (_CGROUPS / "cgroup.controllers").exists()
    group = (_CGROUPS if is_second else _CGROUPS / "memory") / f"driftrock-{uuid4().hex}"
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        yield group if _is_set(group, is_second=is_second) else None
    finally:
        until(lambda: _is_gone(group))


def _is_set(group: Path, *, is_second: bool) -> bool:
    """Whether the group has its limit now: another one above it may keep the memory to itself."""
    memory, swap = _LIMITS_2 if is_second else _LIMITS_1
    try:
        (group / memory).write_text(str(MEMORY))
    except OSError:
        return False
    with suppress(OSError):  # there is no swap to be counted
        (group / swap).write_text("0" if is_second else str(MEMORY))
    return True


def _is_gone(group: Path) -> bool:
    """A process leaves its group a moment after its end was seen."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def missing() -> str | None:
    """Why no image can be tried here."""
    if "TARGET_DRIFTROCK_TEST_IMAGE" in os.environ:
        return None
    return "no image is named by TARGET_DRIFTROCK_TEST_IMAGE: make test-image builds one, and tries it"
