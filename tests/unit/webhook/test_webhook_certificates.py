"""Certificates over time: made, kept while good, renewed before they end, trusted across a change."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from barista.webhook.certificates import CA_DAYS, SERVING_DAYS, Certificates, renewed
from barista.webhook.rotation import Served

HOSTS = ("barista-webhook.barista-system.svc", "127.0.0.1")
START = datetime(2026, 1, 1, tzinfo=UTC)


def days(count: float) -> datetime:
    return START + timedelta(days=count)


def verify(served: Certificates, trusted: Certificates, at: datetime) -> None:
    """What the API server does: the served certificate must be believed by the bundle that it was given."""
    store = Store(x509.load_pem_x509_certificates(trusted.bundle))
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(HOSTS[0]))
    verifier.verify(x509.load_pem_x509_certificate(served.cert), [])


def test_what_is_good_is_kept() -> None:
    made = renewed(None, HOSTS, START)
    assert renewed(made, HOSTS, days(SERVING_DAYS / 2)) is made
    verify(made, made, days(SERVING_DAYS / 2))


def test_the_serving_certificate_is_renewed_under_the_same_authority_before_it_ends() -> None:
    made = renewed(None, HOSTS, START)
    later = renewed(made, HOSTS, days(SERVING_DAYS * 0.7))
    assert later.cert != made.cert
    assert (later.ca_cert, later.bundle) == (made.ca_cert, made.bundle)
    verify(later, made, days(SERVING_DAYS * 1.1))
    with pytest.raises(VerificationError):
        verify(made, made, days(SERVING_DAYS * 1.1))


def test_a_new_authority_is_trusted_beside_the_old_one() -> None:
    made = renewed(None, HOSTS, START)
    now = days(CA_DAYS * 0.7)
    old = renewed(made, HOSTS, now - timedelta(days=CA_DAYS * 0.05))
    new = renewed(old, HOSTS, now)
    assert new.ca_cert != old.ca_cert
    verify(old, new, now)
    verify(new, new, now)


def test_an_authority_that_has_ended_is_trusted_no_longer() -> None:
    made = renewed(None, HOSTS, START)
    new = renewed(made, HOSTS, days(CA_DAYS + 1))
    assert len(x509.load_pem_x509_certificates(new.bundle)) == 1


def test_a_new_name_makes_a_new_serving_certificate() -> None:
    made = renewed(None, HOSTS, START)
    more = renewed(made, (*HOSTS, "10.0.0.1"), START)
    assert more.cert != made.cert
    assert more.ca_cert == made.ca_cert


def test_they_survive_the_secret_and_what_is_broken_is_made_anew() -> None:
    made = renewed(None, HOSTS, START)
    assert Certificates.read(made.data()) == made
    assert Certificates.read({}) is None
    broken = Certificates(b"what", b"is", b"this", b"?", b"!")
    again = renewed(broken, HOSTS, START)
    verify(again, again, START)


def test_the_server_takes_a_new_certificate_while_it_runs() -> None:
    served = Served()
    assert not served.ready.is_set()
    for day in (0, SERVING_DAYS):
        made = renewed(None, HOSTS, days(day))
        served.install(made)
        assert _handshake(served.context) == ssl.PEM_cert_to_DER_cert(made.cert.decode())
    assert served.ready.is_set()


def _handshake(server: ssl.SSLContext) -> bytes | None:
    """The certificate that a client is shown, in memory."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=HOSTS[0])
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs) * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ours.getpeercert(binary_form=True)
