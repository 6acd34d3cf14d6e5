# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # for facts.py

# The same examples in every run, however long they take: a failure here is a failure everywhere.
settings.register_profile(
    "models",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("models")
