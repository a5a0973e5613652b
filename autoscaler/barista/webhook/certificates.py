"""The webhook's own certificates: an authority (CA) and a serving certificate that it signs.

Nobody has to install a certificate manager, and nothing expires unseen: what has lived two thirds of
its time is made anew. A new authority is trusted beside the old one while that is valid, so that a
replica which still serves the old certificate is believed.
"""

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 730
SERVING_DAYS = 60
RENEW_AFTER = 2 / 3
BACKDATED = timedelta(minutes=5)
"""Clocks differ: a certificate is valid from a little before it was made."""

CA_CERT, CA_KEY, BUNDLE, CERT, KEY = "ca.crt", "ca.key", "ca-bundle.crt", "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts: the authority and its key, all authorities to trust, the serving certificate and its key."""

    ca_cert: bytes
    ca_key: bytes
    bundle: bytes
    cert: bytes
    key: bytes

    @staticmethod
    def read(data: Mapping[str, str]) -> "Certificates | None":
        """From the data of a Secret; None when they are not all there."""
        texts = [base64.b64decode(data.get(name) or "") for name in (CA_CERT, CA_KEY, BUNDLE, CERT, KEY)]
        return Certificates(*texts) if all(texts) else None

    def data(self) -> dict[str, str]:
        """As the data of a Secret."""
        named = {
            CA_CERT: self.ca_cert,
            CA_KEY: self.ca_key,
            BUNDLE: self.bundle,
            CERT: self.cert,
            KEY: self.key,
        }
        return {name: base64.b64encode(text).decode() for name, text in named.items()}


def renewed(held: Certificates | None, hosts: Sequence[str], now: datetime) -> Certificates:
    """Certificates for `hosts` that are good at `now`: `held` itself where nothing is due."""
    try:
        if held is None:
            return _with_new_authority(b"", hosts, now)
        if not _fresh(_cert(held.ca_cert), now):
            return _with_new_authority(held.bundle, hosts, now)
        if _fresh(_cert(held.cert), now) and set(hosts) <= set(_hosts(_cert(held.cert))):
            return held
        cert, key = _serving(held.ca_cert, held.ca_key, hosts, now)
    except ValueError:
        return _with_new_authority(b"", hosts, now)
    return Certificates(held.ca_cert, held.ca_key, held.bundle, cert, key)


def _with_new_authority(old_bundle: bytes, hosts: Sequence[str], now: datetime) -> Certificates:
    ca_cert, ca_key = _authority(now)
    kept = x509.load_pem_x509_certificates(old_bundle) if old_bundle else []
    bundle = ca_cert + b"".join(_pem(c) for c in kept if now < c.not_valid_after_utc)
    return Certificates(ca_cert, ca_key, bundle, *_serving(ca_cert, ca_key, hosts, now))


def _authority(now: datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"barista webhook CA {now:%Y-%m-%d %H:%M:%S}")])
    cert = (
        _begun(name, name, key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pem(cert), _key_pem(key)


def _serving(ca_cert: bytes, ca_key: bytes, hosts: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    authority, signer = _cert(ca_cert), serialization.load_pem_private_key(ca_key, None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is none of ours")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "barista webhook")])
    cert = (
        _begun(name, authority.subject, key.public_key(), now, SERVING_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return _pem(cert), _key_pem(key)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _fresh(cert: x509.Certificate, now: datetime) -> bool:
    lifetime = cert.not_valid_after_utc - cert.not_valid_before_utc
    return cert.not_valid_before_utc <= now < cert.not_valid_before_utc + lifetime * RENEW_AFTER


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _hosts(cert: x509.Certificate) -> tuple[str, ...]:
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _cert(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
