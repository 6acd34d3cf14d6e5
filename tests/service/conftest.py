# SPDX-License-Identifier: Apache-2.0
from fixtures import service, service_process  # noqa: F401
