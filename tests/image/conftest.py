"""One image for all, and a new volume for each test."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.image.container import Container, Image, missing, mounted
from tests.stage import LEADS


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The image that is named by TARGET_DRIFTROCK_TEST_IMAGE."""
    if reason := missing():
        pytest.skip(reason)
    with mounted(os.environ["TARGET_DRIFTROCK_TEST_IMAGE"]) as image:
        yield image


@pytest.fixture
def volume(image: Image) -> Iterator[Path]:
    """An empty folder of the image's user, where nobody else's rights are in the way."""
    with tempfile.TemporaryDirectory(prefix="volume-") as folder:
        os.chown(folder, image.user, image.user)
        yield Path(folder)


Run = Callable[..., Container]
"""A container by settings, as the environment has them; `volumes` and `is_read_only` are the container's own."""


@pytest.fixture
def contained(image: Image, tmp_path: Path, volume: Path) -> Run:
    """Settings become variables, and a ledger in the volume is among them."""

    def make(
        settings: Mapping[str, Any], *, volumes: Mapping[str, Path] | None = None, is_read_only: bool = True
    ) -> Container:
        given = {"environment": "sandbox", "ledger": "/ledger", "streams": [LEADS], **settings}
        environ = {
            f"TARGET_DRIFTROCK_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in given.items()
        }
        return Container(
            image=image,
            folder=tmp_path,
            volumes={"/ledger": volume} if volumes is None else volumes,
            environ=environ,
            is_read_only=is_read_only,
        )

    return make
