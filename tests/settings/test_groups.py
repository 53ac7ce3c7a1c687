"""What the groups can say of themselves."""

from __future__ import annotations

import pytest

from target_driftrock.settings import ApiKey, ClientCredentials, is_loopback, origin


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.255.0.9", "::1"])
def test_host_is_this_machine_when_its_text_says_so(host: str) -> None:
    """No name is looked up: these are this machine wherever they are written."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example.com", "127.1", "128.0.0.1", "10.0.0.1", "::", "::2", "[::1]"])
def test_host_is_elsewhere_when_its_text_does_not_say_otherwise(host: str) -> None:
    """What only may be this machine is treated as another one."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com", "https://example.com:443"),
        ("https://Example.com:443/a/b", "https://example.com:443"),
        ("http://127.0.0.1:8377", "http://127.0.0.1:8377"),
        ("http://localhost", "http://localhost:80"),
    ],
)
def test_origin_is_the_same_when_a_url_is_written_in_another_way(url: str, expected: str) -> None:
    """The port is always written out, and the path left out."""
    assert origin(url) == expected


def test_credentials_are_not_shown_when_they_are_printed() -> None:
    """A secret has no repr."""
    shown = repr((ClientCredentials(client_id="CANARY", client_secret="CANARY"), ApiKey(key="CANARY")))

    assert "CANARY" not in shown
