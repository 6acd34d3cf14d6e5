# SPDX-License-Identifier: Apache-2.0
"""Certificates for servers of ours: with an EC key, which takes no time to make, unless an authority
is given another."""

import ipaddress
import secrets
import tempfile
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BEGIN, END = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2000, 2038))
ORGANISATION = "qservice"  # of every subject
PEM = serialization.Encoding.PEM
SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Certificate:
    """One for these host names or addresses, issued by an authority or by itself; `pem` and `key` are
    its bytes."""

    def __init__(self, *names, issuer=None, begin=BEGIN, end=END):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(names[0])
        builder = _builder(subject, issuer.subject if issuer else subject, key, begin, end)
        alternative = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
        if issuer:
            builder = _name_key_of_issuer(builder, issuer.identifier)
        signed = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        self.pem = signed.public_bytes(PEM)
        self.key = key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def load_into(self, context):
        """Make it what a server with this SSL context shows; that is read from files only."""
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(self.key + self.pem)
            file.flush()
            context.load_cert_chain(file.name)


class Authority:
    """Who is to be trusted, by the bytes `pem`, for what it issues. A namesake has another key, and
    says that it is the same one."""

    def __init__(self, namesake=None, key=None):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        own = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        self.identifier = namesake.identifier if namesake else own
        # No two are of one name, unless that is wanted.
        self.subject = namesake.subject if namesake else _subject(f"CA {secrets.token_hex(4)}")
        builder = _builder(self.subject, self.subject, self.key, BEGIN, END)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = builder.add_extension(constraints, critical=True)
        builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
        builder = builder.add_extension(self.identifier, critical=False)
        builder = _name_key_of_issuer(builder, self.identifier)
        self.pem = builder.sign(self.key, hashes.SHA256()).public_bytes(PEM)

    def issue(self, *names, **times):
        return Certificate(*names, issuer=self, **times)


def _builder(subject, issuer, key, begin, end):
    number = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, key.public_key(), number, begin, end)


def _name_key_of_issuer(builder, identifier):
    extension = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return builder.add_extension(extension, critical=False)


def _subject(name):
    oid = x509.NameOID
    return x509.Name(
        [
            x509.NameAttribute(oid.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(oid.COMMON_NAME, name),
        ]
    )


def _general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
