# SPDX-License-Identifier: Apache-2.0
"""Tools: functions that the model may call. python tools.py "How warm is it in Oslo?" """

import asyncio
import sys
from typing import Literal

from amazon_q_streaming_client import QStreamingClient, tool


@tool
def temperature(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> str:
    """The temperature in a city now."""
    return f"It is 21 degrees {unit} in {city}."


async def main() -> None:
    question = " ".join(sys.argv[1:]) or "Use the tool temperature for Oslo."
    async with QStreamingClient.from_login() as client:
        async with client.run_tools(question, tools=[temperature]) as run:
            async for step in run:
                print(step.message.text)
                for outcome in step.outcomes:
                    print(f"  [{outcome.request.name} {outcome.request.input}]")


asyncio.run(main())
