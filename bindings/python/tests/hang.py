# SPDX-License-Identifier: Apache-2.0
"""What never ends is ended, so that a test fails rather than hangs."""

HANG_S = 300  # seconds: far more than anything here takes on a machine that is busy with other things
