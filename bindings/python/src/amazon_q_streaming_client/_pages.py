# SPDX-License-Identifier: Apache-2.0
"""Where one is in a list that comes in pages."""

from __future__ import annotations

from typing import Any, Optional

from ._errors import QProtocolError


class Pages:
    """The token to ask for the next page with. A service that leads in a circle is an error."""

    def __init__(self) -> None:
        self.next_token: Optional[str] = None
        self.more = True
        self._seen: set[str] = set()

    def turn(self, page: Any) -> None:
        """This page has come."""
        self.next_token = page.next_token or None
        self.more = self.next_token is not None
        if self.next_token in self._seen:
            raise QProtocolError("service: the list has no end, its nextToken came before")
        if self.next_token is not None:
            self._seen.add(self.next_token)
