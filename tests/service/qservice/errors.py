# SPDX-License-Identifier: Apache-2.0
"""The two error forms: OAuth's for SSO OIDC, AWS JSON's for Amazon Q (docs/protocol.md 9, 7)."""

from .http import json_reply

# `error` value -> (type name, HTTP status, text)
OIDC = {
    "access_denied": ("AccessDeniedException", 400, "The user has denied the request"),
    "authorization_pending": (
        "AuthorizationPendingException",
        400,
        "The authorization request is still pending",
    ),
    "expired_token": ("ExpiredTokenException", 400, "The device code has expired"),
    "server_error": ("InternalServerException", 500, "An unexpected error has occurred"),
    "invalid_client": ("InvalidClientException", 401, "Invalid client or client secret"),
    "invalid_client_metadata": ("InvalidClientMetadataException", 400, "Invalid client metadata"),
    "invalid_grant": ("InvalidGrantException", 400, "Invalid grant provided"),
    "invalid_redirect_uri": ("InvalidRedirectUriException", 400, "Invalid redirect URI"),
    "invalid_request": ("InvalidRequestException", 400, "Invalid request"),
    "invalid_scope": ("InvalidScopeException", 400, "Invalid scope"),
    "slow_down": ("SlowDownException", 400, "Slow down to continue"),
    "unauthorized_client": ("UnauthorizedClientException", 400, "Client is not authorized"),
    "unsupported_grant_type": ("UnsupportedGrantTypeException", 400, "Unsupported grant type"),
}

# Statuses are not part of the model; these are the ones clients are known to meet.
STATUS = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "InternalServerException": 500,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 500,
    "ThrottlingException": 429,
    "UnknownOperationException": 404,
    "ValidationException": 400,
}
NAMESPACE = "com.amazon.aws.codewhisperer"
JSON_1_0 = "application/x-amz-json-1.0"


class OidcError(Exception):
    def __init__(self, error, description=None):
        super().__init__(error)
        self.error, self.description = error, description

    def reply(self):
        name, status, text = OIDC[self.error]
        body = {"error": self.error, "error_description": self.description or text}
        return json_reply(body, status=status, x_amzn_errortype=name)


class ServiceError(Exception):
    def __init__(self, code, message, reason=None, status=None):
        super().__init__(code)
        self.code, self.message, self.reason, self.status = code, message, reason, status

    def reply(self):
        body = {"__type": f"{NAMESPACE}#{self.code}", "message": self.message}
        if self.reason:
            body["reason"] = self.reason
        return json_reply(
            body, status=self.status or STATUS.get(self.code, 400), content_type=JSON_1_0
        )
