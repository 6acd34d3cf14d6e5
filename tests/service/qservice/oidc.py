# SPDX-License-Identifier: Apache-2.0
"""SSO OIDC: RegisterClient, StartDeviceAuthorization, CreateToken and the pages a browser sees."""

import base64
import hashlib
import html
import json
import re
from urllib.parse import urlencode, urlsplit

from .errors import OidcError
from .http import html_reply, json_reply, redirect
from .state import Session

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
GRANTS = {
    DEVICE_GRANT: "device_code",
    "authorization_code": "authorization_code",
    "refresh_token": "refresh_token",
}
SCOPE = re.compile(r"[a-z0-9_.-]+(:[a-z0-9_.-]+)*\Z")
BASE64URL_43 = re.compile(r"[A-Za-z0-9_-]{43}\Z")
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


def operation_name(request):
    """The name counters and faults go by, or None when this is not an OIDC request."""
    route = ROUTES.get((request.method, request.path))
    if route is None or route[0] != "CreateToken":
        return route and route[0]
    try:
        return "CreateToken:" + GRANTS[request.json()["grantType"]]
    except (ValueError, KeyError, TypeError):
        return "CreateToken"


def handle(state, request):
    try:
        return ROUTES[request.method, request.path][1](state, request)
    except OidcError as error:
        return error.reply()


def register_client(state, request):
    body = _body(request)
    _text(body, "clientName")
    if _text(body, "clientType") != "public":
        raise OidcError("invalid_client_metadata", "clientType must be public")
    scopes = _texts(body, "scopes")
    if any(not SCOPE.match(scope) for scope in scopes):
        raise OidcError("invalid_scope")
    grants = _texts(body, "grantTypes")
    if any(grant not in GRANTS for grant in grants):
        raise OidcError("unsupported_grant_type")
    redirects = _texts(body, "redirectUris")
    if any(not _acceptable_redirect(uri) for uri in redirects):
        raise OidcError("invalid_redirect_uri")
    if "authorization_code" in grants and not (redirects and body.get("issuerUrl")):
        raise OidcError("invalid_request", "authorization_code needs redirectUris and issuerUrl")
    client = state.add_client(scopes, redirects, grants, body.get("issuerUrl"))
    return json_reply(
        {
            "clientId": client.id,
            "clientSecret": client.secret,
            "clientIdIssuedAt": client.issued_at,
            "clientSecretExpiresAt": client.expires_at,
        }
    )


def start_device_authorization(state, request):
    body = _body(request)
    client = _client(state, body)
    if client.grant_types and DEVICE_GRANT not in client.grant_types:
        raise OidcError("unauthorized_client")
    grant = state.add_device(client.id, _text(body, "startUrl"))
    page = request.base + "/device"
    return json_reply(
        {
            "deviceCode": grant.device_code,
            "userCode": grant.user_code,
            "verificationUri": page,
            "verificationUriComplete": f"{page}?user_code={grant.user_code}",
            "expiresIn": state.settings["device_lifetime"],
            "interval": grant.interval,
        }
    )


def create_token(state, request):
    body = _body(request)
    _text(body, "clientId"), _text(body, "clientSecret")
    grant = _text(body, "grantType")
    if grant not in GRANTS:
        raise OidcError("unsupported_grant_type")
    client = _client(state, body)
    # A client that named no grants is a device client; refreshing goes with any of them.
    allowed = client.grant_types or [DEVICE_GRANT, "refresh_token"]
    if grant not in allowed:
        raise OidcError("unauthorized_client")
    answer = {
        "device_code": _token_by_device,
        "authorization_code": _token_by_code,
        "refresh_token": _token_by_refresh,
    }[GRANTS[grant]]
    return json_reply(answer(state, client, body), cache_control="no-store", pragma="no-cache")


def _token_by_device(state, client, body):
    grant = state.devices.get(_text(body, "deviceCode"))
    if grant is None or grant.client_id != client.id or grant.state == "spent":
        raise OidcError("invalid_grant", "Invalid device code provided")
    now, last, grant.last_poll = state.now(), grant.last_poll, state.now()
    if now >= grant.expires_at:
        raise OidcError("expired_token")
    # A tenth of the interval is forgiven: the client's timer and ours are not the same.
    if state.settings["enforce_interval"] and last and now - last < 0.9 * grant.interval:
        raise OidcError("slow_down")
    if grant.state == "denied":
        raise OidcError("access_denied")
    if grant.state == "pending":
        raise OidcError("authorization_pending")
    grant.state = "spent"
    return new_login(state, Session(client.id, grant.start_url, client.scopes))


def _token_by_code(state, client, body):
    code = state.codes.get(_text(body, "code"))
    verifier = _text(body, "codeVerifier")
    if code is None or code.spent or code.client_id != client.id:
        raise OidcError("invalid_grant", "Invalid authorization code provided")
    if state.now() >= code.expires_at:
        raise OidcError("invalid_grant", "The authorization code has expired")
    if body.get("redirectUri") != code.redirect_uri:
        raise OidcError("invalid_grant", "redirectUri differs from the one authorized")
    if not VERIFIER.match(verifier) or challenge_of(verifier) != code.challenge:
        raise OidcError("invalid_grant", "Invalid code verifier provided")
    code.spent = True
    return new_login(state, Session(client.id, client.issuer_url, code.scopes))


def _token_by_refresh(state, client, body):
    return spend(state, _text(body, "refreshToken"), "oidc", client.id)[0]


def spend(state, value, kind, client_id=None):
    """What is given for a refresh token of a login of this kind, and the session it is of."""
    token = state.refresh.get(value)
    if token is None or token.session.kind != kind or token.session.revoked:
        raise OidcError("invalid_grant", "Invalid refresh token provided")
    if client_id is not None and token.session.client_id != client_id:
        raise OidcError("invalid_grant", "Invalid refresh token provided")
    rotation = state.settings["rotation"]
    if token.spent and rotation != "grace":
        raise OidcError("invalid_grant", "Invalid refresh token provided")
    reply = _token_reply(state, token.session)
    if rotation in ("strict", "grace"):
        token.spent = True
        reply["refreshToken"] = state.add_refresh(token.session).value
    elif rotation == "none":
        reply["refreshToken"] = token.value
    return reply, token.session


def new_login(state, session):
    reply = _token_reply(state, session)
    reply["refreshToken"] = state.add_refresh(session).value
    return reply


def _token_reply(state, session):
    return {
        "accessToken": state.add_access(session).value,
        "expiresIn": state.settings["token_lifetime"],
        "tokenType": "Bearer",
    }


def authorize(state, request):
    """The page a browser is sent to. A client or address we do not trust is never redirected to."""
    query = request.query
    client = state.clients.get(query.get("client_id"))
    if client is None:
        return html_reply("Error", "<p>Unknown client.</p>", status=400)
    target = query.get("redirect_uri", "")
    if not any(_same_redirect(target, registered) for registered in client.redirect_uris):
        return html_reply("Error", "<p>Redirect address is not registered.</p>", status=400)
    wrong = _authorize_problem(client, query)
    if wrong:
        return _back(target, query, error=wrong[0], error_description=wrong[1])
    consent = state.settings["consent"]
    if consent == "page":
        return _consent_page(query)
    return _consent(state, query, consent == "auto")


def authorize_answer(state, request):
    form = request.form()
    try:
        query = json.loads(form["request"])
        client = state.clients[query["client_id"]]
    except (ValueError, KeyError):
        return html_reply("Error", "<p>Unknown request.</p>", status=400)
    target = query.get("redirect_uri", "")
    known = any(_same_redirect(target, uri) for uri in client.redirect_uris)
    if not known or _authorize_problem(client, query):
        return html_reply("Error", "<p>Bad request.</p>", status=400)
    return _consent(state, query, form.get("action") == "approve")


def _authorize_problem(client, query):
    if query.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code"
    if not query.get("state"):
        return "invalid_request", "state is missing"
    if query.get("code_challenge_method") != "S256":
        return "invalid_request", "code_challenge_method must be S256"
    if not BASE64URL_43.match(query.get("code_challenge", "")):
        return "invalid_request", "code_challenge must be 43 base64url characters"
    scopes = query.get("scopes", "").split()  # plural: unlike OAuth
    if not scopes or not set(scopes) <= set(client.scopes):
        return "invalid_scope", "scopes must be some of those the client registered"
    return None


def _consent_page(query):
    value = html.escape(json.dumps(query), quote=True)
    scopes = "".join(f"<li>{html.escape(scope)}</li>" for scope in query["scopes"].split())
    return html_reply(
        "Allow access",
        f"<p>A program asks for access to:</p><ul>{scopes}</ul>"
        '<form method="post" action="/authorize">'
        f'<input type="hidden" name="request" value="{value}">'
        '<button name="action" value="approve">Allow</button> '
        '<button name="action" value="deny">Deny</button></form>',
    )


def _consent(state, query, approved):
    target = query["redirect_uri"]
    if not approved:
        return _back(target, query, error="access_denied", error_description="denied by the user")
    code = state.add_code(
        query["client_id"], target, query["code_challenge"], query["scopes"].split()
    )
    return _back(target, query, code=code.value)


def _back(target, query, **values):
    if query.get("state"):
        values["state"] = query["state"]
    return redirect(target + ("&" if urlsplit(target).query else "?") + urlencode(values))


def device_page(state, request):
    code = html.escape(request.query.get("user_code", ""), quote=True)
    return html_reply(
        "Confirm the code",
        '<form method="post" action="/device">'
        f'<p>Code: <input name="user_code" value="{code}"></p>'
        '<button name="action" value="approve">Allow</button> '
        '<button name="action" value="deny">Deny</button></form>',
    )


def device_answer(state, request):
    form = request.form()
    grant = state.device_by_user_code(form.get("user_code", ""))
    if grant is None or grant.state != "pending" or state.now() >= grant.expires_at:
        return html_reply("Error", "<p>This code is not valid.</p>", status=400)
    grant.state = "approved" if form.get("action") == "approve" else "denied"
    return html_reply("Done", f"<p>Request {grant.state}. You can close this window.</p>")


def challenge_of(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _body(request):
    if request.media_type != "application/json":
        raise OidcError("invalid_request", "content-type must be application/json")
    try:
        return request.json()
    except ValueError:
        raise OidcError("invalid_request", "the body must be a JSON object") from None


def _text(body, name):
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise OidcError("invalid_request", f"{name} is missing or not a string")
    return value


def _texts(body, name):
    values = body.get(name) or []
    if not isinstance(values, list) or any(not isinstance(value, str) for value in values):
        raise OidcError("invalid_request", f"{name} must be a list of strings")
    return values


def _client(state, body):
    client = state.clients.get(_text(body, "clientId"))
    if client is None or _text(body, "clientSecret") != client.secret:
        raise OidcError("invalid_client")
    if state.now() >= client.expires_at:
        raise OidcError("invalid_client", "The client secret has expired")
    return client


def _acceptable_redirect(uri):
    parts = urlsplit(uri)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts))


def _same_redirect(uri, registered):
    """Equal; for a loopback address whatever its port (RFC 8252, 7.3)."""
    left, right = urlsplit(uri), urlsplit(registered)
    if _is_loopback(left) and _is_loopback(right):
        return left._replace(netloc=left.hostname) == right._replace(netloc=right.hostname)
    return uri == registered


def _is_loopback(parts):
    return parts.hostname in ("127.0.0.1", "::1")


ROUTES = {
    ("POST", "/client/register"): ("RegisterClient", register_client),
    ("POST", "/device_authorization"): ("StartDeviceAuthorization", start_device_authorization),
    ("POST", "/token"): ("CreateToken", create_token),
    ("GET", "/authorize"): ("Authorize", authorize),
    ("POST", "/authorize"): ("AuthorizeAnswer", authorize_answer),
    ("GET", "/device"): ("DevicePage", device_page),
    ("POST", "/device"): ("DeviceAnswer", device_answer),
}
