# SPDX-License-Identifier: Apache-2.0
"""An AWS access key that the stand-in service takes, and servers that hand it out."""

import http.server
import json
import threading
from contextlib import contextmanager

import pytest

CHAT = ("chat", "--no-interactive", "hello")
KEY, SECRET = "AKIDSTANDIN", "canary/secret+0123456789abcdefghijklmn"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
LINES = f"aws_access_key_id={KEY}\naws_secret_access_key={SECRET}\n"
SESSION = "canary//session==0123456789"
EXPIRES = "2099-01-01T00:00:00Z"
STS = f"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>{KEY}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>
<SessionToken>{SESSION}</SessionToken><Expiration>{EXPIRES}</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


@pytest.fixture
def signed(online, service):
    """The command where AMAZON_Q_SIGV4 is set and no key is; the service takes the key above."""
    service.settings(access_keys={KEY: {"secret": SECRET}})
    online.env["AMAZON_Q_SIGV4"] = "1"
    online.env["AWS_EC2_METADATA_DISABLED"] = "true"
    return online


def with_session(service):
    service.settings(access_keys={KEY: {"secret": SECRET, "session_token": SESSION}})


def assert_answered(result):
    assert result.code == 0, result
    assert result.out.startswith("You asked: hello\n")


@contextmanager
def serving(answers, listener=None):
    """An HTTP server on this machine, or where the listener is: answers by (method, path); yields
    its URL, and what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            asked.append((self.command, self.path, dict(self.headers.items()), body))
            status, text = answers.get((self.command, self.path), (404, ""))
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, listener is None)
    if listener:
        server.server_close()
        server.socket = listener
    thread = threading.Thread(target=server.serve_forever, args=[0.01])  # s until it sees its end
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def document(**more):
    key = {"AccessKeyId": KEY, "SecretAccessKey": SECRET, "Token": SESSION, "Expiration": EXPIRES}
    return json.dumps({**key, **more})
