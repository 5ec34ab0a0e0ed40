"""Certificates and key logs that the environment names are checked before any library opens them."""

import os
import ssl
from pathlib import Path

import pytest
import trustme

from alertd.errors import SettingsError
from alertd.notify.base import NotSent
from alertd.notify.heartbeat import ping
from alertd.notify.webhook_post import WebhookPost
from alertd.settings.outgoing.connections import Outgoing, Trust

VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def places(tmp_path: Path) -> Path:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "words.pem").write_text("no certificate", encoding="utf-8")
    (tmp_path / "half.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "good.pem"))
    return tmp_path


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("name", ["missing/ca.pem", "empty", "words.pem", "half.pem", "fifo", "x" * 300, "/dev/zero"])
def test_bundle_when_it_cannot_be_used_then_one_line_names_variable_value_and_remedy(
    variable: str, name: str, places: Path
) -> None:
    """OpenSSL would say "unknown error", or wait for ever."""
    value = str(places / name)
    with pytest.raises(SettingsError) as caught:
        Outgoing.from_environment({variable: value})
    text = str(caught.value)
    assert text.startswith(f'{variable}: "{value[:200]}')
    assert "unset it" in text
    assert len(text.splitlines()) == 1


def test_bundle_when_a_folder_then_refused_for_openssl_and_taken_for_apprise(places: Path) -> None:
    """Requests takes a folder of certificates too."""
    folder = str(places / "folder")
    Outgoing.from_environment({"REQUESTS_CA_BUNDLE": folder})
    with pytest.raises(SettingsError, match="is a folder"):
        Outgoing.from_environment({"SSL_CERT_FILE": folder})


@pytest.mark.parametrize(
    ("value", "is_usable"),
    [("{}/folder", True), ("{}/none:{}/folder", True), ("{}/folder:", True), ("{}/none", False), ("{}/empty", False)],
)
def test_folder_of_certificates_when_none_is_there_then_refused(value: str, is_usable: bool, places: Path) -> None:
    """OpenSSL passes over what is missing, and then trusts nobody."""
    environment = {"SSL_CERT_DIR": value.format(places, places)}
    if is_usable:
        assert Outgoing.from_environment(environment).tls.verify_flags
    else:
        with pytest.raises(SettingsError, match=r"SSL_CERT_DIR: .* unset it"):
            Outgoing.from_environment(environment)


@pytest.mark.parametrize("name", ["none/keys", "folder", "fifo", "x" * 300, "circle", "nowhere"])
def test_key_log_when_it_cannot_be_written_then_one_line(name: str, places: Path) -> None:
    """aiohttp opens it when it is imported: that was a traceback."""
    (places / "circle").symlink_to("circle")
    (places / "nowhere").symlink_to("none/keys")
    with pytest.raises(SettingsError, match=r"SSLKEYLOGFILE: .* it is only for debugging TLS: unset it"):
        Outgoing.from_environment({"SSLKEYLOGFILE": str(places / name)})


def test_key_log_when_it_can_be_written_then_used_and_worth_a_warning(places: Path) -> None:
    """Whoever reads that file reads the tokens."""
    outgoing = Outgoing.from_environment({"SSLKEYLOGFILE": str(places / "keys")})
    assert outgoing.tls.keylog_filename == str(places / "keys")
    assert "SSLKEYLOGFILE" in outgoing.warnings[0]


@pytest.mark.usefixtures("every_authority")
def test_trust_when_a_bundle_is_named_then_nobody_else_is_trusted(places: Path) -> None:
    """As with curl: the variable replaces the system's authorities."""
    named = Outgoing.from_environment({"SSL_CERT_FILE": str(places / "good.pem")})
    assert named.tls.cert_store_stats()["x509_ca"] == 1
    assert Outgoing.from_environment({"SSL_CERT_FILE": ""}).tls.cert_store_stats()["x509_ca"] > 50


def test_context_when_asked_for_again_then_the_same() -> None:
    """Each webhook post built its own: 30 ms in which nothing else ran."""
    outgoing = Outgoing()
    assert outgoing.tls is outgoing.tls
    assert outgoing.tls is not outgoing.mail_tls, "a client of HTTP names its protocol in it"


async def test_posts_when_many_are_sent_then_one_context_serves_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks, an Alertmanager and the dead man's switch connect anew each time, and trust the same authorities."""
    made: list[Trust] = []
    context = Trust.context

    def counted(trust: Trust) -> ssl.SSLContext:
        made.append(trust)
        return context(trust)

    monkeypatch.setattr(Trust, "context", counted)
    outgoing = Outgoing()
    for port in (9, 10, 11):
        url = f"https://127.0.0.1:{port}/"
        assert isinstance(await WebhookPost(url, token=None, outgoing=outgoing).send(b"{}"), NotSent)
        assert await ping(url, outgoing)
    assert len(made) == 1
