# SPDX-License-Identifier: Apache-2.0
"""The files that the guide shows for other people's systems: they have the form these want, and
what they start does its work here, with the engine in their place."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from engine import SOURCE
from page import PAGE, blocks

FILES = {block.marks["file"]: block.text for block in blocks(PAGE) if "file" in block.marks}
PYTHON = os.environ.get("AQ_TEST_SDK_PYTHON", "/nowhere")
SCHEMAS = {
    "compose.yaml": "vendor.compose-spec",
    ".github/workflows/ask.yaml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}


@pytest.mark.skipif(not Path(PYTHON).exists(), reason="no check-jsonschema yet")
@pytest.mark.parametrize("name, schema", SCHEMAS.items())
def test_a_file_has_the_form_its_reader_wants(name, schema, tmp_path):
    path = tmp_path / Path(name).name
    path.write_text(FILES[name] if name in FILES else (SOURCE / name).read_text())
    command = [PYTHON, "-m", "check_jsonschema", "--builtin-schema", schema, path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def run(user, image):
    """A function that runs a container; its answer."""

    def run(*args):
        done = user.run("docker", "run", "--rm", *args)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("You asked: hi\n"), done

    return run


@pytest.fixture
def token(user, log_in):
    """What the secret holds, as the guide has it made."""
    log_in(expires_in=3600)
    export = ("user", "export-token", "--access-only", "--min-valid", "50m", "--quiet")
    return user.run("q", *export).stdout


def test_the_container_of_the_editor_has_the_login(user, run, log_in):
    made = json.loads(FILES[".devcontainer/devcontainer.json"])
    log_in(expires_in=-60)
    mounts = [mount.replace("${localEnv:HOME}", str(user.home)) for mount in made["mounts"]]
    options = [f"--mount={mount}" for mount in mounts]
    # what updateRemoteUserUID comes to
    same_number = f"--user={user.uid}"
    assert user.run("docker", "run", "--rm", made["image"], "id", "-un").stdout == (
        made["remoteUser"] + "\n"
    )
    run(*options, same_number, made["image"], "q", "chat", "--no-interactive", "hi")


def test_the_pod_has_the_token_of_its_secret(user, run, token):
    pod = yaml.safe_load(FILES["job.yaml"])["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    (mount,), context = container["volumeMounts"], pod["securityContext"]
    assert mount["name"] == volume["name"] and mount["readOnly"] and context["runAsNonRoot"]

    # as the kubelet does it: a link to what is current, owned by root and the group
    secret = user.home / "secret"
    (secret / "..1").mkdir(parents=True)
    (secret / "token").symlink_to("..1/token")
    (secret / "..1/token").write_text(token)
    (secret / "..1/token").chmod(volume["secret"]["defaultMode"])
    os.chown(secret / "..1/token", 0, context["fsGroup"])

    options = [f"--user={context['runAsUser']}", f"--group-add={context['fsGroup']}"]
    options += [f"--volume={secret}:{mount['mountPath']}:ro"]
    options += [f"--env={variable['name']}={variable['value']}" for variable in container["env"]]
    run(*options, "amazonq", *container["command"])


def test_the_workflow_has_the_token_of_its_secret(run, token):
    job = yaml.safe_load(FILES[".github/workflows/ask.yaml"])["jobs"]["ask"]
    (step,) = job["steps"]
    secrets = {"${{ secrets.AMAZONQ_TOKEN }}": token}
    env = {name: secrets.get(value, value) for name, value in step["env"].items()}
    options = [f"--env={name}={value}" for name, value in env.items()]
    shell = (step["shell"], "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
    run(*job["container"]["options"].split(), *options, "amazonq", *shell)


def test_the_pipeline_has_the_token_of_its_variable(user, run, token):
    job = yaml.safe_load(FILES[".gitlab-ci.yml"])["ask"]
    variable = user.home / "variable"  # of type file: readable by the job's user
    variable.write_text(token)
    options = [f"--volume={variable}:/run/variable:ro", "--env=Q_TOKEN_FILE=/run/variable"]
    run(*options, "amazonq", "sh", "-ec", "\n".join(job["script"]))
