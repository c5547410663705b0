"""Providers over TLS: server name, verified certificate, HTTP/2 where it is offered, and the way back over it."""

import pytest
from support.gateway import DIALECTS, Gateway, policy
from support.vendors import Vendors


@pytest.fixture(scope="module")
def tls_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def tls_vendors(tls_folder):
    with Vendors("--tls-dir", str(tls_folder)) as vendors:
        yield vendors


def over_tls(vendors: Vendors, host: str = "localhost") -> dict:
    """The usual policy, with each vendor at its TLS port under this host name."""
    document = policy(vendors)
    for name, provider in document["providers"].items():
        address = vendors.addresses[f"{name}_tls"].replace("localhost", host)
        provider["endpoint"] = address + ("/v1" if name == "openai" else "")
    return document


@pytest.fixture(scope="module")
def tls_gateway(tls_vendors, tls_folder):
    with Gateway(over_tls(tls_vendors), "--ca-bundle", str(tls_folder / "ca.pem")) as gateway:
        yield gateway


@pytest.mark.parametrize("vendor", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_vendor_is_asked_by_its_name_over_http2(tls_gateway, tls_vendors, vendor, stream):
    tls_vendors.reset()
    answer = tls_gateway.chat(vendor, "Over TLS", stream=stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-sluice-provider"] == vendor
    assert "TLS" in answer.text and answer.text.rstrip().endswith("data: [DONE]") == stream
    (record,) = tls_vendors.records()
    assert record["tls"] == {"sni": "localhost", "alpn": "h2"}
    assert (record["version"], record["fault"]) == ("HTTP/2.0", None)


def test_a_failed_vendor_over_tls_gives_way_to_the_next(tls_gateway, tls_vendors):
    tls_vendors.reset()
    tls_vendors.script("openai", {"kind": "status", "status": 429})
    answer = tls_gateway.chat("any")
    assert (answer.status_code, answer.headers["x-sluice-failed"]) == (200, "openai;429")
    assert [record["vendor"] for record in tls_vendors.records()] == ["openai", "anthropic"]


def assert_not_trusted(gateway: Gateway, vendors: Vendors, vendor: str, reason: str) -> None:
    vendors.reset()
    answer = gateway.chat(vendor)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "provider_unreachable"
    assert answer.headers["x-sluice-failed"] == f"{vendor};no-answer"
    assert vendors.records() == []
    # It was the certificate, and not that nobody listens.
    assert gateway.stat(f"cluster.sluice-provider-{vendor}.ssl.fail_verify_{reason}") > 0


def test_a_certificate_for_another_name_is_not_trusted(tls_vendors, tls_folder):
    document = over_tls(tls_vendors, host="another.localhost")
    with Gateway(document, "--ca-bundle", str(tls_folder / "ca.pem")) as gateway:
        assert_not_trusted(gateway, tls_vendors, "openai", "san")


def test_an_unknown_authority_is_not_trusted(tls_vendors):
    # The system's own authorities do not know the vendors' one.
    with Gateway(over_tls(tls_vendors)) as gateway:
        assert_not_trusted(gateway, tls_vendors, "anthropic", "error")
