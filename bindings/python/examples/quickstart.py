# SPDX-License-Identifier: Apache-2.0
"""Stream an answer with the login on this machine: python quickstart.py "your question"."""

import asyncio
import sys

from amazon_q_streaming_client import AssistantResponseEvent, QStreamingClient


async def main() -> None:
    question = " ".join(sys.argv[1:]) or "Say hello."
    async with QStreamingClient.from_login() as client:
        async for event in client.generate_assistant_response(question):
            if isinstance(event, AssistantResponseEvent):
                print(event.content, end="", flush=True)
    print()


asyncio.run(main())
