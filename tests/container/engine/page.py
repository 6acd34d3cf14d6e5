# SPDX-License-Identifier: Apache-2.0
"""The guide to containers, and what a reader does with its blocks, by the words behind a fence:

    sh                 pasted into the terminal; it must succeed
    sh exit=3          ... must end with 3
    sh expired         ... after the host's login has expired
    sh elsewhere       not pasted: it needs what is not here; only its syntax is checked
    text output        what the block before it prints on either output; `...` stands for anything
    LANGUAGE file=X    what the reader writes into file X, before the next block is pasted
"""

from engine import SOURCE
from terminal import Terminal, blocks, matches

__all__ = ["PAGE", "Terminal", "blocks", "follow", "matches"]
PAGE = SOURCE / "docs/how-to-integrate-q-externally.md"


def follow(block, user, terminal):
    """Do with the block what a reader does. What it printed, or None if nothing was pasted."""
    if "file" in block.marks:
        path = user.home / "checkout" / block.marks["file"].replace("~", str(user.home), 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        user.own(path.parent)
    elif block.language == "sh" and "elsewhere" not in block.marks:
        shown, code = terminal.paste(block.text)
        assert code == int(block.marks.get("exit", 0)), shown
        return shown
    return None
