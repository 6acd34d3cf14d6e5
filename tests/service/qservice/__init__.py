# SPDX-License-Identifier: Apache-2.0
"""A local double of the SSO OIDC and Amazon Q services, for tests, benchmarks and the quickstart.

Run it with ``python3 -m qservice --dir DIR``; drive it with `qservice.client.Service`.
"""
