"""Certificates as ``albert doctor`` finds them: made by OpenSSL, served over real TLS."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest
from examined import free_port, levels, machine

from albert.deploy.checks.certificates import check_certificates
from albert.deploy.checks.finding import Finding


def certificate(folder: Path, days: int, *, name: str = "localhost") -> tuple[Path, Path]:
    """Make a certificate that ends in so many days; below 0, it has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    key, asked, cert = folder / "privkey.pem", folder / "request.pem", folder / "cert.pem"
    openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
        *("-keyout", str(key), "-out", str(asked)),
    )
    openssl(
        *("x509", "-req", "-in", str(asked), "-signkey", str(key), "-days", str(days)),
        *("-copy_extensions", "copy", "-out", str(cert)),
    )
    return cert, key


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def looked(home: Path, front: str, live: Path) -> list[Finding]:
    async def scenario() -> list[Finding]:
        async with machine({"ALBERT_HOME": str(home), "FRONT_URL": front}) as examined:
            return await check_certificates(examined, live)

    return asyncio.run(scenario())


def served(home: Path, cert: Path, key: Path) -> list[Finding]:
    async def scenario() -> list[Finding]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        server = await asyncio.start_server(lambda _, w: w.close(), "localhost", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            front = f"https://localhost:{port}/"
            async with machine({"ALBERT_HOME": str(home), "FRONT_URL": front}) as examined:
                return await check_certificates(examined, home)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("days", "level", "said"),
    [(90, "ok", "encore 89 jour(s)"), (20, "warning", "encore 19"), (-1, "error", "a expiré")],
)
def test_a_certificate_that_is_served_is_dated(
    days: int, level: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path / "tls", days)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    (finding,) = served(tmp_path / "home", cert, key)
    assert finding.level == level
    assert said in finding.said


def test_a_certificate_that_nobody_vouches_for_is_an_error(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path / "tls", 90)
    (finding,) = served(tmp_path / "home", cert, key)
    assert finding.level == "error"
    assert "refusé" in finding.said


def test_a_certificate_of_another_name_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path / "tls", 90, name="albert.exemple.fr")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    (finding,) = served(tmp_path / "home", cert, key)
    assert finding.level == "error"


@pytest.mark.parametrize(("days", "level"), [(90, "ok"), (20, "warning"), (-1, "error")])
def test_a_certificate_of_certbot_is_dated(days: int, level: str, tmp_path: Path) -> None:
    certificate(tmp_path / "live" / "albert.exemple.fr", days)
    told = looked(tmp_path / "home", "http://localhost", tmp_path / "live")
    assert levels(told) == [level]
    assert "albert.exemple.fr" in told[0].said


def test_a_server_that_is_not_there_yet_is_a_warning(tmp_path: Path) -> None:
    told = looked(tmp_path, f"https://localhost:{free_port()}", tmp_path / "none")
    assert levels(told) == ["warning"]
    assert "inconnu" in told[0].said


def test_without_https_there_is_no_certificate(tmp_path: Path) -> None:
    assert levels(looked(tmp_path, "http://localhost:4173", tmp_path / "none")) == ["ok"]
