# SPDX-License-Identifier: Apache-2.0
"""Everything the service remembers: clients, logins, tokens, its clock and its settings."""

import copy
import secrets
import time
from dataclasses import dataclass, field

from .canary import secret

BUILDER_ID_URL = "https://view.awsapps.com/start"
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"

DEFAULTS = {
    "token_lifetime": 3600,  # seconds, becomes expiresIn
    "client_secret_lifetime": 90 * 86400,
    "clock_skew": 0,  # seconds the service's clock is ahead of ours
    "rotation": "strict",  # strict | grace | none | omit: what a refresh does to the refresh token
    "device_interval": 1,  # seconds between polls
    "device_lifetime": 600,
    "enforce_interval": True,  # answer slow_down to a client that polls too fast
    "consent": "page",  # page | auto | deny: what /authorize does with a good request
    "profile_rule": "strict",  # strict | off: check profileArn against the kind of login
    "page_size": 10,
    "profiles": [
        {
            "arn": "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0001",
            "profileName": "Stand-in one",
        },
        {
            "arn": "arn:aws:codewhisperer:us-east-1:111122223333:profile/STANDIN0002",
            "profileName": "Stand-in two",
        },
        {
            "arn": "arn:aws:codewhisperer:eu-central-1:111122223333:profile/STANDIN0003",
            "profileName": "Stand-in three",
        },
    ],
    "models": [
        "claude-sonnet-4",
        "claude-3.7-sonnet",
        "stand-in-small",
    ],  # the first is the default
    "mcp": "ON",  # GetProfile's mcpConfiguration toggle
    "subscribed": True,  # CreateSubscriptionToken answers a conflict
    "access_keys": {},  # id -> {"secret", "session_token"}; with any, signatures are verified
    "answer": {},  # see chat.DEFAULT_ANSWER
}
KINDS = ("oidc", "social", "external-idp", "api-key")
ROTATIONS = ("strict", "grace", "none", "omit")


@dataclass
class Client:
    id: str
    secret: str
    scopes: list
    redirect_uris: list
    grant_types: list
    issuer_url: str
    issued_at: int
    expires_at: int


@dataclass
class Session:
    """One login: whose it is and what may be asked with its tokens."""

    client_id: str
    start_url: str
    scopes: list
    profile: str = None
    revoked: bool = False
    kind: str = "oidc"

    @property
    def builder_id(self):
        return self.kind == "oidc" and self.start_url == BUILDER_ID_URL


@dataclass
class DeviceGrant:
    device_code: str
    user_code: str
    client_id: str
    start_url: str
    expires_at: float
    interval: int
    state: str = "pending"  # pending | approved | denied | spent
    last_poll: float = None


@dataclass
class Code:
    """An authorization code; `spent` codes stay known so that a second use is refused."""

    value: str
    client_id: str
    redirect_uri: str
    challenge: str
    scopes: list
    expires_at: float
    spent: bool = False


@dataclass
class Refresh:
    value: str
    session: Session
    spent: bool = False


@dataclass
class Access:
    value: str
    session: Session
    expires_at: float


@dataclass
class State:
    settings: dict = field(default_factory=lambda: copy.deepcopy(DEFAULTS))
    clients: dict = field(default_factory=dict)
    devices: dict = field(default_factory=dict)
    codes: dict = field(default_factory=dict)
    access: dict = field(default_factory=dict)
    refresh: dict = field(default_factory=dict)

    def now(self):
        return time.time() + self.settings["clock_skew"]

    def configure(self, changes):
        """Merge `changes` into the settings; KeyError or ValueError names a wrong one."""
        for name, value in changes.items():
            if name not in DEFAULTS:
                raise KeyError(f"setting {name}: unknown, use one of {', '.join(DEFAULTS)}")
            if name == "rotation" and value not in ROTATIONS:
                raise ValueError(f"setting rotation: use one of {', '.join(ROTATIONS)}")
        self.settings.update(copy.deepcopy(changes))

    def forget_settings(self):
        self.settings = copy.deepcopy(DEFAULTS)

    def forget_logins(self):
        for table in (self.clients, self.devices, self.codes, self.access, self.refresh):
            table.clear()

    def add_client(self, scopes, redirect_uris=(), grant_types=(), issuer_url=None, lifetime=None):
        now = int(self.now())
        lifetime = self.settings["client_secret_lifetime"] if lifetime is None else lifetime
        client = Client(
            id=secrets.token_urlsafe(24) + "dXMtZWFzdC0x",
            # As long as the real one, which is a signed document of its own.
            secret="eyJraWQiOiJrZXki."
            + secret(934)
            + "."
            + secret(94),
            scopes=list(scopes),
            redirect_uris=list(redirect_uris),
            grant_types=list(grant_types),
            issuer_url=issuer_url,
            issued_at=now,
            expires_at=now + lifetime,
        )
        self.clients[client.id] = client
        return client

    def add_device(self, client_id, start_url):
        grant = DeviceGrant(
            device_code=secret(64),
            user_code=_user_code(),
            client_id=client_id,
            start_url=start_url,
            expires_at=self.now() + self.settings["device_lifetime"],
            interval=self.settings["device_interval"],
        )
        self.devices[grant.device_code] = grant
        return grant

    def device_by_user_code(self, user_code):
        wanted = user_code.strip().upper()
        return next((d for d in self.devices.values() if d.user_code == wanted), None)

    def add_code(self, client_id, redirect_uri, challenge, scopes):
        code = Code(
            value=secret(43),
            client_id=client_id,
            redirect_uri=redirect_uri,
            challenge=challenge,
            scopes=scopes,
            expires_at=self.now() + 600,
        )
        self.codes[code.value] = code
        return code

    def add_access(self, session, lifetime=None):
        lifetime = self.settings["token_lifetime"] if lifetime is None else lifetime
        value = "ksk_" + secret(60)
        if session.kind != "api-key":
            value = "aoaAAAAA" + secret(200) + ":" + secret(96)
        self.access[value] = Access(value, session, self.now() + lifetime)
        return self.access[value]

    def add_refresh(self, session):
        value = "aorAAAAA" + secret(200) + ":" + secret(96)
        self.refresh[value] = Refresh(value, session)
        return self.refresh[value]

    def valid_access(self, value):
        token = self.access.get(value)
        if token is None or token.session.revoked or token.expires_at <= self.now():
            return None
        return token


def _user_code():
    letters = [secrets.choice(USER_CODE_LETTERS) for _ in range(8)]
    return "".join(letters[:4]) + "-" + "".join(letters[4:])
