# SPDX-License-Identifier: Apache-2.0
"""A small agent: it may look at the files of one directory. python agent.py DIRECTORY "a question" """

import asyncio
import sys
from pathlib import Path

from amazon_q_streaming_client import (
    AssistantResponseEvent,
    Conversation,
    QStreamingClient,
    QTooManyRounds,
    ToolError,
    tool,
)

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
QUESTION = " ".join(sys.argv[2:]) or "What is in this directory?"


def inside(name: str) -> Path:
    """Nothing the model says leads out of the directory."""
    path = (ROOT / name).resolve()
    if path != ROOT and ROOT not in path.parents:
        raise ToolError(f"{name} is outside the directory.")
    return path


@tool
def list_files(directory: str = ".") -> list[str]:
    """List the files of a directory."""
    return sorted(entry.name for entry in inside(directory).iterdir())


@tool
def read_file(name: str) -> str:
    """Read a text file."""
    try:
        return inside(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ToolError(f"{name} cannot be read: {error.strerror}.") from None


async def main() -> None:
    async with QStreamingClient.from_login() as client:
        conversation = Conversation(client, tools=[list_files, read_file])
        try:
            async with conversation.run_tools(QUESTION, max_rounds=8) as run:
                async for event in run.events:
                    if isinstance(event, AssistantResponseEvent):
                        print(event.content, end="", flush=True)
        except QTooManyRounds:
            print("\n[stopped: it wanted to look at more and more]")
    print()


asyncio.run(main())
