# SPDX-License-Identifier: Apache-2.0
"""A conversation: each question knows what was said before. Reads questions from standard input."""

import sys

from amazon_q_streaming_client import Conversation, SyncQStreamingClient

with SyncQStreamingClient.from_login() as client:
    conversation = Conversation(client)
    for question in filter(str.strip, sys.stdin):
        with conversation.stream(question) as answer:
            for text in answer.text_stream:
                print(text, end="", flush=True)
        print()
