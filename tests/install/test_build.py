# SPDX-License-Identifier: Apache-2.0
"""What a build does without what it would like to have."""
from installed import CMAKE, SOURCE, TOOLS, run

LIBCURL_OF_UBUNTU_22_04 = "Name: libcurl\nDescription: too old\nVersion: 7.81.0\n"


def test_where_libcurl_is_too_old_requests_travel_over_http2(login, tmp_path):
    (tmp_path / "libcurl.pc").write_text(LIBCURL_OF_UBUNTU_22_04)
    build = tmp_path / "build"
    said = run(CMAKE, "-G", "Ninja", "-S", SOURCE, "-B", build, "-DAQ_TESTS=OFF", "-DCMAKE_BUILD_TYPE=Debug",
               env=TOOLS | {"PKG_CONFIG_PATH": str(tmp_path)})
    assert "transport-curl: left out, needs libcurl 7.87" in said
    run(CMAKE, "--build", build, "--target", "q", "store-sqlite", "transport-h2", env=TOOLS)
    assert "hello" in run(build / "bin/q", "chat", "--no-interactive", "hello", env=login)
