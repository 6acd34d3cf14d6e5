# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

from hypothesis import settings

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # for facts.py

# The same examples in every run: a failure here is a failure everywhere.
settings.register_profile("models", derandomize=True, database=None, deadline=None)
settings.load_profile("models")
