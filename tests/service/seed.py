#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seed.py --service-dir DIR --db PATH [--expires-in S] ...: see qservice/seed.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from qservice.seed import main  # noqa: E402

main()
