"""The certificates of a cluster: an authority, serving certificates, client certificates."""

import base64
import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a client certificate speaks for."""

    user: str
    group: str = "system:masters"


class Authority:
    """A certificate authority whose files lie in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("cluster-test")
        certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = directory / "ca.crt"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def serving(self, name: str, addresses: tuple[str, ...], names: tuple[str, ...]) -> tuple[Path, Path]:
        """Certificate and key files of a server reached at `addresses` and `names`."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        extra = x509.SubjectAlternativeName(alternatives)
        return self._issue(name, _name(name), ExtendedKeyUsageOID.SERVER_AUTH, extra)

    def kubeconfig(self, name: str, server: str, identity: Identity) -> Path:
        """A kubeconfig file with a client certificate of its own for `identity`."""
        subject = _name(identity.user, identity.group)
        certificate, key = self._issue(name, subject, ExtendedKeyUsageOID.CLIENT_AUTH)
        user = {"client-certificate": str(certificate), "client-key": str(key)}
        path = self._directory / f"{name}.kubeconfig"
        path.write_text(kubeconfig(server, self.certificate, user))
        return path

    def signing_key(self, name: str) -> tuple[Path, Path]:
        """Public and private key files to sign service-account tokens with."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = self._directory / f"{name}.pub"
        public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        return public, self._write_key(name, key)

    def _issue(
        self, name: str, subject: x509.Name, usage: x509.ObjectIdentifier, *extra: x509.ExtensionType
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(subject, self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        for extension in extra:
            builder = builder.add_extension(extension, critical=False)
        path = self._directory / f"{name}.crt"
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path, self._write_key(name, key)

    def _write_key(self, name: str, key: ec.EllipticCurvePrivateKey) -> Path:
        path = self._directory / f"{name}.key"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        path.chmod(0o600)
        return path


def kubeconfig(server: str, authority: Path, user: dict[str, str]) -> str:
    """The text of a kubeconfig with one cluster, user and context; `authority` is a certificate's file."""
    encoded = base64.b64encode(authority.read_bytes()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": server, "certificate-authority-data": encoded}}
            ],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
    )


def _name(common_name: str, organisation: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID)
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
