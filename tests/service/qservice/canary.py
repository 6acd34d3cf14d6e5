# SPDX-License-Identifier: Apache-2.0
"""Secrets that can be told from any other text, so that tests find them wherever they turn up."""

import base64
import re
import secrets

MARK = "cAnArY0z"
CHANCE_BYTES = 6  # between two marks: 8 characters


def secret(length):
    """So many characters that nobody guesses; 23 of them in a row hold a mark."""
    text = ""
    while len(text) < length:
        text += MARK + secrets.token_urlsafe(CHANCE_BYTES)
    return text[:length]


def _in_base64(before):
    """What base64 makes of a mark behind so many other bytes, without what its neighbours decide."""
    text = base64.b64encode(bytes(before) + MARK.encode()).decode()
    return text[-(-8 * before // 6) : 8 * (before + len(MARK)) // 6]


FORMS = (MARK, MARK.encode().hex(), *map(_in_base64, range(3)))
SEEN = re.compile("|".join(FORMS).encode())


def within(data):
    """True if there is a piece of a secret in this text or these bytes, plain or encoded."""
    return bool(SEEN.search(data.encode() if isinstance(data, str) else data))
