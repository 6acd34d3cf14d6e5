# SPDX-License-Identifier: Apache-2.0
"""The process: descriptors, core dumps, libraries, signals while a login is at stake."""

import re
import signal
import subprocess
from pathlib import Path

import pytest
from command import BINARY, SANITIZED

EXPORT = ("user", "export-token")
REFRESH = "CreateToken:refresh_token"


def strace(q, calls, script):
    """What strace has to say about these system calls of "$Q", run by a shell."""
    log = q.home / "strace.log"
    options = ["-f", "-o", log, "-e", f"trace=execve,{calls}", "/bin/sh", "-c", script]
    q.run(*options, program="strace", env={**q.env, "Q": str(BINARY)})
    return log.read_text().partition(f'"{BINARY}"')[2]


def test_all_three_descriptors_closed_is_survived(online, login):
    assert online.shell('"$Q" version <&- >&- 2>&-').code == 1
    online.asked.append(online.home / "token")
    assert online.shell('"$Q" user export-token --output-fd 9 9>token <&- >&- 2>&-').code == 0
    assert login["access_token"] in (online.home / "token").read_text()
    assert online.shell('"$Q" chat --no-interactive <&-').code == 2


@pytest.mark.skipif(SANITIZED, reason="a leak checker and strace exclude each other")
def test_a_closed_descriptor_is_never_that_of_a_database(online, login):
    before = online.db.read_bytes()
    script = 'exec "$Q" user export-token <&- >&- 2>&-'
    assert online.shell(script).code == 1
    assert online.db.read_bytes() == before
    _, safe, log = strace(online, "openat,prctl", script).partition("PR_SET_DUMPABLE")
    opened = [int(fd) for fd in re.findall(r"openat\(.*\) = (\d+)", log)]
    assert safe and opened and min(opened) > 2


@pytest.mark.skipif(SANITIZED, reason="a leak checker has to attach")
def test_no_core_and_no_debugger_before_the_first_file_of_the_user(online, login):
    log = strace(online, "prctl,prlimit64,openat", 'exec "$Q" user export-token')
    before, safe, after = log.partition("PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0")
    assert safe and "openat" in after
    assert re.search(r"RLIMIT_CORE, \{rlim_cur=0, rlim_max=0\}.*= 0", before)
    assert str(online.home) not in before


def test_a_fresh_token_loads_neither_curl_nor_openssl(online, login):
    online.env["LD_DEBUG"] = "files"
    log = online.run(*EXPORT).err
    assert "store-sqlite.so" in log
    assert not re.search(r"libcurl|libssl|libcrypto|libnghttp2|transport-curl", log)
    assert "libcurl" in online.run(*EXPORT, "--force-refresh").err  # so the check can fail


def test_the_command_needs_the_library_beside_it_and_libc_alone():
    said = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True)
    needed = re.findall(r"NEEDED.*\[(.*?)\]", said.stdout)
    paths = re.findall(r"R(?:UN)?PATH.*\[(.*?)\]", said.stdout)[0].split(":")
    assert all(path.startswith("$ORIGIN/") for path in paths)  # empty: the current directory
    # the dynamic linker is a part of libc; a sanitizer brings libm
    allowed = r"libamazonq\.so\.\d+|libc\.so\.6|ld-linux\S*|lib[atu]b?san\.so\.\d+|libm\.so\.6"
    assert needed and all(re.fullmatch(allowed, name) for name in needed)


def test_ctrl_c_during_a_refresh_does_not_lose_the_login(online, service):
    old = service.seed(online.db, expires_in=-60)
    service.fault(REFRESH, hold="after")  # the refresh token is spent, the answer has not come
    process = online.start(*EXPORT)
    service.wait(REFRESH, held=1)
    process.send_signal(signal.SIGINT)
    service.release()
    assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == 130
    assert online.stored()["refresh_token"] != old["refresh_token"]
    assert online.run(*EXPORT).code == 0


def test_a_signal_that_was_ignored_stays_ignored(online, login, service):
    service.fault("GenerateAssistantResponse", hold="before")
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process = online.start("chat", "--no-interactive", "?", preexec_fn=ignore)
    service.wait("GenerateAssistantResponse", held=1)
    process.send_signal(signal.SIGHUP)
    service.release()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith(b"You asked: ?")


def test_no_secret_is_in_arguments_or_environment(online, login, service):
    service.fault("GenerateAssistantResponse", hold="before")
    process = online.start("chat", "--no-interactive", "?")
    service.wait("GenerateAssistantResponse", held=1)
    visible = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    try:
        visible += Path(f"/proc/{process.pid}/environ").read_bytes()
    except PermissionError:
        pass  # nobody but root may look
    assert login["access_token"].encode() not in visible
    service.release()
    process.communicate(timeout=60)
