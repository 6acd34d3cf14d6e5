# SPDX-License-Identifier: Apache-2.0
"""log_in(): a login from Python, with the stand-in service."""

from __future__ import annotations

import threading
import urllib.request
from typing import Any

import pytest

import amazon_q_streaming_client as q

URL = "https://example.awsapps.com/start"


def confirm(service: Any, step: q.Visit) -> None:
    service.control("approve", user_code=step.user_code)


def test_a_builder_id_by_a_code(endpoints: Any, home: Any) -> None:
    steps = []
    for step in q.log_in():
        steps.append(step)
        if isinstance(step, q.Visit):
            assert step.user_code and step.url.endswith(step.user_code)
            assert step.short_url == endpoints.url + "/device"
            confirm(endpoints, step)
    assert isinstance(steps[-1], q.LoggedIn)
    assert (steps[-1].start_url, steps[-1].region, steps[-1].source) == (None, "us-east-1", "q-cli")
    waits = [step for step in steps if isinstance(step, q.Waiting)]
    assert waits[-1].what_for == "the code to be confirmed in a browser"
    assert 0 < waits[-1].at_most_s <= 600
    with q.Login() as login:
        assert login.token().source == "q-cli"


def test_an_organisation_by_a_browser_with_a_profile_to_choose(endpoints: Any, home: Any) -> None:
    endpoints.settings(consent="auto")
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    pages, last = [], None
    for step in q.log_in(start_url=URL, region="eu-west-1", browser=True):
        if isinstance(step, q.Visit):
            assert step.user_code is None
            pages.append(threading.Thread(target=no_proxy.open, args=[step.url]))
            pages[0].start()
        elif isinstance(step, q.Profiles):
            with pytest.raises(q.QConfigurationError):
                step.choose("arn:none")
            step.choose(step.profiles[1].arn)
        last = step
    pages[0].join()
    assert isinstance(last, q.LoggedIn)
    assert last.start_url == URL and last.profile_arn and last.profile_arn.endswith("STANDIN0002")


def test_who_chooses_no_profile_is_logged_in_without(endpoints: Any, home: Any) -> None:
    last = None
    for step in q.log_in(start_url=URL):
        if isinstance(step, q.Visit):
            confirm(endpoints, step)
        last = step
    assert isinstance(last, q.LoggedIn) and last.profile_arn is None


def test_a_generator_that_is_closed_leaves_nothing(endpoints: Any, home: Any) -> None:
    steps = q.log_in()
    assert any(isinstance(step, q.Visit) for step in steps)
    steps.close()
    assert list(home.iterdir()) == []


def test_what_the_service_refuses_is_an_error_with_its_words(endpoints: Any, home: Any) -> None:
    with pytest.raises(q.QAccessDenied, match="allow it"):
        for step in q.log_in():
            if isinstance(step, q.Visit):
                endpoints.control("deny", user_code=step.user_code)


def test_a_valid_login_is_replaced_only_on_request(endpoints: Any, database: Any) -> None:
    with pytest.raises(q.QError, match="log out first"):
        list(q.log_in())
    steps = []
    for step in q.log_in(replace=True):
        steps.append(step)
        if isinstance(step, q.Visit):
            confirm(endpoints, step)
    assert isinstance(steps[-1], q.LoggedIn)
