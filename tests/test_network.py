"""Hosts, proxies and certificates, from settings and environment alone."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from target_driftrock.errors import NoThread, SettingsInvalid
from target_driftrock.events.event import Endpoint
from target_driftrock.network import Names, Network, detached, sandbox_missing
from target_driftrock.settings import Api, Environment, is_allowed
from tests import certificates, threads
from tests.waiting import ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROXY = "http://ada:canary-secret@proxy.example.com:3128"


def network(url: str, environ: Mapping[str, str]) -> Network:
    """The network to an API at `url`."""
    return Network.from_environment(Api(environment=Environment.PRODUCTION, url=url), environ)


def test_the_documented_paths_are_used_when_the_url_has_a_path_of_its_own() -> None:
    """Token and events are asked for under the base URL, whatever its path."""
    found = network("https://api.example.com/base", {})

    assert found.token_url == "https://api.example.com/base/oauth2/token"
    assert found.event_urls == {
        Endpoint.WEBHOOK: "https://api.example.com/base/v2/event",
        Endpoint.AFFILIATE: "https://api.example.com/base/v2/affiliate_event",
    }


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.example.com", True),
        ("https://127.0.0.1:8443", True),
        ("http://127.0.0.1:8377", True),
        ("http://127.8.9.10", True),
        ("http://localhost:8377", True),
        ("http://[::1]:8377", True),
        ("http://api.example.com", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0:8377", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@api.example.com", False),
        ("ftp://localhost", False),
        ("api.example.com", False),
        ("", False),
    ],
)
def test_only_https_or_this_machine_is_allowed_when_a_url_is_given(url: str, allowed: bool) -> None:  # noqa: FBT001
    """Credentials and events never cross a network in the clear."""
    assert is_allowed(url) is allowed


def test_the_url_is_refused_by_its_setting_when_it_is_not_allowed() -> None:
    """The error names the setting, and not its value."""
    with pytest.raises(SettingsInvalid, match="api_url") as refusal:
        network("http://canary.example.com", {})

    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"HTTPS_PROXY": PROXY}, PROXY, id="capitals"),
        pytest.param({"https_proxy": PROXY}, PROXY, id="small-letters"),
        pytest.param({"https_proxy": PROXY, "HTTPS_PROXY": "http://other.example.com"}, PROXY, id="small-letters-win"),
        pytest.param({"https_proxy": "", "HTTPS_PROXY": PROXY}, None, id="small-letters-turn-off"),
        pytest.param({"ALL_PROXY": PROXY}, PROXY, id="all"),
        pytest.param({"ALL_PROXY": "http://other.example.com", "HTTPS_PROXY": PROXY}, PROXY, id="https-before-all"),
        pytest.param({"HTTP_PROXY": PROXY}, None, id="http-is-for-other-urls"),
        pytest.param({"HTTPS_PROXY": "proxy.example.com:3128"}, "http://proxy.example.com:3128", id="no-scheme"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "api.example.com"}, None, id="excepted"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "x, .example.com"}, None, id="excepted-by-domain"),
        pytest.param({"HTTPS_PROXY": PROXY, "no_proxy": "api.example.com:443"}, None, id="excepted-with-port"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, None, id="all-excepted"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "ple.com,example.org"}, PROXY, id="others-excepted"),
        pytest.param({"HTTPS_PROXY": "socks5://p.example.com", "NO_PROXY": "*"}, None, id="odd-but-excepted"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "*.example.com"}, None, id="excepted-by-a-star"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "*example.com"}, None, id="excepted-by-a-star-without-a-dot"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "localhost API.Example.com"}, None, id="excepted-among-spaces"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "*.ple.com"}, PROXY, id="others-excepted-by-a-star"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "api.example.com:8443"}, PROXY, id="another-port-excepted"),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, PROXY, id="a-network-excepted"),
    ],
)
def test_the_proxy_is_found_when_the_environment_says_so(environ: Mapping[str, str], proxy: str | None) -> None:
    """HTTPS_PROXY and NO_PROXY mean what they mean to curl."""
    assert network("https://api.example.com", environ).proxy == proxy


@pytest.mark.parametrize(
    ("no_proxy", "is_excepted"),
    [
        ("10.1.2.3", True),
        ("10.1.2.3:443", True),
        ("10.1.2.3:8443", False),
        ("10.0.0.0/8", True),
        ("10.1.2.3/8", True),
        ("192.168.0.0/16, 10.1.0.0/16", True),
        ("10.2.0.0/16", False),
        ("10.0.0.0/99", False),
        ("::/0", False),
        ("2.3", False),
    ],
)
def test_the_proxy_is_passed_by_when_no_proxy_holds_the_address(no_proxy: str, is_excepted: bool) -> None:  # noqa: FBT001
    """A network in CIDR, as curl, Go and requests read it."""
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}

    assert network("https://10.1.2.3", environ).proxy == (None if is_excepted else PROXY)
    assert network("https://[2001:db8::1]", {"HTTPS_PROXY": PROXY, "NO_PROXY": "2001:db8::/32"}).proxy is None


def test_an_entry_of_no_proxy_is_told_when_nothing_can_match_it(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever wrote it believes the proxy to be passed by; its value is not shown."""
    assert network("https://10.1.2.3", {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.*"}).proxy == PROXY

    (warning,) = caplog.messages
    assert "NO_PROXY" in warning
    assert "10.*" not in warning


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("STRASSE.straße.example", "strasse.xn--strae-oqa.example"),
        ("faß.example:8443", "xn--fa-hia.example:8443"),
        ("bücher。example", "xn--bcher-kva.example"),
    ],
)
def test_one_host_is_meant_when_its_name_is_not_ascii(host: str, name: str) -> None:
    """Token, events, TLS and the look-up have the name in one form: there are two standards of it."""
    found = network(f"https://{host}/base", {})

    assert found.token_url == f"https://{name}/base/oauth2/token"
    assert found.event_urls[Endpoint.WEBHOOK] == f"https://{name}/base/v2/event"


def test_the_url_is_refused_when_its_host_can_be_none() -> None:
    """Before anything is sent, and without its value."""
    with pytest.raises(SettingsInvalid, match="api_url") as refusal:
        network("https://\u0300canary.example", {})

    assert "canary" not in str(refusal.value)


def test_a_proxy_is_found_when_its_name_is_not_ascii() -> None:
    """Its credentials stay as they are."""
    found = network("https://api.example.com", {"HTTPS_PROXY": "http://ä:ö@bücher.example:3128"})

    assert found.proxy == "http://ä:ö@xn--bcher-kva.example:3128"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8377", "https://localhost", "http://[::1]:8377"])
def test_no_proxy_is_used_when_the_api_is_on_this_machine(url: str) -> None:
    """The proxy's loopback is another machine's."""
    assert network(url, {"HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY}).proxy is None


@pytest.mark.parametrize(
    "value", ["socks5://canary.example.com:1080", "http://", "http://canary:port", "http://[canary"]
)
def test_a_proxy_is_refused_by_its_variable_when_it_cannot_be_used(value: str) -> None:
    """The error names the variable, and not its value: a proxy's URL may hold a password."""
    with pytest.raises(SettingsInvalid, match="ALL_PROXY") as refusal:
        network("https://api.example.com", {"ALL_PROXY": value})

    assert "canary" not in str(refusal.value)


def test_a_proxy_password_is_not_shown_when_the_network_is_printed() -> None:
    """What must not be printed cannot be."""
    assert "canary-secret" not in repr(network("https://api.example.com", {"HTTPS_PROXY": PROXY}))


def test_certificates_and_names_are_verified_when_nothing_is_said() -> None:
    """Verification cannot be turned off, and nothing older than TLS 1.2 is spoken."""
    tls = network("https://api.example.com", {}).tls

    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname
    assert tls.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.cert_store_stats()["x509_ca"] > 1


def test_only_its_certificates_are_trusted_when_ssl_cert_file_is_set(tmp_path: Path) -> None:
    """SSL_CERT_FILE takes the place of the usual authorities."""
    pem = certificates.made_in(tmp_path)

    tls = network("https://api.example.com", {"SSL_CERT_FILE": str(pem)}).tls

    assert tls.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize("content", [None, b"", b"no certificate at all"], ids=["missing", "empty", "not-PEM"])
def test_ssl_cert_file_is_refused_by_its_name_when_it_is_useless(tmp_path: Path, content: bytes | None) -> None:
    """A wrong file is a settings error before anything is sent."""
    file = tmp_path / "canary.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsInvalid, match="SSL_CERT_FILE") as refusal:
        network("https://api.example.com", {"SSL_CERT_FILE": str(file)})

    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("name", ["missing/keys.log", "\0"], ids=["no-folder", "no-name"])
def test_sslkeylogfile_is_refused_by_its_name_when_it_cannot_be_written(tmp_path: Path, name: str) -> None:
    """Nobody looks at SSL_CERT_FILE for it."""
    with pytest.raises(SettingsInvalid, match="SSLKEYLOGFILE") as refusal:
        network("https://api.example.com", {"SSLKEYLOGFILE": f"{tmp_path}/{name}"})

    assert "SSL_CERT_FILE" not in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)


def test_keys_are_logged_when_sslkeylogfile_says_where(tmp_path: Path) -> None:
    """For whoever looks into the wire, as with other tools."""
    file = tmp_path / "keys.log"

    network("https://api.example.com", {"SSLKEYLOGFILE": str(file)})

    assert file.exists()


def test_certificates_are_checked_alike_when_python_is_newer() -> None:
    """From 3.13 on Python refuses authorities without an extension, as many companies have them."""
    tls = network("https://api.example.com", {}).tls

    assert not tls.verify_flags & ssl.VERIFY_X509_STRICT
    assert tls.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN


def test_all_faults_are_told_when_there_are_several() -> None:
    """One run is enough to learn of every fault."""
    environ = {"HTTPS_PROXY": "socks5://p.example.com", "SSL_CERT_FILE": "/nowhere"}

    with pytest.raises(SettingsInvalid) as refusal:
        network("http://api.example.com", environ)

    assert len(refusal.value.faults) == 3


def test_a_call_runs_in_a_thread_that_holds_no_exit_when_it_is_detached() -> None:
    """The process can end while a name server or a token endpoint hangs."""
    assert asyncio.run(detached(lambda: threading.current_thread().daemon))


def test_an_error_comes_back_when_a_detached_call_raises() -> None:
    """A detached call fails like any other."""

    def fail() -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(detached(fail))


def test_the_run_is_to_be_tried_again_when_no_thread_is_left_for_a_call() -> None:
    """Nothing is wrong with the program or the settings: the machine is full."""
    called: list[None] = []

    with threads.none_left(), pytest.raises(NoThread, match="ulimit -u"):
        asyncio.run(detached(lambda: called.append(None)))

    assert not called


def test_waiting_ends_at_once_when_a_detached_call_hangs_and_is_cancelled() -> None:
    """Every wait can be ended; what the call gives later goes to nobody, also after the loop has closed."""
    release = threading.Event()
    has_run = threading.Event()

    def hang() -> None:
        release.wait()
        has_run.set()

    async def give_up() -> None:
        async with asyncio.timeout(0.05):
            await detached(hang)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    release.set()
    assert has_run.wait(5)


def test_a_name_is_asked_for_again_when_its_addresses_are_known_for_ten_seconds() -> None:
    """An address that has changed is found, and a look-up that failed is not remembered."""
    clock = ManualClock()
    asked: list[str] = []

    def ask(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror
        return []

    names = Names(ask, now=clock)
    with pytest.raises(socket.gaierror):
        names.addresses("a.example", 443).result()
    for seconds in (0.0, 9.9, 0.1, 0.0):
        clock.seconds += seconds
        names.addresses("a.example", 443).result()
    names.addresses("b.example", 443).result()

    assert asked == ["a.example"] * 3 + ["b.example"]


def test_the_setting_is_named_when_a_sandbox_is_looked_for_where_it_says() -> None:
    """Who has set `api_url` is not told of it as of something new."""
    at_home, elsewhere = (Api(environment=Environment.SANDBOX, url=f"http://127.0.0.1:{port}") for port in (8377, 9))

    assert "none is running" in sandbox_missing(at_home)
    assert "none answers at api_url" in sandbox_missing(elsewhere)
