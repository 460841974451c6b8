"""Ceph's RGW as a test server: one monitor, one in-memory OSD, one gateway, all unprivileged.

Daemons run in the foreground as children of the tests; there is no authentication between them,
while S3 requests are verified as in production.  Up in 2-6 s.  The folder's path must stay short
(daemons open sockets in it), so it lies directly in the temporary folder.
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from tests.servers.processes import Processes, ServerError, free_ports

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")
FOLDER_PREFIX = "sl-rgw-"
START_SECONDS = 60
START_ATTEMPTS = 3

CONFIG = """\
[global]
fsid = {fsid}
mon_host = v1:127.0.0.1:{mon_port}
ms_bind_msgr2 = false
ms_type = async+posix
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {folder}
admin_socket =
pid_file =
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
crash_dir = {folder}/crash
keyring = {folder}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 10000
[mon]
mon_data = {folder}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 1
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
mon_osd_full_ratio = 0.99
mon_osd_nearfull_ratio = 0.99
mon_osd_backfillfull_ratio = 0.99
[osd]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_memory_target = 939524096
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
osd_class_load_list = *
osd_class_default_list = *
[client]
rgw_frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw_enable_usage_log = false
rgw_enable_ops_log = false
rgw_thread_pool_size = 32
rgw_run_sync_thread = false
rgw_override_bucket_index_max_shards = 1
rgw_dynamic_resharding = false
"""


def is_installed() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


def start(access_key: str, secret_key: str) -> tuple[Processes, str]:
    """Return the running daemons and the endpoint; the caller closes them.

    Raises:
        ServerError: it did not come up in `START_ATTEMPTS` times `START_SECONDS`.
    """
    remove_leftovers()
    for attempt in range(1, START_ATTEMPTS + 1):
        daemons, endpoint = _prepared()
        try:
            _bring_up(daemons, endpoint, access_key, secret_key)
        except ServerError:
            daemons.close()
            if attempt == START_ATTEMPTS:
                raise
        except BaseException:
            daemons.close()
            raise
        else:
            return daemons, endpoint
    raise AssertionError


def remove_leftovers() -> None:
    """Remove folders of test runs that were killed; their daemons died with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*-*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _prepared() -> tuple[Processes, str]:
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
    port, mon_port = free_ports(2)
    names: Mapping[str, object] = {
        "folder": folder, "port": port, "mon_port": mon_port, "fsid": uuid.uuid4()
    }  # fmt: skip
    config = folder / "ceph.conf"
    config.write_text(CONFIG.format(**names))
    (folder / "mon").mkdir()
    (folder / "osd").mkdir()
    (folder / "keyring").touch()
    env = {"PATH": os.environ["PATH"], "CEPH_CONF": str(config), "HOME": str(folder)}
    daemons = Processes(folder, env)
    _make_monitor_map(daemons, str(names["fsid"]), mon_port)
    return daemons, f"http://127.0.0.1:{port}"


def _make_monitor_map(daemons: Processes, fsid: str, mon_port: int) -> None:
    address = f"[v1:127.0.0.1:{mon_port}]"
    monmap = str(daemons.folder / "monmap")
    daemons.run("monmap", ["monmaptool", "--create", "--addv", "a", address, "--fsid", fsid,
                           "--set-min-mon-release", "pacific", monmap])  # fmt: skip
    daemons.run("mon-mkfs", ["ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap,
                             "--keyring", str(daemons.folder / "keyring")])  # fmt: skip


def _bring_up(daemons: Processes, endpoint: str, access_key: str, secret_key: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    osd = str(uuid.uuid4())

    def succeeds(name: str, *command: str) -> Callable[[], bool]:
        return lambda: daemons.run(name, command)

    mon_address = _mon_address(daemons)
    daemons.start("mon", ["ceph-mon", "-f", "-i", "a", "--public-addr", mon_address])
    daemons.wait("osd new", succeeds("osd-new", "ceph", "osd", "new", osd, "0"), deadline)
    mkfs = succeeds("osd-mkfs", "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    daemons.wait("osd mkfs", mkfs, deadline)
    # an OSD that talks before it knows the monitor map dies of "wrong fsid": one start in four
    daemons.start_until("osd", ["ceph-osd", "-f", "-i", "0"], lambda: _is_active(daemons), deadline)
    user = succeeds(
        "user", "radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
        f"--access-key={access_key}", f"--secret-key={secret_key}",
    )  # fmt: skip
    daemons.wait("user create", user, deadline)
    daemons.start("rgw", ["radosgw", "-f", "-n", "client.rgw"])
    daemons.wait("gateway", lambda: answers(endpoint), deadline)


def _is_active(daemons: Processes) -> bool:
    log = daemons.folder / "osd.0.log"
    return log.exists() and "state: booting -> active" in log.read_text(errors="replace")


def _mon_address(daemons: Processes) -> str:
    lines = (daemons.folder / "ceph.conf").read_text().splitlines()
    return next(line.partition(" = ")[2] for line in lines if line.startswith("mon_host"))


def answers(endpoint: str) -> bool:
    """Return whether something speaks HTTP there."""
    try:
        return httpx.get(endpoint, timeout=1).status_code < 500
    except httpx.HTTPError:
        return False
