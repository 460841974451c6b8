"""The S3 server of a test session: Ceph RGW where it is installed, else moto_server."""

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import boto3

from infra.lake.objects import StorageOptions
from tests.servers import rgw
from tests.servers.processes import Processes, ServerError, free_ports

ACCESS_KEY, SECRET_KEY = "testaccess", "testsecret"
BUCKET = "sightline"
CHOICE = "SIGHTLINE_TEST_S3"
"""Environment variable: `rgw` or `moto` to insist on one."""


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server with one empty bucket.

    Attributes:
        checks_signatures: whether wrong keys are refused; moto takes any.
    """

    name: str
    checks_signatures: bool
    storage: StorageOptions
    processes: Processes = field(repr=False)

    def uri(self, prefix: str) -> str:
        return f"s3://{BUCKET}/{prefix}"


def start() -> S3Server:
    """Return a running server; the caller closes its `processes`."""
    wanted = os.environ.get(CHOICE, "rgw" if rgw.is_installed() else "moto")
    if wanted == "rgw":
        name, (processes, endpoint) = "Ceph RGW", rgw.start(ACCESS_KEY, SECRET_KEY)
    else:
        name, (processes, endpoint) = "moto_server", _start_moto()
    storage = StorageOptions(
        endpoint_url=endpoint,
        region="us-east-1",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        allow_http=True,
    )
    try:
        boto3.client("s3", **storage.boto()).create_bucket(Bucket=BUCKET)
    except BaseException:
        processes.close()
        raise
    return S3Server(name, wanted == "rgw", storage, processes)


def _start_moto() -> tuple[Processes, str]:
    program = Path(sys.executable).with_name("moto_server")
    found = str(program) if program.exists() else shutil.which("moto_server")
    if not found:
        msg = "neither radosgw nor moto_server is installed"
        raise ServerError(msg)
    (port,) = free_ports(1)
    folder = Path(tempfile.mkdtemp(prefix="sl-moto-"))
    processes = Processes(folder, os.environ)
    processes.start("moto", [found, "-H", "127.0.0.1", "-p", str(port)])
    endpoint = f"http://127.0.0.1:{port}"
    try:
        processes.wait("moto_server", lambda: rgw.answers(endpoint), time.monotonic() + 60)
    except ServerError:
        processes.close()
        raise
    return processes, endpoint
