# SPDX-License-Identifier: Apache-2.0
import array
import fcntl
import os
import signal
import termios

import pytest
from command import BINARY
from mounts import mounts, needs_mounts

CHAT = ("chat", "--no-interactive")
CALL = "GenerateAssistantResponse"


def say(*texts):
    """Events of an answer in these pieces."""
    return [["assistantResponseEvent", {"content": text}] for text in texts]


def script(service, events):
    service.settings(answer={"events": events})


def sent(service):
    """The body of the last request."""
    return service.requests(CALL)[-1]["body"]


def test_the_answer_is_on_stdout_and_nothing_else(online, login):
    result = online.run(*CHAT, "what is love?")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("You asked: what is love?\n")
    assert result.out.endswith("\n") and not result.out.endswith("\n\n")


def test_the_other_spelling_works_too(online, login):
    assert online.run("chat", "--non-interactive", "hello").code == 0


def test_the_question_can_be_piped_in(online, login):
    result = online.run(*CHAT, input="  \n what is\nlove? \n\n")
    assert result.out.startswith("You asked: what is\nlove?\n")


def test_a_pipe_implies_that_nobody_is_there_to_talk(online, login):
    assert online.run("chat", input="hello").out.startswith("You asked: hello\n")


def test_an_argument_beats_stdin_which_is_left_alone(online, login):
    end, start = os.pipe()  # never closed here: reading it would never end
    result = online.run(*CHAT, "argument", stdin=end)
    os.close(start)
    os.close(end)
    assert result.out.startswith("You asked: argument\n")


def test_a_question_may_begin_with_a_dash_after_two(online, login):
    assert online.run(*CHAT, "--", "-v").out.startswith("You asked: -v\n")


def test_a_question_of_many_bytes_arrives_whole(online, login):
    question = "0123456789abcdef " * 20_000
    assert online.run(*CHAT, input=question).out.startswith("You asked: " + question.strip())


def test_without_end_of_line_the_answer_gets_one(online, login, service):
    script(service, say("one", " two"))
    assert online.run(*CHAT, "?").out == "one two\n"
    script(service, say("one", " two\n"))
    assert online.run(*CHAT, "?").out == "one two\n"


def test_an_answer_without_text_says_so(online, login, service):
    script(service, [["meteringEvent", {"unit": "credit", "unitPlural": "credits", "usage": 1}]])
    result = online.run(*CHAT, "?")
    assert (result.code, result.out) == (0, ""), result
    assert "no text" in result.err


def test_reasoning_and_unknown_events_are_not_printed(online, login, service):
    service.settings(answer={"text": "the answer", "reasoning": "secret thoughts"})
    service.fault(CALL, unknown_event=1)
    assert online.run(*CHAT, "?").out == "the answer\n"


def test_the_model_is_sent(online, login, service):
    assert online.run(*CHAT, "--model", "claude-3.7-sonnet", "?").code == 0
    assert "claude-3.7-sonnet" in str(sent(service))


def test_an_endpoint_can_be_named(online, login, service):
    online.env["Q_ENDPOINT_URL"] = "http://127.0.0.1:1"
    assert online.run(*CHAT, "?").code == 5
    assert online.run(*CHAT, "--endpoint", service.url, "?").code == 0


def test_tls_with_a_named_bundle(online, login, service):
    options = ["--endpoint", service.tls_url, "--ca-bundle", service.ca]
    assert online.run(*options, *CHAT, "?").out.startswith("You asked: ?")
    assert online.run("--endpoint", service.tls_url, *CHAT, "?").code == 5


@pytest.mark.parametrize("how", ["option", "variable"])
@pytest.mark.parametrize("entry", ["url", "tls_url"])
def test_an_answer_over_http2_alone_is_the_same(online, login, service, entry, how):
    options = ["--endpoint", getattr(service, entry), "--ca-bundle", service.ca]
    if how == "option":
        options += ["--transport", "h2"]
    else:
        online.env["Q_TRANSPORT"] = "h2"
    done = online.run(*options, *CHAT, "hello")
    if "transport 'h2': no such plugin" in done.err:
        pytest.skip("transport-h2 is not built")
    assert done.out == online.run(*options, *CHAT, "hello", "--transport", "curl").out
    assert done.out.startswith("You asked: hello")


ESCAPES = [
    ("a\x1b[31mred\x1b[0m", "ared"),
    ("a\x1b]0;title\x07b", "ab"),
    ("a\x1b]52;c;ZWNobyBvd25lZA==\x1b\\b", "ab"),
    ("a\x1bPq#0\x1b\\b\x1b_Gx\x1b\\c\x1b^p\x1b\\d", "abcd"),
    ("a\u009b31mb\u009dtitle\u009cc\u0085d", "abcd"),
    ("over\rwrite\x07\x08\x7f", "overwrite"),
    ("a\u202eb\u2066c\u200f\U000e0041d\u200be", "abcde"),
]


@needs_mounts
@pytest.mark.parametrize("bundle", ["certs/ca-certificates.crt", "ca-bundle.pem", "cert.pem"])
def test_the_machines_certificates_are_found_where_its_distribution_keeps_them(
    online, login, service, bundle
):
    """/etc/ssl is that of another distribution: no directory of hashes, but this one file."""
    with mounts() as other:
        other.run("mount", "-t", "tmpfs", "none", "/etc/ssl")
        other.run("mkdir", "/etc/ssl/certs")
        other.run("cp", service.ca, f"/etc/ssl/{bundle}")
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE"):
            online.env.pop(name, None)
        online.env["Q_ENDPOINT_URL"] = service.tls_url
        done = online.run(*other.prefix, BINARY, *CHAT, "hello", program="nsenter")
        assert done.code == 0, done


@pytest.mark.parametrize("text, left", ESCAPES)
def test_nothing_a_terminal_could_obey_is_printed(online, login, service, text, left):
    script(service, say(text))
    assert online.run(*CHAT, "?").out == left + "\n"
    assert online.on_terminal(*CHAT, "?").out == left + "\n"


def test_escapes_cut_into_single_characters_are_not_printed_either(online, login, service):
    script(service, say(*"".join(text for text, _ in ESCAPES)))
    expected = "".join(left for _, left in ESCAPES) + "\n"
    assert online.run(*CHAT, "?").out == expected
    assert online.on_terminal(*CHAT, "?").out == expected


def test_raw_leaves_escapes_in(online, login, service):
    script(service, say("a\x1b[31", "mred\u202e"))
    assert online.run(*CHAT, "--raw", "?").out == "a\x1b[31mred\u202e\n"


def test_the_service_cannot_write_escapes_to_stderr(online, login, service):
    service.fault(
        CALL,
        error={"code": "ValidationException", "message": "bad\x1b[2J\x1b]0;t\x07\u202e\nq: ok"},
    )
    result = online.run(*CHAT, "?")
    assert result.code == 7
    for character in ("\x1b", "\x07", "\u202e"):
        assert character not in result.err
    assert len(result.err.splitlines()) == 1


def test_licensed_code_is_left_out_as_in_the_existing_cli(online, login, service):
    reference = ["codeReferenceEvent", {"references": [{"licenseName": "GPL-3.0"}]}]
    script(service, say("before ", "licensed") + [reference] + say("after"))
    result = online.run(*CHAT, "?")
    assert (result.code, result.out) == (0, "before after\n"), result
    assert "left out" in result.err
    script(service, say("before ") + [["meteringEvent", {"usage": 1}], reference] + say("after"))
    result = online.run(*CHAT, "--quiet", "?")
    assert (result.out, result.err) == ("before after\n", "")


@pytest.mark.parametrize(
    "error, code",
    [
        ({"code": "AccessDeniedException", "message": "no", "status": 403}, 7),
        ({"code": "ValidationException", "message": "bad", "status": 400}, 7),
        ({"code": "ConflictException", "message": "no", "status": 409}, 7),
        (
            {
                "code": "ServiceQuotaExceededException",
                "message": "no",
                "reason": "MONTHLY_REQUEST_COUNT",
                "status": 402,
            },
            7,
        ),
    ],
)
def test_a_refusal_is_exit_code_7(online, login, service, error, code):
    service.fault(CALL, error=error, times=-1)
    result = online.run(*CHAT, "?")
    assert (result.code, result.out) == (code, ""), result
    assert result.err.startswith("q: ")


def test_a_repetition_is_reported_unless_quiet(online, login, service):
    service.fault(CALL, status=503)
    result = online.run(*CHAT, "?")
    assert result.code == 0
    assert "attempt 1" in result.err
    service.fault(CALL, status=503)
    quiet = online.run(*CHAT, "--quiet", "?")
    assert (quiet.code, quiet.err) == (0, "")


def test_an_answer_that_breaks_off_is_an_error_after_what_came(online, login, service):
    script(service, say("one ", "two ", "three"))
    service.fault(CALL, cut={"frame": 2})
    result = online.run(*CHAT, "?")
    assert (result.code, result.out) == (5, "one two \n"), result
    assert result.err.startswith("q: ")


def test_an_error_in_the_stream_is_an_error_after_what_came(online, login, service):
    script(service, say("one ", "two ", "three"))
    service.fault(CALL, exception_frame={"at": 1, "type": "internalServerException"})
    result = online.run(*CHAT, "?")
    assert (result.code, result.out) == (7, "one \n"), result


def test_an_expired_login_is_refreshed_for_the_answer(online, service):
    service.seed(online.db, expires_in=-60)
    assert online.run(*CHAT, "?").code == 0
    assert service.calls("CreateToken") == 1


def test_a_rejected_token_is_refreshed_once(online, login, service):
    message = "The bearer token included in the request is invalid."
    service.fault(CALL, error={"code": "AccessDeniedException", "message": message, "status": 403})
    result = online.run(*CHAT, "?")
    assert result.code == 0
    assert service.calls("CreateToken") == 1


def test_nobody_logged_in_is_exit_code_4(online):
    result = online.run(*CHAT, "?")
    assert (result.code, result.out) == (4, ""), result


def test_a_terminal_is_told_what_exists(online, login, service):
    result = online.on_terminal("chat", stdin=True)
    assert (result.code, result.out) == (2, ""), result
    assert "q chat --no-interactive PROMPT" in result.err
    assert online.on_terminal("chat", "question", stdin=True).code == 2
    assert online.on_terminal(*CHAT, stdin=True).code == 2
    assert online.on_terminal(*CHAT, "question", stdin=True).code == 0
    assert service.calls(CALL) == 1


def test_a_reader_that_has_seen_enough_is_no_error_message(online, login, service):
    service.settings(answer={"text": "a line of text\n", "repeat": 20_000, "pieces": 500})
    process = online.start(*CHAT, "?")
    assert process.stdout.readline() == b"a line of text\n"
    process.stdout.close()
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 1


def test_text_is_printed_while_it_comes(online, login, service):
    script(service, say("first\n", "second", "third"))
    service.fault(CALL, stall_after=2)
    process = online.start(*CHAT, "?")
    assert process.stdout.readline() == b"first\n"  # and the second is held back
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 130


@pytest.mark.parametrize(
    "number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_wait_for_an_answer(online, login, service, number, code):
    service.fault(CALL, stall=True)
    process = online.start(*CHAT, "?")
    service.wait(CALL, calls=1)
    process.send_signal(number)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == code
    service.wait(CALL, disconnects=1)


def test_a_signal_ends_the_wait_for_a_reader(online, login, service):
    service.settings(answer={"text": "a line of text\n", "repeat": 200_000, "pieces": 500})
    process = online.start(*CHAT, "?")
    assert process.stdout.read(1) == b"a"  # the pipe is full soon, nobody reads on
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    process.stdout.close()
    assert process.communicate(timeout=60) == (b"", b"")


def test_a_signal_ends_the_wait_for_a_question(online, login):
    end, start = os.pipe()
    process = online.start(*CHAT, stdin=end)
    os.write(start, b"half a ques")
    while _unread(end) > 0:  # read: now it waits for the other half
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 130
    os.close(start)
    os.close(end)


def _unread(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]
