# SPDX-License-Identifier: Apache-2.0
"""Who signed a request (AWS Signature Version 4), if it is one of the access keys in the settings."""

import datetime
import hashlib
import hmac
import re

from .errors import ServiceError

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/"
    r"(?P<service>q)/aws4_request), ?SignedHeaders=(?P<names>[a-z0-9;-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})\Z"
)
TOLERANCE_S = 900


def is_signed(request):
    return bool(AUTHORIZATION.match(request.headers.get("authorization", "")))


def check(state, request):
    """Refuse what is not signed as it must be; without access keys in the settings all are taken."""
    said = AUTHORIZATION.match(request.headers["authorization"])
    if "x-amz-date" not in request.headers:
        raise ServiceError("AccessDeniedException", "x-amz-date is missing")
    keys = state.settings["access_keys"]
    if not keys:
        return
    key = keys.get(said["key"])
    if key is None:
        raise ServiceError(
            "UnrecognizedClientException", "The security token included in the request is invalid.",
            status=403,
        )
    if request.headers.get("x-amz-security-token") != key.get("session_token"):
        raise ServiceError("UnrecognizedClientException", "The security token is invalid.", status=403)
    date = request.headers["x-amz-date"]
    made = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(made.timestamp() - state.now()) > TOLERANCE_S:
        raise ServiceError("InvalidSignatureException", f"Signature expired: {date}", status=403)
    if not hmac.compare_digest(_signature(request, said, key["secret"], date), said["signature"]):
        raise ServiceError(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
            status=403,
        )


def _signature(request, said, secret, date):
    names = said["names"].split(";")
    for needed in ("host", "x-amz-date", "x-amz-target"):
        if needed not in names:
            raise ServiceError("InvalidSignatureException", f"{needed} is not signed", status=403)
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in names)
    canonical = "\n".join(
        ["POST", "/", "", headers, said["names"], hashlib.sha256(request.body).hexdigest()]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", date, said["scope"], digest])
    derived = f"AWS4{secret}".encode()
    for part in (said["day"], said["region"], said["service"], "aws4_request", text):
        derived = hmac.new(derived, part.encode(), hashlib.sha256).digest()
    return derived.hex()
