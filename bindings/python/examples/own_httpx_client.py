# SPDX-License-Identifier: Apache-2.0
"""Your own httpx client: proxies, hooks and mocks work as they do everywhere else."""

import asyncio

import httpx

from amazon_q_streaming_client import AssistantResponseEvent, QStreamingClient


async def show(response: httpx.Response) -> None:
    print(f"[{response.http_version} {response.status_code} {response.request.url.host}]")


async def main() -> None:
    async with httpx.AsyncClient(event_hooks={"response": [show]}) as http:
        async with QStreamingClient.from_login(http_client=http) as client:
            async for event in client.generate_assistant_response("Say hello."):
                if isinstance(event, AssistantResponseEvent):
                    print(event.content, end="", flush=True)
    print()


asyncio.run(main())
