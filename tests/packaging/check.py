# SPDX-License-Identifier: Apache-2.0
"""What ``make dist`` has built, tried by somebody who has nothing but the README and an Airflow without extras.

The commands are those of the README's "Try it in one terminal", as they stand there; only ``pip install`` is given the
wheel instead of the name. Then the API server is asked what the tab *Attempts* shows. No pytest: it needs a registry.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
PATIENCE = 300
NEEDED = ("py.typed", "ui/templates/", "ui/static/", "testing/demo/", "get_provider_info.py")
"""Parts of a wheel that are easily forgotten."""


def main() -> None:
    """Check what is in ``dist``."""
    (wheel,), (source,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    _look_into(wheel)
    print(f"{source.name}: {source.stat().st_size // 1024} KiB; the wheel was built from it")
    with tempfile.TemporaryDirectory() as scratch:
        environment = _bare_airflow(Path(scratch))
        begun = time.monotonic()
        said = _terminal(_commands(wheel), Path(scratch), environment)
        print(said)
        assert re.search(r"Interrupted once, forgiven; succeeded in attempt 2", said), "the README promises it"
        _ask_the_api(Path(scratch), environment)
        print(f"from pip install to the API's answer: {time.monotonic() - begun:.0f} s")


def _look_into(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    missing = [part for part in NEEDED if not any(name.startswith(f"airflow_interruptible/{part}") for name in names)]
    assert not missing, f"{wheel.name} lacks {missing}"
    strangers = {name.split("/")[0] for name in names if not name.startswith("airflow_interruptible")}
    assert not strangers, f"{wheel.name} brings {strangers}"
    print(f"{wheel.name}: {len(names)} files, {wheel.stat().st_size // 1024} KiB")


def _bare_airflow(scratch: Path) -> dict[str, str]:
    """Install Airflow alone, and return the environment of a terminal in which it is."""
    venv = scratch / "venv"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, venv], check=True)
    install = [uv, "pip", "install", "-q", "--python", venv / "bin" / "python", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, "apache-airflow", "pip"], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    return {**kept, "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def _commands(wheel: Path) -> str:
    text = (ROOT / "README.md").read_text()
    section = text.partition("## Try it in one terminal")[2]
    block = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert block is not None, "the README has lost its commands"
    commands, count = re.subn(r"pip install airflow-interruptible\b", f"pip install -q {wheel}", block[1])
    assert count == 1, "the README installs once"
    return f"{commands}\necho RUN=$RUN > run\n"


def _terminal(commands: str, scratch: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=scratch,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _ask_the_api(scratch: Path, environment: dict[str, str]) -> None:
    run = (scratch / "run").read_text().strip().partition("=")[2]
    with _api_server(scratch, environment) as address:
        token = _get(f"{address}/auth/token", "")["access_token"]
        query = urllib.parse.urlencode({"dag_id": "try_it", "run_id": run, "task_id": "fit"})
        answer = _get(f"{address}/interruptible/api/attempts?{query}", token)
    told = [(each["attempt"], each["cause"], each["charge"]) for each in answer["attempts"]]
    assert told == [(1, "spot_interruption", "system"), (2, None, "none")], answer
    print(f"the API tells: {answer['summary']}")


@contextmanager
def _api_server(scratch: Path, environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {
        "AIRFLOW_HOME": str(scratch / "try-it"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    command = ["airflow", "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (scratch / "api.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=scratch, env={**environment, **home}, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, server, scratch / "api.log")
        yield address
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            _get(f"{address}/api/v2/monitor/health", "")
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"the API server does not answer:\n{log.read_text()[-3000:]}")


def _get(url: str, token: str) -> Any:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with direct.open(request, timeout=PATIENCE) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
