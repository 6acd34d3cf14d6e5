# SPDX-License-Identifier: Apache-2.0
"""Where the Kiro CLI's other logins are refreshed: its own service for social logins, and the
identity provider of an organisation (RFC 6749, section 6; a public client)."""

from .errors import OidcError
from .http import json_reply
from .oidc import spend

IDP = "/idp"  # the provider's issuer and token endpoint are below this path


def operation_name(request):
    route = ROUTES.get((request.method, request.path))
    return route and route[0]


def handle(state, request):
    return ROUTES[request.method, request.path][1](state, request)


def refresh_social(state, request):
    """How the real one refuses is not published: a plain 401 here, as gateways do."""
    if request.media_type != "application/json":
        return json_reply({"message": "content-type must be application/json"}, status=400)
    try:
        value = request.json()["refreshToken"]
    except (ValueError, KeyError):
        return json_reply({"message": "refreshToken is missing"}, status=400)
    try:
        reply, session = spend(state, value, "social")
    except OidcError:
        return json_reply({"message": "Invalid refresh token provided"}, status=401)
    del reply["tokenType"]
    return json_reply({**reply, "profileArn": session.profile})


def refresh_at_idp(state, request):
    form = request.form()
    if request.media_type != "application/x-www-form-urlencoded":
        return _refused("invalid_request", "the body must be a form")
    if form.get("grant_type") != "refresh_token":
        return _refused("unsupported_grant_type", "only refresh_token is spoken here")
    if "client_secret" in form:
        return _refused("invalid_client", "a public client has no secret", status=401)
    client = state.clients.get(form.get("client_id"))
    if client is None:
        return _refused("invalid_client", "unknown client_id", status=401)
    try:
        reply, _ = spend(state, form.get("refresh_token"), "external-idp", client.id)
    except OidcError as error:
        return _refused(error.error, error.description)
    snake = {"accessToken": "access_token", "refreshToken": "refresh_token"}
    snake.update(expiresIn="expires_in", tokenType="token_type")
    return json_reply(
        {snake[name]: value for name, value in reply.items()}, cache_control="no-store"
    )


def _refused(error, description, status=400):
    return json_reply({"error": error, "error_description": description}, status=status)


ROUTES = {
    ("POST", "/refreshToken"): ("RefreshToken", refresh_social),
    ("POST", IDP + "/oauth2/token"): ("IdpToken", refresh_at_idp),
}
