# SPDX-License-Identifier: Apache-2.0
"""A certificate authority of our own, and the certificate of every host of Google's APIs."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = datetime.timedelta(days=2)


@dataclass(frozen=True)
class Certificates:
    """What a server shows, and whom its clients have to trust, as PEM."""

    authority: bytes
    server: bytes
    key: bytes


def issue(*hosts: str) -> Certificates:
    """Make certificates for ``hosts``."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _builder("authority of the tests", "authority of the tests", authority_key, is_authority=True)
    server = _builder("server of the tests", "authority of the tests", key, is_authority=False)
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    server = server.add_extension(names, critical=False)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return Certificates(
        authority.sign(authority_key, hashes.SHA256()).public_bytes(pem),
        server.sign(authority_key, hashes.SHA256()).public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain),
    )


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
