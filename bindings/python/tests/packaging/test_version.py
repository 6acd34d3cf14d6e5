# SPDX-License-Identifier: Apache-2.0
"""One release, one version."""

import re

import amazon_q_streaming_client as q


def test_the_package_has_the_version_of_the_library(checkout):
    text = (checkout / "CMakeLists.txt").read_text(encoding="utf-8")
    assert q.__version__ == re.search(r"^ +VERSION ([\d.]+)", text, re.M)[1]
