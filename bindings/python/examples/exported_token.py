# SPDX-License-Identifier: Apache-2.0
"""Stream an answer with a token from elsewhere: q user export-token | python exported_token.py."""

import json
import sys

from amazon_q_streaming_client import AssistantResponseEvent, SyncQStreamingClient

exported = json.load(sys.stdin)
question = " ".join(sys.argv[1:]) or "Say hello."

with SyncQStreamingClient(
    exported["access_token"], profile_arn=exported.get("profile_arn")
) as client:
    for event in client.generate_assistant_response(question):
        if isinstance(event, AssistantResponseEvent):
            print(event.content, end="", flush=True)
print()
