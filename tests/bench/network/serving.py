# SPDX-License-Identifier: Apache-2.0
"""The servers of what is measured: nginx for answers as fast as they go, ours for paced ones."""
import contextlib
import os
import pathlib
import socket
import subprocess
import sys

import answer

FRAMES = 1000      # of an answer that is repeated
REPEATS = 1000     # in a large one: 150 MB
SYSTEM_CERTS = pathlib.Path("/etc/ssl/certs")

CONFIG = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log stderr emerg; {user}
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000; sendfile on; tcp_nodelay on;
  client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
  uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
  types {{ }} default_type application/vnd.amazon.eventstream;
  ssl_certificate {dir}/good.pem; ssl_certificate_key {dir}/good.pem;
{servers}
}}
"""
# A file is not there to be posted to: the answer to that is the file.
SERVER = """  server {{
    listen 127.0.0.1:{port} {how}; root {dir};
    error_page 405 =200 /{size}; location = / {{ return 405; }} location / {{ }}
  }}"""
HOW = {"h1": "", "h2c": "http2", "tls": "ssl http2"}
SIZES = ("large", "small")


def pinned(processor):
    return lambda: os.sched_setaffinity(0, {processor})


def trust(folder):
    """An authority of our own among those of this machine, as a file and as a directory."""
    import trustme  # its keys are RSA's, as those of the real services

    authority = trustme.CA()
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        folder / "good.pem")
    own = folder / "own.pem"
    authority.cert_pem.write_to_path(own)
    bundle, directory = folder / "bundle.pem", folder / "certs"
    bundle.write_bytes((SYSTEM_CERTS / "ca-certificates.crt").read_bytes() + own.read_bytes())
    directory.mkdir()
    for name in SYSTEM_CERTS.glob("*.[0-9]"):
        (directory / name.name).symlink_to(name)
    name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", own], check=True,
                          capture_output=True, text=True).stdout.strip()
    (directory / f"{name}.0").symlink_to(own)
    return bundle, directory


@contextlib.contextmanager
def nginx(folder, processor):
    """(how, size) -> URL; and how many bytes the large answer has more than the small one."""
    one = bytes(answer.chat(1).stream)
    large = bytes(answer.chat(FRAMES).stream) * REPEATS
    (folder / "small").write_bytes(one)
    (folder / "large").write_bytes(large)
    listeners, servers, urls = [], [], {}
    for how, words in HOW.items():
        for size in SIZES:
            listener = socket.create_server(("127.0.0.1", 0))
            listeners.append(listener)
            port = listener.getsockname()[1]
            servers.append(SERVER.format(port=port, how=words, dir=folder, size=size))
            urls[how, size] = (f"https://localhost:{port}" if how == "tls"
                               else f"http://127.0.0.1:{port}")
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(CONFIG.format(dir=folder, user=user, servers="\n".join(servers)))
    fds = [listener.fileno() for listener in listeners]
    env = {**os.environ, "NGINX": "".join(f"{fd};" for fd in fds)}
    process = subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-c", config], env=env,
                               pass_fds=fds, preexec_fn=pinned(processor))
    for listener in listeners:
        listener.close()
    try:
        yield urls, len(large) - len(one)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def paced(processor, *how):
    """The URL of the service of tests/bench/python."""
    here = pathlib.Path(__file__).resolve().parent.parent
    command = [sys.executable, "-B", here / "python" / "server.py", str(processor), *how]
    env = {**os.environ, "PYTHONPATH": str(here)}
    with subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()
