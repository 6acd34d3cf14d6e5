# SPDX-License-Identifier: Apache-2.0
"""`q login` with a browser that we did not write: it follows the service's redirect and shows our page."""

import os
import select
import shutil

import pytest
from login import browser

CHROMIUM = shutil.which("chromium")
PATIENCE_S = 60


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
def test_chromium_brings_the_code_and_shows_the_page(online, service):
    service.settings(consent="auto")
    profile, page, end = (online.home / name for name in ("chromium", "page.html", "end"))
    os.mkfifo(end)
    ended = os.open(end, os.O_RDONLY | os.O_NONBLOCK)
    options = f"--headless --no-sandbox --disable-gpu --user-data-dir={profile} --dump-dom"
    run = f'HOME={profile} timeout {PATIENCE_S} {CHROMIUM} {options} "$1" >{page} 2>/dev/null'
    browser(online, f"{run}; echo >{end}")
    result = online.run("login")
    assert (result.code, result.out) == (0, "Logged in with Builder ID\n"), result
    assert select.select([ended], [], [], PATIENCE_S)[0]
    os.close(ended)
    shutil.rmtree(profile, ignore_errors=True)  # its history has the URL with the code
    assert "You can close this window" in page.read_text()
    assert online.run("whoami").code == 0
