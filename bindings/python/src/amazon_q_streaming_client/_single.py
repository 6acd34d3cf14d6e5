# SPDX-License-Identifier: Apache-2.0
"""What there is only one of: connections, threads and answers cannot be in two places."""

from __future__ import annotations

from typing import NoReturn, SupportsIndex


class Single:
    """Cannot be copied or pickled: the copy would share what the other one closes."""

    _instead = "make another one"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__}: cannot be copied or pickled, {self._instead}"
        )
