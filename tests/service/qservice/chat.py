# SPDX-License-Identifier: Apache-2.0
"""GenerateAssistantResponse and SendMessage: check the request, answer with an event stream."""

import json
import re
import uuid

from . import eventstream
from .errors import ServiceError
from .http import Reply

DEFAULT_ANSWER = {
    "text": None,  # None: a sentence that contains the prompt
    "repeat": 1,  # the text is said this many times
    "pieces": None,  # number of assistantResponseEvents; None: one per word
    "pacing_ms": 0,  # pause before each frame
    "reasoning": None,  # text of a reasoningContentEvent before the answer
    "tool": None,  # name of the tool to use; None: the one the prompt names, if any
    "events": None,  # [[event type, payload], ...] instead of everything above
}
CONTENT_LIMIT = 600_000  # bytes of one user message
TRIGGERS = ("MANUAL", "DIAGNOSTIC", "INLINE_CHAT")
IMAGE_FORMATS = ("gif", "jpeg", "png", "webp")
DISCLAIMER = "This is the stand-in service; it has no model to think with."
FRAGMENT = 16  # characters of tool input in one event


def answer(state, body, script):
    """Reply to a checked `body`; `script` overrides DEFAULT_ANSWER."""
    script = {**DEFAULT_ANSWER, **script}
    events = script["events"]
    if events is None:
        events = _events(state, body["conversationState"], script)
    frames = [eventstream.event(name, payload) for name, payload in events]
    return Reply(content_type=eventstream.MEDIA_TYPE, frames=frames, pacing_ms=script["pacing_ms"])


def check_script(script):
    unknown = set(script) - set(DEFAULT_ANSWER)
    if unknown:
        raise ValueError(
            f"answer {sorted(unknown)[0]}: unknown, use one of {', '.join(DEFAULT_ANSWER)}"
        )


def check(state, body):
    """Raise the ValidationException the service would answer a malformed request with."""
    conversation = _member(body, "conversationState", dict)
    if _member(conversation, "chatTriggerType", str) not in TRIGGERS:
        raise _invalid(f"chatTriggerType must be one of {', '.join(TRIGGERS)}")
    conversation_id = conversation.get("conversationId")
    if conversation_id is not None and not _is_uuid(conversation_id):
        raise _invalid("Invalid conversationId", "INVALID_CONVERSATION_ID")
    current = _user_message(_member(conversation, "currentMessage", dict))
    _check_history(conversation.get("history") or [], current)
    model = current.get("modelId")
    if model is not None and model not in state.settings["models"]:
        raise _invalid(
            f"Invalid model. Please select a different model: {model}", "INVALID_MODEL_ID"
        )
    if len(current["content"].encode()) > CONTENT_LIMIT:
        raise _invalid("Input is too long.", "CONTENT_LENGTH_EXCEEDS_THRESHOLD")
    for image in current.get("images") or []:
        if image.get("format") not in IMAGE_FORMATS or "bytes" not in image.get("source", {}):
            raise _invalid("images: each needs a known format and source.bytes")
    for tool in _context(current).get("tools") or []:
        _check_tool(tool)


def _check_history(history, current):
    """User and assistant take turns; tool results follow the tool uses they answer."""
    uses = set()
    for index, message in enumerate(history):
        wanted = "userInputMessage" if index % 2 == 0 else "assistantResponseMessage"
        if set(_present(message)) != {wanted}:
            raise _invalid("Improperly formed request: history must alternate, user first")
        _member(message[wanted], "content", str)
        if index % 2 == 0:
            _check_results(message[wanted], uses)
        else:
            uses = {use["toolUseId"] for use in message[wanted].get("toolUses") or []}
    if len(history) % 2:
        raise _invalid("Improperly formed request: history must end with an assistant message")
    _check_results(current, uses)


def _check_results(message, uses):
    for result in _context(message).get("toolResults") or []:
        if result.get("toolUseId") not in uses:
            raise _invalid("toolResults: no toolUse with this id in the message before")
        if result.get("status") not in (None, "success", "error"):
            raise _invalid("toolResults: status must be success or error")
        if not isinstance(result.get("content"), list):
            raise _invalid("toolResults: content must be a list")


def _check_tool(tool):
    kind = set(_present(tool))
    if kind == {"cachePoint"}:
        return
    if kind != {"toolSpecification"}:
        raise _invalid("tools: each needs exactly one of toolSpecification and cachePoint")
    specification = tool["toolSpecification"]
    if not re.match(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}\Z", _member(specification, "name", str)):
        raise _invalid("tools: name is not valid")
    _member(_member(specification, "inputSchema", dict), "json", dict)


def _events(state, conversation, script):
    current = conversation["currentMessage"]["userInputMessage"]
    model = current.get("modelId") or state.settings["models"][0]
    text = (_text(current) if script["text"] is None else script["text"]) * script["repeat"]
    yield "messageMetadataEvent", {
        "conversationId": conversation.get("conversationId") or str(uuid.uuid4()),
        "utteranceId": str(uuid.uuid4()),
    }
    if script["reasoning"]:
        yield "reasoningContentEvent", {"text": script["reasoning"]}
    for piece in _pieces(text, script["pieces"]):
        yield "assistantResponseEvent", {"content": piece, "modelId": model}
    tool = script["tool"] or _tool_named_in(current)
    if tool:
        yield from _tool_use(tool, current["content"])
    yield "meteringEvent", {"unit": "credit", "unitPlural": "credits", "usage": 0.25}
    asked, said = len(current["content"].encode()) // 4 + 1, len(text.encode()) // 4 + 1
    usage = {"uncachedInputTokens": asked, "outputTokens": said, "totalTokens": asked + said}
    yield "metadataEvent", {"tokenUsage": usage}


def _text(current):
    results = _context(current).get("toolResults") or []
    if results:
        blocks = [block for result in results for block in result["content"]]
        said = " ".join(
            block["text"] if "text" in block else json.dumps(block.get("json")) for block in blocks
        )
        return f"The tool said: {said}\n"
    return f"You asked: {current['content']}\n{DISCLAIMER}\n"


def _pieces(text, count):
    if count is None:
        return re.findall(r"\s*\S+\s*\Z|\s*\S+", text) or [text]
    size, rest = divmod(len(text), count)
    ends = [size * (index + 1) + min(index + 1, rest) for index in range(count)]
    return [text[start:end] for start, end in zip([0] + ends, ends)]


def _tool_named_in(current):
    context = _context(current)
    if context.get("toolResults"):
        return None
    specifications = [tool.get("toolSpecification") or {} for tool in context.get("tools") or []]
    words = set(re.findall(r"[\w-]+", current["content"]))
    return next((s["name"] for s in specifications if s.get("name") in words), None)


def _tool_use(name, prompt):
    """First neither input nor stop, then fragments of the input, then stop (docs/protocol.md 6)."""
    named = {"toolUseId": "tooluse_" + uuid.uuid4().hex[:22], "name": name}
    text = json.dumps({"prompt": prompt}, ensure_ascii=False)
    yield "toolUseEvent", named
    for start in range(0, len(text), FRAGMENT):
        yield "toolUseEvent", {**named, "input": text[start : start + FRAGMENT]}
    yield "toolUseEvent", {**named, "stop": True}


def _user_message(message):
    if set(_present(message)) != {"userInputMessage"}:
        raise _invalid("Improperly formed request: currentMessage must be a userInputMessage")
    _member(message["userInputMessage"], "content", str)
    return message["userInputMessage"]


def _context(message):
    return message.get("userInputMessageContext") or {}


def _present(union):
    """The members of a union that are there: null means absent."""
    if not isinstance(union, dict):
        raise _invalid("Improperly formed request: a union must be an object")
    return [name for name, value in union.items() if value is not None]


def _member(body, name, kind):
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, kind):
        raise _invalid(f"1 validation error detected: Value at '{name}' must not be null")
    return value


def _is_uuid(text):
    try:
        return bool(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        return False


def _invalid(message, reason=None):
    return ServiceError("ValidationException", message, reason)
