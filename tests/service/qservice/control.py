# SPDX-License-Identifier: Apache-2.0
"""The control API: `/_control/NAME` on the clear-text port, JSON in and out (see README.md)."""

from . import chat, kiro, oidc, qapi
from .faults import Fault
from .http import json_reply
from .journal import Journal
from .oidc import new_login
from .state import BUILDER_ID_URL, KINDS, Session

PREFIX = "/_control/"
SCOPES = ["codewhisperer:completions", "codewhisperer:analysis", "codewhisperer:conversations"]
OPERATIONS = (
    {"*", "UnknownOperation"}
    | {name for name, _ in oidc.ROUTES.values()}
    | {name for name, _ in kiro.ROUTES.values()}
    | {"CreateToken:" + grant for grant in oidc.GRANTS.values()}
    | {target.partition(".")[2] for target in qapi.TARGETS}
)


async def handle(app, request):
    action = ACTIONS.get(request.path.removeprefix(PREFIX))
    if action is None:
        return json_reply({"error": f"unknown, use one of {', '.join(ACTIONS)}"}, status=404)
    try:
        return json_reply(await action(app, request.json()))
    except (ValueError, KeyError, TypeError) as error:
        return json_reply({"error": str(error.args[0])}, status=400)
    except TimeoutError as error:
        return json_reply({"error": str(error)}, status=408)


async def counters(app, body):
    return app.journal.counters()


async def requests(app, body):
    """The requests of an operation, oldest first."""
    return list(app.journal.requests[_operation(body)])


async def settings(app, body):
    chat.check_script(body.get("answer", {}))
    app.state.configure(body)
    return app.state.settings


async def fault(app, body):
    """Queue `faults` (or the one `fault`) for an operation."""
    operation = _operation(body)
    for values in body.get("faults") or [body["fault"]]:
        app.faults.add(operation, Fault.parse(values))
    return app.faults.pending()


async def reset(app, body):
    """Forget counters, requests, faults and settings; with `logins` also every login."""
    app.release()
    app.journal = Journal()
    app.faults.clear()
    app.state.forget_settings()
    if body.get("logins"):
        app.state.forget_logins()
    return {}


async def login(app, body):
    """Issue a login without a browser; `expires_in` may be negative for one that has expired.

    `kind` is oidc, social, external-idp or api-key; the last is an access token alone.
    """
    kind = body.get("kind", "oidc")
    if kind not in KINDS:
        raise ValueError(f"kind: use one of {', '.join(KINDS)}")
    start_url = body.get("start_url") or BUILDER_ID_URL
    client = app.state.add_client(
        body.get("scopes") or SCOPES,
        grant_types=["authorization_code", "refresh_token", oidc.DEVICE_GRANT],
        issuer_url=start_url,
        lifetime=body.get("client_lifetime"),
    )
    session = Session(client.id, start_url, client.scopes, profile=body.get("profile"), kind=kind)
    tokens = new_login(app.state, session)
    lifetime = body.get("expires_in", app.state.settings["token_lifetime"])
    access = app.state.access[tokens["accessToken"]]
    access.expires_at = app.state.now() + lifetime
    return {
        "client_id": client.id,
        "client_secret": client.secret,
        "client_secret_expires_at": client.expires_at,
        "access_token": access.value,
        "refresh_token": tokens["refreshToken"],
        "expires_in": lifetime,
        "expires_at": access.expires_at,
        "start_url": start_url,
        "scopes": client.scopes,
        "profile": session.profile,
    }


async def token(app, body):
    """What the service thinks of an access token: {"known", "valid", "expires_in"}."""
    found = app.state.access.get(body["access_token"])
    valid = app.state.valid_access(body["access_token"]) is not None
    left = found.expires_at - app.state.now() if found else None
    return {"known": found is not None, "valid": valid, "expires_in": left}


async def revoke(app, body):
    """End the session of an access or refresh token; of every one when none is named."""
    tokens = {**app.state.access, **app.state.refresh}
    named = [body[name] for name in ("access_token", "refresh_token") if name in body] or tokens
    for value in named:
        tokens[value].session.revoked = True
    return {"revoked": len(named)}


async def approve(app, body):
    return _decide(app, body, "approved")


async def deny(app, body):
    return _decide(app, body, "denied")


async def release(app, body):
    """Let every held or stalled call go on."""
    app.release()
    return {}


async def wait(app, body):
    """Wait until an operation has so many {"calls" | "held" | "disconnects": N}."""
    operation, timeout = _operation(body), body.get("timeout_s", 10)
    kind = next((name for name in ("calls", "held", "disconnects") if name in body), None)
    if kind is None:
        raise ValueError("wait: name one of calls, held, disconnects")
    if not await app.journal.wait(kind, operation, body[kind], timeout):
        raise TimeoutError(f"wait: fewer than {body[kind]} {kind} of {operation} in {timeout} s")
    return app.journal.counters()


def _decide(app, body, decision):
    grant = app.state.device_by_user_code(body["user_code"])
    if grant is None:
        raise ValueError("user_code: unknown")
    grant.state = decision
    return {"state": decision}


def _operation(body):
    operation = body["operation"]
    if operation not in OPERATIONS:
        raise ValueError(f"operation: unknown, use one of {', '.join(sorted(OPERATIONS))}")
    return operation


ACTIONS = {
    "counters": counters,
    "requests": requests,
    "settings": settings,
    "fault": fault,
    "reset": reset,
    "login": login,
    "token": token,
    "revoke": revoke,
    "approve": approve,
    "deny": deny,
    "release": release,
    "wait": wait,
}
