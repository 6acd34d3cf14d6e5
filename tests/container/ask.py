# SPDX-License-Identifier: Apache-2.0
"""ask.py: a program with the SDK. Prints the answer, or the class of the error and its text."""

import sys

from amazon_q_streaming_client import AssistantResponseEvent, QError, SyncQStreamingClient

try:
    with SyncQStreamingClient.from_login() as client:
        for event in client.generate_assistant_response("hi"):
            if isinstance(event, AssistantResponseEvent):
                print(event.content, end="")
except QError as error:
    sys.exit(f"{type(error).__name__}: {error}")
