# SPDX-License-Identifier: Apache-2.0
# Written by tools/generate-models: change model/service-model.json or the tool, not this file.
"""The shapes that the streaming operations answer with."""

from typing import Annotated, ClassVar, Optional, Union

from pydantic import Field

from ._base import (
    Blob,
    Document,
    EventShape,
    Open,
    OpenUnion,
    ResponseShape,
    UnknownUnionMember,
    Variant,
)
from ._enums import (
    AccessDeniedExceptionReason,
    AlertType,
    ConflictExceptionReason,
    ContentChecksumType,
    IntentType,
    InternalServerExceptionReason,
    InvalidStateReason,
    ServiceQuotaExceededExceptionReason,
    StepState,
    TaskActionNoteType,
    ThrottlingExceptionReason,
    ToolResultStatus,
    UserIntent,
    ValidationExceptionReason,
)


class AccessDeniedError(ResponseShape):
    message: str
    reason: Optional[Open[AccessDeniedExceptionReason]] = None


class WebLink(ResponseShape):
    label: str = Field(repr=False)
    url: str = Field(repr=False)


class CloudWatchTroubleshootingLink(ResponseShape):
    label: str = Field(repr=False)
    investigation_payload: str = Field(repr=False)
    default_text: Optional[str] = Field(default=None, repr=False)


class ModuleLink(ResponseShape):
    cloud_watch_troubleshooting_link: Optional[CloudWatchTroubleshootingLink] = None


class Action(ResponseShape):
    web_link: Optional[WebLink] = None
    module_link: Optional[ModuleLink] = None


class Text(ResponseShape):
    content: str = Field(repr=False)


class AlertComponent(ResponseShape):
    text: Optional[Text] = None


class Alert(ResponseShape):
    type: Open[AlertType]
    content: list[AlertComponent]


class AssistantResponseEvent(EventShape):
    event_type: ClassVar[str] = "assistantResponseEvent"

    content: str = Field(repr=False)
    model_id: Optional[str] = None


class BinaryMetadataEvent(EventShape):
    event_type: ClassVar[str] = "binaryMetadataEvent"

    size: Optional[int] = Field(default=None, repr=False)
    mime_type: Optional[str] = Field(default=None, repr=False)
    content_checksum: Optional[str] = Field(default=None, repr=False)
    content_checksum_type: Optional[Open[ContentChecksumType]] = Field(default=None, repr=False)


class BinaryPayloadEvent(EventShape):
    event_type: ClassVar[str] = "binaryPayloadEvent"

    bytes: Optional[Blob] = Field(default=None, repr=False)


class Span(ResponseShape):
    start: Optional[int] = None
    end: Optional[int] = None


class CitationTargetLocation(Variant):
    location: int


CitationTarget = Annotated[
    Union[CitationTargetLocation, Span, UnknownUnionMember],
    OpenUnion(location=CitationTargetLocation, range=Span),
]


class CitationEvent(EventShape):
    event_type: ClassVar[str] = "citationEvent"

    target: CitationTarget
    citation_text: Optional[str] = Field(default=None, repr=False)
    citation_link: str = Field(repr=False)


class CodeEvent(EventShape):
    event_type: ClassVar[str] = "codeEvent"

    content: str = Field(repr=False)


class Reference(ResponseShape):
    license_name: Optional[str] = None
    repository: Optional[str] = None
    url: Optional[str] = None
    recommendation_content_span: Optional[Span] = None


class CodeReferenceEvent(EventShape):
    event_type: ClassVar[str] = "codeReferenceEvent"

    references: Optional[list[Reference]] = None


class DryRunSucceedEvent(EventShape):
    event_type: ClassVar[str] = "dryRunSucceedEvent"


class FollowupPrompt(ResponseShape):
    content: str = Field(repr=False)
    user_intent: Optional[Open[UserIntent]] = None


class FollowupPromptEvent(EventShape):
    event_type: ClassVar[str] = "followupPromptEvent"

    followup_prompt: Optional[FollowupPrompt] = None


class IntentDataTypeString(Variant):
    string: str


IntentDataType = Annotated[
    Union[IntentDataTypeString, UnknownUnionMember],
    OpenUnion(string=IntentDataTypeString),
]


class IntentsEvent(EventShape):
    event_type: ClassVar[str] = "intentsEvent"

    intents: Optional[dict[Open[IntentType], dict[str, IntentDataType]]] = None


class InfrastructureUpdateTransition(ResponseShape):
    current_state: str = Field(repr=False)
    next_state: str = Field(repr=False)


class InfrastructureUpdate(ResponseShape):
    transition: Optional[InfrastructureUpdateTransition] = None


class StepComponent(ResponseShape):
    text: Optional[Text] = None


class Step(ResponseShape):
    id: int
    state: Open[StepState]
    label: str = Field(repr=False)
    content: Optional[list[StepComponent]] = None


class ProgressComponent(ResponseShape):
    step: Optional[Step] = None


class Progress(ResponseShape):
    content: list[ProgressComponent]


class TaskOverview(ResponseShape):
    label: str = Field(repr=False)
    description: str = Field(repr=False)


class TaskComponent(ResponseShape):
    text: Optional[Text] = None
    infrastructure_update: Optional[InfrastructureUpdate] = None
    alert: Optional[Alert] = None
    progress: Optional[Progress] = None


class TaskActionNote(ResponseShape):
    content: str = Field(repr=False)
    type: Optional[Open[TaskActionNoteType]] = None


class TaskActionConfirmation(ResponseShape):
    content: Optional[str] = Field(default=None, repr=False)


class TaskAction(ResponseShape):
    label: str = Field(repr=False)
    note: Optional[TaskActionNote] = None
    primary: Optional[bool] = None
    disabled: Optional[bool] = None
    payload: dict[str, str] = Field(repr=False)
    confirmation: Optional[TaskActionConfirmation] = None


class TaskDetails(ResponseShape):
    overview: TaskOverview
    content: list[TaskComponent]
    actions: Optional[list[TaskAction]] = None


class TaskReference(ResponseShape):
    task_id: str


class Suggestion(ResponseShape):
    value: str = Field(repr=False)


class Suggestions(ResponseShape):
    items: list[Suggestion]


class Resource(ResponseShape):
    title: str = Field(repr=False)
    link: str = Field(repr=False)
    description: str = Field(repr=False)
    type: str
    arn: str = Field(validation_alias="ARN", serialization_alias="ARN", repr=False)
    resource_json_string: str = Field(repr=False)


class ResourceList(ResponseShape):
    action: Optional[Action] = None
    items: list[Resource]


class SectionComponent(ResponseShape):
    text: Optional[Text] = None
    alert: Optional[Alert] = None
    resource: Optional[Resource] = None
    resource_list: Optional[ResourceList] = None


class Section(ResponseShape):
    title: str = Field(repr=False)
    content: list[SectionComponent]
    action: Optional[Action] = None


class InteractionComponent(ResponseShape):
    text: Optional[Text] = None
    alert: Optional[Alert] = None
    infrastructure_update: Optional[InfrastructureUpdate] = None
    progress: Optional[Progress] = None
    step: Optional[Step] = None
    task_details: Optional[TaskDetails] = None
    task_reference: Optional[TaskReference] = None
    suggestions: Optional[Suggestions] = None
    section: Optional[Section] = None
    resource: Optional[Resource] = None
    resource_list: Optional[ResourceList] = None
    action: Optional[Action] = None


class InteractionComponentEntry(ResponseShape):
    interaction_component_id: Optional[str] = None
    interaction_component: InteractionComponent


class InteractionComponentsEvent(EventShape):
    event_type: ClassVar[str] = "interactionComponentsEvent"

    interaction_component_entries: list[InteractionComponentEntry]


class InvalidStateEvent(EventShape):
    event_type: ClassVar[str] = "invalidStateEvent"

    reason: Open[InvalidStateReason]
    message: str


class MessageMetadataEvent(EventShape):
    event_type: ClassVar[str] = "messageMetadataEvent"

    conversation_id: Optional[str] = None
    utterance_id: Optional[str] = None


class TokenUsage(ResponseShape):
    uncached_input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_input_tokens: Optional[int] = None
    cache_write_input_tokens: Optional[int] = None
    context_usage_percentage: Optional[float] = None


class MetadataEvent(EventShape):
    event_type: ClassVar[str] = "metadataEvent"

    token_usage: Optional[TokenUsage] = None


class MeteringEvent(EventShape):
    event_type: ClassVar[str] = "meteringEvent"

    usage: Optional[float] = None
    unit: Optional[str] = None
    unit_plural: Optional[str] = None


class ReasoningContentEvent(EventShape):
    event_type: ClassVar[str] = "reasoningContentEvent"

    text: Optional[str] = Field(default=None, repr=False)
    redacted_content: Optional[Blob] = Field(default=None, repr=False)
    signature: Optional[str] = Field(default=None, repr=False)


class SupplementaryWebLink(ResponseShape):
    url: str = Field(repr=False)
    title: str = Field(repr=False)
    snippet: Optional[str] = Field(default=None, repr=False)


class SupplementaryWebLinksEvent(EventShape):
    event_type: ClassVar[str] = "supplementaryWebLinksEvent"

    supplementary_web_links: Optional[list[SupplementaryWebLink]] = None


class ToolResultContentBlockJson(Variant):
    json_: Document = Field(repr=False)


class ToolResultContentBlockText(Variant):
    text: str = Field(repr=False)


ToolResultContentBlock = Annotated[
    Union[ToolResultContentBlockJson, ToolResultContentBlockText, UnknownUnionMember],
    OpenUnion(json_=ToolResultContentBlockJson, text=ToolResultContentBlockText),
]


class ToolResult(ResponseShape):
    tool_use_id: str
    content: list[ToolResultContentBlock]
    status: Optional[Open[ToolResultStatus]] = None


class ToolResultEvent(EventShape):
    event_type: ClassVar[str] = "toolResultEvent"

    tool_result: Optional[ToolResult] = None


class ToolUseEvent(EventShape):
    event_type: ClassVar[str] = "toolUseEvent"

    tool_use_id: str
    name: str = Field(repr=False)
    input: Optional[str] = Field(default=None, repr=False)
    stop: Optional[bool] = None


class ContextUsageEvent(EventShape):
    event_type: ClassVar[str] = "contextUsageEvent"

    context_usage_percentage: Optional[float] = None


ChatResponseStream = Annotated[
    Union[
        AssistantResponseEvent,
        CitationEvent,
        CodeEvent,
        CodeReferenceEvent,
        DryRunSucceedEvent,
        FollowupPromptEvent,
        IntentsEvent,
        InteractionComponentsEvent,
        InvalidStateEvent,
        MessageMetadataEvent,
        MetadataEvent,
        MeteringEvent,
        ReasoningContentEvent,
        SupplementaryWebLinksEvent,
        ToolResultEvent,
        ToolUseEvent,
        ContextUsageEvent,
        UnknownUnionMember,
    ],
    OpenUnion(
        assistant_response_event=AssistantResponseEvent,
        citation_event=CitationEvent,
        code_event=CodeEvent,
        code_reference_event=CodeReferenceEvent,
        dry_run_succeed_event=DryRunSucceedEvent,
        followup_prompt_event=FollowupPromptEvent,
        intents_event=IntentsEvent,
        interaction_components_event=InteractionComponentsEvent,
        invalid_state_event=InvalidStateEvent,
        message_metadata_event=MessageMetadataEvent,
        metadata_event=MetadataEvent,
        metering_event=MeteringEvent,
        reasoning_content_event=ReasoningContentEvent,
        supplementary_web_links_event=SupplementaryWebLinksEvent,
        tool_result_event=ToolResultEvent,
        tool_use_event=ToolUseEvent,
        context_usage_event=ContextUsageEvent,
    ),
]


class ConflictError(ResponseShape):
    message: str
    reason: Optional[Open[ConflictExceptionReason]] = None


class DryRunOperationError(ResponseShape):
    message: Optional[str] = None
    response_code: Optional[int] = None


ResultArchiveStream = Annotated[
    Union[BinaryMetadataEvent, BinaryPayloadEvent, UnknownUnionMember],
    OpenUnion(binary_metadata_event=BinaryMetadataEvent, binary_payload_event=BinaryPayloadEvent),
]


class ExportResultArchiveResponse(ResponseShape):
    body: list[ResultArchiveStream]


class GenerateAssistantResponseResponse(ResponseShape):
    generate_assistant_response_response: list[ChatResponseStream]


class GenerateTaskAssistPlanResponse(ResponseShape):
    planning_response_stream: list[ChatResponseStream]


class InitialResponseEvent(EventShape):
    event_type: ClassVar[str] = "initial-response"


class InternalServerError(ResponseShape):
    message: str
    reason: Optional[Open[InternalServerExceptionReason]] = None


class ResourceNotFoundError(ResponseShape):
    message: str


class SendMessageResponse(ResponseShape):
    send_message_response: list[ChatResponseStream]


class ServiceQuotaExceededError(ResponseShape):
    message: str
    reason: Optional[Open[ServiceQuotaExceededExceptionReason]] = None


class ServiceUnavailableError(ResponseShape):
    message: str


class ThrottlingError(ResponseShape):
    message: str
    reason: Optional[Open[ThrottlingExceptionReason]] = None


class ValidationError(ResponseShape):
    message: str
    reason: Optional[Open[ValidationExceptionReason]] = None
