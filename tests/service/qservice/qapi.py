# SPDX-License-Identifier: Apache-2.0
"""Amazon Q's one address, `POST /`: who may call, which operation, and the small operations."""

import re
import uuid

from . import chat, sigv4
from .errors import JSON_1_0, ServiceError
from .http import json_reply

STREAMING = "AmazonCodeWhispererStreamingService."
DEVELOPER = "AmazonQDeveloperStreamingService."
RUNTIME = "AmazonCodeWhispererService."
# What a request with such a token has to say in the header tokentype; others must not have one.
TOKEN_TYPES = {"external-idp": "EXTERNAL_IDP", "api-key": "API_KEY"}
INVALID_BEARER = "The bearer token included in the request is invalid."
ORIGINS = (
    "AI_EDITOR CHATBOT CLI CONSOLE DOCUMENTATION GITLAB IDE INLINE_CHAT KIRO_CLI MARKETING MD "
    "MD_CE MD_IDE MOBILE OPENSEARCH_DASHBOARD Q_DEV_BEXT SAGE_MAKER SERVICE_INTERNAL "
    "SM_AI_STUDIO_IDE UNIFIED_SEARCH UNKNOWN"
).split()


def operation_name(request):
    """The operation's name, or None for a request that is not for Amazon Q."""
    if request.method != "POST" or request.path != "/":
        return None
    target = request.headers.get("x-amz-target", "")
    return target.partition(".")[2] if target in TARGETS else "UnknownOperation"


def handle(state, request, script):
    """Reply to a request; `script` is how a chat answer should look."""
    try:
        return _handle(state, request, script)
    except ServiceError as error:
        return error.reply()


def _handle(state, request, script):
    target = request.headers.get("x-amz-target", "")
    if target not in TARGETS:
        raise ServiceError(
            "UnknownOperationException", f"unknown operation: {target or 'none named'}"
        )
    if request.media_type != JSON_1_0:
        raise ServiceError("ValidationException", f"content-type must be {JSON_1_0}")
    session = _caller(state, request, target)
    try:
        body = request.json()
    except ValueError:
        raise ServiceError("SerializationException", "the body must be a JSON object") from None
    if target in CHATS:
        chat.check(state, body)
        _check_profile(state, session, body.get("profileArn"))
        return chat.answer(state, body, {**state.settings["answer"], **script})
    return OPERATIONS[target](state, session, request, body)


def _caller(state, request, target):
    """The session of the bearer; None for a request that is signed with an access key."""
    authorization = request.headers.get("authorization", "")
    if target.startswith(DEVELOPER) and sigv4.is_signed(request):
        sigv4.check(state, request)
        return None
    scheme, _, token = authorization.partition(" ")
    access = state.valid_access(token) if scheme == "Bearer" else None
    token_type = TOKEN_TYPES.get(access.session.kind) if access else None
    if access is None or request.headers.get("tokentype") != token_type:
        raise ServiceError("AccessDeniedException", INVALID_BEARER)
    return access.session


def _check_profile(state, session, arn):
    """A Builder ID has no profile; an organisation's login with one must name it, and no other."""
    if session is None or state.settings["profile_rule"] == "off":
        return
    if session.builder_id and arn is not None:
        raise ServiceError("ValidationException", "profileArn is not allowed for this token")
    if session.profile and arn is None:
        raise ServiceError("ValidationException", "profileArn is required for this request.")
    known = [session.profile] if session.profile else _arns(state)
    if arn is not None and arn not in known:
        raise ServiceError("AccessDeniedException", "User is not authorized to access this profile")


def list_available_profiles(state, session, request, body):
    profiles = [] if session.builder_id else state.settings["profiles"]
    if session.profile and session.profile not in _arns(state):
        profiles = profiles + [{"arn": session.profile, "profileName": "Own"}]
    shown = [{**profile, "status": "ACTIVE", "profileType": "Q_DEVELOPER"} for profile in profiles]
    page, token = _page(state, shown, body)
    return _reply({"profiles": page, "nextToken": token})


def list_available_models(state, session, request, body):
    members = _query_and_body(request, body, ("origin", "maxResults", "nextToken", "profileArn"))
    if members.get("origin") not in ORIGINS:
        raise ServiceError("ValidationException", "origin is missing or unknown")
    _check_profile(state, session, members.get("profileArn"))
    models = [_model(name) for name in state.settings["models"]]
    page, token = _page(state, models, members)
    return _reply({"models": page, "defaultModel": models[0], "nextToken": token})


def get_profile(state, session, request, body):
    arn = body.get("profileArn")
    if not isinstance(arn, str):
        raise ServiceError("ValidationException", "profileArn is missing")
    found = next((p for p in state.settings["profiles"] if p["arn"] == arn), None)
    if found is None and arn == session.profile:
        found = {"arn": arn, "profileName": "Own"}
    if found is None:
        raise ServiceError("ResourceNotFoundException", "profile not found")
    features = {"mcpConfiguration": {"toggle": state.settings["mcp"]}}
    profile = {**found, "status": "ACTIVE", "profileType": "Q_DEVELOPER", "optInFeatures": features}
    return _reply({"profile": profile})


def get_usage_limits(state, session, request, body):
    names = ("profileArn", "origin", "resourceType", "isEmailRequired")
    members = _query_and_body(request, body, names)
    _check_profile(state, session, members.get("profileArn"))
    limit = {
        "type": "AGENTIC_REQUEST",
        "currentUsage": 12,
        "totalUsageLimit": 1000,
        "percentUsed": 1.2,
    }
    return _reply(
        {"limits": [limit], "daysUntilReset": 11, "nextDateReset": int(state.now()) + 11 * 86400}
    )


def create_subscription_token(state, session, request, body):
    if state.settings["subscribed"] and not body.get("statusOnly"):
        raise ServiceError("ConflictException", "The account is already subscribed")
    if state.settings["subscribed"]:
        return _reply({"status": "ACTIVE"})
    url = f"{request.base}/subscribe?token={uuid.uuid4()}"
    return _reply({"encodedVerificationUrl": url, "token": str(uuid.uuid4()), "status": "INACTIVE"})


def _page(state, items, members):
    """One page of `items`, and the token of the next; a token is the index it begins at."""
    size = members.get("maxResults") or state.settings["page_size"]
    token = members.get("nextToken") or "page-0"
    match = re.match(r"page-(\d{1,9})\Z", str(token))
    if not str(size).isdigit() or int(size) < 1 or match is None:
        raise ServiceError("ValidationException", "maxResults or nextToken is not valid")
    start, end = int(match[1]), int(match[1]) + int(size)
    return items[start:end], f"page-{end}" if end < len(items) else None


def _query_and_body(request, body, names):
    """Members that travel in both places: either will do, but they must not differ."""
    members = {}
    for name in names:
        values = [body.get(name), request.query.get(name)]
        texts = {str(v).lower() if isinstance(v, bool) else str(v) for v in values if v is not None}
        if len(texts) > 1:
            raise ServiceError("ValidationException", f"{name}: query string and body differ")
        if texts:
            members[name] = texts.pop()
    return members


def _model(name):
    return {
        "modelId": name,
        "modelName": name,
        "description": f"{name}, as the stand-in offers it",
        "tokenLimits": {"maxInputTokens": 200000, "maxOutputTokens": 8192},
        "supportedInputTypes": ["IMAGE", "TEXT"],
        "supportsPromptCache": False,
    }


def _arns(state):
    return [profile["arn"] for profile in state.settings["profiles"]]


def _reply(value):
    present = {name: member for name, member in value.items() if member is not None}
    return json_reply(present, content_type=JSON_1_0)


CHATS = (
    STREAMING + "GenerateAssistantResponse",
    STREAMING + "SendMessage",
    DEVELOPER + "SendMessage",
)
OPERATIONS = {
    RUNTIME + "ListAvailableProfiles": list_available_profiles,
    RUNTIME + "ListAvailableModels": list_available_models,
    RUNTIME + "GetProfile": get_profile,
    RUNTIME + "GetUsageLimits": get_usage_limits,
    RUNTIME + "CreateSubscriptionToken": create_subscription_token,
}
TARGETS = set(CHATS) | set(OPERATIONS)
