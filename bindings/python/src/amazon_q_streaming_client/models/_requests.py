# SPDX-License-Identifier: Apache-2.0
# Written by tools/generate-models: change model/service-model.json or the tool, not this file.
"""The shapes that only requests of the streaming operations have."""

from typing import Annotated, Optional, Union

from pydantic import Field

from ._base import Blob, Document, Open, OpenUnion, Shape, UnknownUnionMember, Variant
from ._enums import (
    AgentTaskType,
    CachePointType,
    ChatTriggerType,
    ContentType,
    ContextTruncationScheme,
    DiagnosticSeverity,
    DiagnosticTag,
    ExportIntent,
    ImageFormat,
    Origin,
    SymbolType,
    TransformationDownloadArtifactType,
    UserIntent,
)
from ._responses import FollowupPrompt, Reference, SupplementaryWebLink, ToolResult


class AdditionalContentEntry(Shape):
    name: str = Field(repr=False)
    description: str = Field(repr=False)
    inner_context: Optional[str] = Field(default=None, repr=False)


class AppStudioState(Shape):
    namespace: str = Field(repr=False)
    property_name: str = Field(repr=False)
    property_value: Optional[str] = Field(default=None, repr=False)
    property_context: str = Field(repr=False)


class ToolUse(Shape):
    tool_use_id: str
    name: str = Field(repr=False)
    input: Document = Field(repr=False)


class CachePoint(Shape):
    type: Open[CachePointType]


class ReasoningText(Shape):
    text: str = Field(repr=False)
    signature: Optional[str] = Field(default=None, repr=False)


class ReasoningContentRedactedContent(Variant):
    redacted_content: Blob = Field(repr=False)


ReasoningContent = Annotated[
    Union[ReasoningText, ReasoningContentRedactedContent, UnknownUnionMember],
    OpenUnion(reasoning_text=ReasoningText, redacted_content=ReasoningContentRedactedContent),
]


class AssistantResponseMessage(Shape):
    message_id: Optional[str] = None
    content: str = Field(repr=False)
    supplementary_web_links: Optional[list[SupplementaryWebLink]] = None
    references: Optional[list[Reference]] = None
    followup_prompt: Optional[FollowupPrompt] = None
    tool_uses: Optional[list[ToolUse]] = None
    cache_point: Optional[CachePoint] = None
    reasoning_content: Optional[ReasoningContent] = Field(default=None, repr=False)


class ProgrammingLanguage(Shape):
    language_name: str


class DocumentSymbol(Shape):
    name: str
    type: Open[SymbolType]
    source: Optional[str] = None


class TextDocument(Shape):
    relative_file_path: str = Field(repr=False)
    programming_language: Optional[ProgrammingLanguage] = None
    text: Optional[str] = Field(default=None, repr=False)
    document_symbols: Optional[list[DocumentSymbol]] = None


class Position(Shape):
    line: int
    character: int


class Range(Shape):
    start: Position
    end: Position


CursorState = Annotated[
    Union[Position, Range, UnknownUnionMember],
    OpenUnion(position=Position, range=Range),
]


class RelevantTextDocument(Shape):
    relative_file_path: str = Field(repr=False)
    programming_language: Optional[ProgrammingLanguage] = None
    text: Optional[str] = Field(default=None, repr=False)
    document_symbols: Optional[list[DocumentSymbol]] = None
    type: Optional[Open[ContentType]] = None


class EditorState(Shape):
    document: Optional[TextDocument] = None
    cursor_state: Optional[CursorState] = None
    relevant_documents: Optional[list[RelevantTextDocument]] = None
    use_relevant_documents: Optional[bool] = None
    workspace_folders: Optional[list[str]] = None


class ShellHistoryEntry(Shape):
    command: str = Field(repr=False)
    directory: Optional[str] = Field(default=None, repr=False)
    exit_code: Optional[int] = None
    stdout: Optional[str] = Field(default=None, repr=False)
    stderr: Optional[str] = Field(default=None, repr=False)


class ShellState(Shape):
    shell_name: str
    shell_history: Optional[list[ShellHistoryEntry]] = None


class GitState(Shape):
    status: Optional[str] = Field(default=None, repr=False)


class EnvironmentVariable(Shape):
    key: Optional[str] = Field(default=None, repr=False)
    value: Optional[str] = Field(default=None, repr=False)


class EnvState(Shape):
    operating_system: Optional[str] = None
    current_working_directory: Optional[str] = Field(default=None, repr=False)
    environment_variables: Optional[list[EnvironmentVariable]] = None
    timezone_offset: Optional[int] = None


class RuntimeDiagnostic(Shape):
    source: str = Field(repr=False)
    severity: Open[DiagnosticSeverity]
    message: str = Field(repr=False)


class CodeDescription(Shape):
    href: str = Field(repr=False)


class DiagnosticLocation(Shape):
    uri: str = Field(repr=False)
    range: Range


class DiagnosticRelatedInformation(Shape):
    location: DiagnosticLocation
    message: str = Field(repr=False)


class TextDocumentDiagnostic(Shape):
    document: TextDocument
    range: Range
    source: str = Field(repr=False)
    severity: Open[DiagnosticSeverity]
    message: str = Field(repr=False)
    code: Optional[str] = Field(default=None, repr=False)
    code_description: Optional[CodeDescription] = None
    tags: Optional[list[Open[DiagnosticTag]]] = None
    related_information: Optional[list[DiagnosticRelatedInformation]] = None
    data: Optional[str] = Field(default=None, repr=False)


Diagnostic = Annotated[
    Union[RuntimeDiagnostic, TextDocumentDiagnostic, UnknownUnionMember],
    OpenUnion(
        runtime_diagnostic=RuntimeDiagnostic,
        text_document_diagnostic=TextDocumentDiagnostic,
    ),
]


class ConsoleState(Shape):
    region: Optional[str] = None
    console_url: Optional[str] = Field(default=None, repr=False)
    service_id: Optional[str] = None
    service_console_page: Optional[str] = None
    service_subconsole_page: Optional[str] = None
    task_name: Optional[str] = Field(default=None, repr=False)


class UserSettings(Shape):
    has_consented_to_cross_region_calls: Optional[bool] = None


class ToolInputSchema(Shape):
    json_: Optional[Document] = Field(default=None, repr=False)


class ToolSpecification(Shape):
    input_schema: ToolInputSchema
    name: str = Field(repr=False)
    description: Optional[str] = Field(default=None, repr=False)


Tool = Annotated[
    Union[CachePoint, ToolSpecification, UnknownUnionMember],
    OpenUnion(cache_point=CachePoint, tool_specification=ToolSpecification),
]


class UserInputMessageContext(Shape):
    editor_state: Optional[EditorState] = None
    shell_state: Optional[ShellState] = None
    git_state: Optional[GitState] = None
    env_state: Optional[EnvState] = None
    app_studio_context: Optional[AppStudioState] = None
    diagnostic: Optional[Diagnostic] = None
    console_state: Optional[ConsoleState] = None
    user_settings: Optional[UserSettings] = None
    additional_context: Optional[list[AdditionalContentEntry]] = None
    tool_results: Optional[list[ToolResult]] = None
    tools: Optional[list[Tool]] = None


class ImageSourceBytes(Variant):
    bytes: Blob = Field(repr=False)


ImageSource = Annotated[
    Union[ImageSourceBytes, UnknownUnionMember],
    OpenUnion(bytes=ImageSourceBytes),
]


class ImageBlock(Shape):
    format: Open[ImageFormat]
    source: ImageSource = Field(repr=False)


class ClientCacheConfig(Shape):
    use_client_caching_only: Optional[bool] = None


class UserInputMessage(Shape):
    content: str = Field(repr=False)
    user_input_message_context: Optional[UserInputMessageContext] = None
    user_intent: Optional[Open[UserIntent]] = None
    origin: Optional[Open[Origin]] = None
    images: Optional[list[ImageBlock]] = None
    model_id: Optional[str] = None
    cache_point: Optional[CachePoint] = None
    client_cache_config: Optional[ClientCacheConfig] = None


ChatMessage = Annotated[
    Union[AssistantResponseMessage, UserInputMessage, UnknownUnionMember],
    OpenUnion(
        assistant_response_message=AssistantResponseMessage,
        user_input_message=UserInputMessage,
    ),
]


class ConversationState(Shape):
    conversation_id: Optional[str] = None
    workspace_id: Optional[str] = None
    history: Optional[list[ChatMessage]] = None
    current_message: ChatMessage
    chat_trigger_type: Open[ChatTriggerType]
    customization_arn: Optional[str] = None
    agent_continuation_id: Optional[str] = None
    agent_task_type: Optional[Open[AgentTaskType]] = None


class TransformationExportContext(Shape):
    download_artifact_id: str
    download_artifact_type: Open[TransformationDownloadArtifactType]


class UnitTestGenerationExportContext(Shape):
    test_generation_job_group_name: str
    test_generation_job_id: Optional[str] = None


ExportContext = Annotated[
    Union[TransformationExportContext, UnitTestGenerationExportContext, UnknownUnionMember],
    OpenUnion(
        transformation_export_context=TransformationExportContext,
        unit_test_generation_export_context=UnitTestGenerationExportContext,
    ),
]


class ExportResultArchiveRequest(Shape):
    export_id: str
    export_intent: Open[ExportIntent]
    export_context: Optional[ExportContext] = None
    profile_arn: Optional[str] = None


class GenerateAssistantResponseRequest(Shape):
    conversation_state: ConversationState
    profile_arn: Optional[str] = None
    agent_mode: Optional[str] = None


class WorkspaceState(Shape):
    upload_id: str
    programming_language: ProgrammingLanguage
    context_truncation_scheme: Optional[Open[ContextTruncationScheme]] = None


class GenerateTaskAssistPlanRequest(Shape):
    conversation_state: ConversationState
    workspace_state: WorkspaceState
    profile_arn: Optional[str] = None


class SendMessageRequest(Shape):
    conversation_state: ConversationState
    profile_arn: Optional[str] = None
    source: Optional[Open[Origin]] = None
    dry_run: Optional[bool] = None
