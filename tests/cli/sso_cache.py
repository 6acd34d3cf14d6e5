# SPDX-License-Identifier: Apache-2.0
"""The logins that the Kiro IDE and the AWS command line keep for themselves."""

import hashlib
import json
import time

from qservice.seed import timestamp

START_URL = "https://example.awsapps.com/start"


class SsoCache:
    """~/.aws/sso/cache, as the programs that share it write it."""

    def __init__(self, q, service):
        self.dir = q.home / ".aws" / "sso" / "cache"
        self.dir.mkdir(mode=0o700, parents=True)
        self.q, self.service = q, service

    def _write(self, name, members):
        path = self.dir / f"{name}.json"
        path.write_text(json.dumps(members, indent=2))
        path.chmod(0o600)
        self.q.asked.append(path)
        return path

    def ide(self, expires_in=3600, **members):
        login = self.service.login(expires_in=expires_in, kind="social")
        end = timestamp(time.time() + expires_in)[:-7]  # three digits, and no zone
        return login, self._write(
            "kiro-auth-token",
            {
                "accessToken": login["access_token"],
                "refreshToken": login["refresh_token"][:40] + "...",
                "expiresAt": end,
                "region": "us-east-1",
                "authMethod": "social",
                "provider": "Google",
                **members,
            },
        )

    def session(self, name, expires_in=3600):
        login = self.service.login(expires_in=expires_in, start_url=START_URL)
        hashed = hashlib.sha1(name.encode()).hexdigest()
        return login, self._write(
            hashed,
            {
                "startUrl": START_URL,
                "region": "us-east-1",
                "accessToken": login["access_token"],
                "expiresAt": timestamp(time.time() + expires_in, nanoseconds=False),
                "clientId": login["client_id"],
                "clientSecret": login["client_secret"],
                "refreshToken": login["refresh_token"],
            },
        )
