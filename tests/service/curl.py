# SPDX-License-Identifier: Apache-2.0
"""Talk to the service as the curl command does: a client we did not write, over both protocols."""

import json
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STREAMING = "AmazonCodeWhispererStreamingService."
RUNTIME = "AmazonCodeWhispererService."
PROMPT = "What is a h\u00f6ard of r\u00f6bots?"

# name -> (curl's option, over TLS, the version curl should report)
WAYS = {
    "http1": ("--http1.1", False, "1.1"),
    "h2c": ("--http2-prior-knowledge", False, "2"),
    "https1": ("--http1.1", True, "1.1"),
    "h2": ("--http2", True, "2"),
}


@dataclass
class Answer:
    exit_code: int  # curl's
    status: int
    version: str
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


def curl(service, path, data=None, headers=(), way="http1", timeout=60):
    """One request; a POST when there is data."""
    with tempfile.TemporaryDirectory(prefix="qcurl.") as directory:
        head, body = Path(directory, "head"), Path(directory, "body")
        command = _command(service, path, data, headers, way)
        command += [
            "-m",
            str(timeout),
            "-D",
            head,
            "-o",
            body,
            "-w",
            "%{http_code} %{http_version}",
        ]
        run = subprocess.run(command, input=data, capture_output=True, check=False)
        status, version = run.stdout.decode().split()
        lines = head.read_text().split("\n")[1:] if head.exists() else []
        pairs = [line.strip().split(": ", 1) for line in lines if ": " in line]
        content = body.read_bytes() if body.exists() else b""
    named = {name.lower(): value for name, value in pairs}
    return Answer(run.returncode, int(status), version, named, content)


@contextmanager
def chatting(service, token, way):
    """A chat in progress: curl as a process, the body on its stdout as it comes."""
    data = json.dumps(conversation()).encode()
    headers = q_headers(STREAMING + "GenerateAssistantResponse", token)
    command = [*_command(service, "/", data, headers, way), "-N"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        process.stdin.write(data)
        process.stdin.close()
        yield process
        process.kill()


def _command(service, path, data, headers, way):
    option, tls, _ = WAYS[way]
    command = ["curl", "-q", "-sS", option, "--cacert", service.ca, "--noproxy", "*"]
    for name, value in dict(headers).items():
        command += ["-H", f"{name}: {value}"]
    if data is not None:
        command += ["--data-binary", "@-"]
    return [*command, (service.tls_url if tls else service.url) + path]


def q_headers(target, token):
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    return {**headers, "authorization": f"Bearer {token}"} if token else headers


def oidc(service, path, body, **options):
    headers = {"content-type": "application/json"}
    return curl(service, path, json.dumps(body).encode(), headers, **options)


def call(service, target, token, body, path="/", headers=(), **options):
    """One call of Amazon Q; `token` None leaves the authorization out."""
    sent = {**q_headers(target, token), **dict(headers)}
    return curl(service, path, json.dumps(body).encode(), sent, **options)


def chat(
    service, token, message=None, operation=STREAMING + "GenerateAssistantResponse", **options
):
    return call(service, operation, token, conversation(message), **options)


def conversation(message=None, history=(), **members):
    """A request body; `message` are members of the userInputMessage."""
    current = {"content": PROMPT, "origin": "CLI", **(message or {})}
    state = {"currentMessage": {"userInputMessage": current}, "chatTriggerType": "MANUAL"}
    return {"conversationState": {**state, "history": list(history)}, **members}
