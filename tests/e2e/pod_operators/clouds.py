"""As much of AWS and Google as a pod operator needs to reach a cluster: its address, and a token that nobody checks."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAST_LINE = "-----END CERTIFICATE-----\n"
AUTHORITY = base64.b64encode(
    (Path(certifi.where()).read_text().partition(_LAST_LINE)[0] + _LAST_LINE).encode()
).decode()
"""Any certificate will do: the cluster speaks plain HTTP, but the clients insist on one."""


@contextmanager
def clouds(cluster_url: str) -> Iterator[dict[str, str]]:
    """Serve both, and yield the environment in which the unmodified hooks find them."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """EKS: https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeCluster.html."""
            name = self.path.rpartition("/")[2]
            self._answer(
                {"cluster": {"name": name, "endpoint": cluster_url, "certificateAuthority": {"data": AUTHORITY}}}
            )

        def do_POST(self) -> None:
            """Google: https://developers.google.com/identity/protocols/oauth2/service-account#httprest."""
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer({"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})

        def _answer(self, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield {**_aws(url), **_google(url), "CLUSTER_URL": cluster_url, "CLUSTER_AUTHORITY": AUTHORITY}
    finally:
        server.shutdown()
        server.server_close()


def _aws(url: str) -> dict[str, str]:
    python = str(Path(sys.executable).parent)  # the kubeconfig runs "python3.x" to make a token
    return {
        "PATH": os.pathsep.join((python, os.environ["PATH"])),
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_EKS": url,
    }


def _google(url: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k",
        "private_key": key.decode(),
        "client_email": "airflow@example.invalid",
        "token_uri": f"{url}/token",
    }
    extra = {"keyfile_dict": json.dumps(account), "project": "p"}
    return {"AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps({"conn_type": "google_cloud_platform", "extra": extra})}
