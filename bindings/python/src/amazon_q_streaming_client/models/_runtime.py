# SPDX-License-Identifier: Apache-2.0
# Written by tools/generate-models: change model/service-model.json or the tool, not this file.
"""The shapes of the operations about models, profiles and plans."""

from typing import Annotated, Optional, Union

from pydantic import Field

from ._base import Open, OpenUnion, ResponseShape, Shape, Timestamp, UnknownUnionMember
from ._enums import (
    Currency,
    FreeTrialStatus,
    FunctionalityName,
    InputType,
    ModelProvider,
    OptInFeatureToggle,
    Origin,
    OverageCapability,
    OverageStatus,
    ProfileStatus,
    ProfileType,
    RecommendationsWithReferencesPreference,
    ResourcePolicyEffect,
    ResourceType,
    SubscriptionManagementTarget,
    SubscriptionProvider,
    SubscriptionStatus,
    SubscriptionType,
    UpgradeCapability,
    UsageLimitType,
)


class ApplicationProperties(ResponseShape):
    tenant_id: str
    application_arn: str
    tenant_url: str
    application_type: Open[FunctionalityName]


class ByUserAnalytics(ResponseShape):
    s3_uri: Optional[str] = None
    toggle: Open[OptInFeatureToggle]


class CreateSubscriptionTokenRequest(Shape):
    client_token: Optional[str] = None
    status_only: Optional[bool] = None
    provider: Optional[Open[SubscriptionProvider]] = None
    subscription_type: Optional[Open[SubscriptionType]] = None
    profile_arn: Optional[str] = None
    success_url: Optional[str] = None
    cancel_url: Optional[str] = None


class CreateSubscriptionTokenResponse(ResponseShape):
    encoded_verification_url: Optional[str] = Field(default=None, repr=False)
    token: Optional[str] = Field(default=None, repr=False)
    status: Open[SubscriptionStatus]


class DashboardAnalytics(ResponseShape):
    toggle: Open[OptInFeatureToggle]


class ExternalIdentityDetails(ResponseShape):
    issuer_url: Optional[str] = None
    client_id: Optional[str] = None
    scim_endpoint: Optional[str] = None


class FreeTrialInfo(ResponseShape):
    free_trial_status: Optional[Open[FreeTrialStatus]] = None
    free_trial_expiry: Optional[Timestamp] = None
    current_usage: Optional[int] = None
    current_usage_with_precision: Optional[float] = None
    usage_limit: Optional[int] = None
    usage_limit_with_precision: Optional[float] = None


class GetProfileRequest(Shape):
    profile_arn: str


class PromptLogging(ResponseShape):
    s3_uri: str
    toggle: Open[OptInFeatureToggle]


class NotificationsFeature(ResponseShape):
    feature: str
    toggle: Open[OptInFeatureToggle]


class WorkspaceContext(ResponseShape):
    toggle: Open[OptInFeatureToggle]


class OverageConfiguration(ResponseShape):
    overage_status: Open[OverageStatus]


class McpConfiguration(ResponseShape):
    toggle: Open[OptInFeatureToggle]


class OptInFeatures(ResponseShape):
    prompt_logging: Optional[PromptLogging] = None
    by_user_analytics: Optional[ByUserAnalytics] = None
    dashboard_analytics: Optional[DashboardAnalytics] = None
    notifications: Optional[list[NotificationsFeature]] = None
    workspace_context: Optional[WorkspaceContext] = None
    overage_configuration: Optional[OverageConfiguration] = None
    mcp_configuration: Optional[McpConfiguration] = None


class ProfileInfo(ResponseShape):
    arn: str
    profile_name: Optional[str] = None
    description: Optional[str] = None
    status: Optional[Open[ProfileStatus]] = None
    profile_type: Optional[Open[ProfileType]] = None
    opt_in_features: Optional[OptInFeatures] = None


class GetProfileResponse(ResponseShape):
    profile: ProfileInfo


class GetUsageLimitsRequest(Shape):
    profile_arn: Optional[str] = None
    origin: Optional[Open[Origin]] = None
    resource_type: Optional[Open[ResourceType]] = None
    is_email_required: Optional[bool] = None


class UsageLimitList(ResponseShape):
    type: Open[UsageLimitType]
    current_usage: int
    total_usage_limit: int
    percent_used: Optional[float] = None


class UsageBreakdown(ResponseShape):
    resource_type: Optional[Open[ResourceType]] = None
    display_name: Optional[str] = None
    display_name_plural: Optional[str] = None
    current_usage: int
    current_usage_with_precision: Optional[float] = None
    current_overages: int
    current_overages_with_precision: Optional[float] = None
    usage_limit: int
    usage_limit_with_precision: Optional[float] = None
    unit: Optional[str] = None
    overage_charges: float
    currency: Open[Currency]
    overage_rate: Optional[float] = None
    next_date_reset: Optional[Timestamp] = None
    overage_cap: Optional[int] = None
    overage_cap_with_precision: Optional[float] = None
    free_trial_info: Optional[FreeTrialInfo] = None


class SubscriptionInfo(ResponseShape):
    type: Open[SubscriptionType]
    upgrade_capability: Open[UpgradeCapability]
    overage_capability: Open[OverageCapability]
    subscription_management_target: Open[SubscriptionManagementTarget]
    subscription_title: str


class UserInfo(ResponseShape):
    user_id: str
    email: str = Field(repr=False)


class GetUsageLimitsResponse(ResponseShape):
    limits: Optional[list[UsageLimitList]] = None
    next_date_reset: Optional[Timestamp] = None
    days_until_reset: Optional[int] = None
    usage_breakdown: Optional[UsageBreakdown] = None
    usage_breakdown_list: Optional[list[UsageBreakdown]] = None
    subscription_info: Optional[SubscriptionInfo] = None
    overage_configuration: Optional[OverageConfiguration] = None
    user_info: Optional[UserInfo] = None


class SsoIdentityDetails(ResponseShape):
    instance_arn: str
    oidc_client_id: str
    sso_region: Optional[str] = None


IdentityDetails = Annotated[
    Union[ExternalIdentityDetails, SsoIdentityDetails, UnknownUnionMember],
    OpenUnion(
        external_identity_details=ExternalIdentityDetails,
        sso_identity_details=SsoIdentityDetails,
    ),
]


class ListAvailableModelsRequest(Shape):
    origin: Open[Origin]
    max_results: Optional[int] = None
    next_token: Optional[str] = None
    profile_arn: Optional[str] = None
    model_provider: Optional[Open[ModelProvider]] = None


class TokenLimits(ResponseShape):
    max_input_tokens: Optional[int] = None
    max_output_tokens: Optional[int] = None


class Model(ResponseShape):
    model_id: str
    model_name: Optional[str] = None
    description: Optional[str] = None
    rate_multiplier: Optional[float] = None
    rate_unit: Optional[str] = None
    token_limits: Optional[TokenLimits] = None
    supported_input_types: Optional[list[Open[InputType]]] = None
    supports_prompt_cache: Optional[bool] = None


class ListAvailableModelsResponse(ResponseShape):
    models: list[Model]
    default_model: Model
    next_token: Optional[str] = None


class ListAvailableProfilesRequest(Shape):
    max_results: Optional[int] = None
    next_token: Optional[str] = None


class ReferenceTrackerConfiguration(ResponseShape):
    recommendations_with_references: Open[RecommendationsWithReferencesPreference]


class ResourcePolicy(ResponseShape):
    effect: Open[ResourcePolicyEffect]


class Profile(ResponseShape):
    arn: str
    identity_details: Optional[IdentityDetails] = None
    profile_name: str
    description: Optional[str] = None
    reference_tracker_configuration: Optional[ReferenceTrackerConfiguration] = None
    kms_key_arn: Optional[str] = None
    active_functionalities: Optional[list[Open[FunctionalityName]]] = None
    status: Optional[Open[ProfileStatus]] = None
    error_details: Optional[str] = None
    resource_policy: Optional[ResourcePolicy] = None
    profile_type: Optional[Open[ProfileType]] = None
    opt_in_features: Optional[OptInFeatures] = None
    permission_update_required: Optional[bool] = None
    application_properties: Optional[list[ApplicationProperties]] = None


class ListAvailableProfilesResponse(ResponseShape):
    profiles: list[Profile]
    next_token: Optional[str] = None
