from pathlib import Path

import pytest

from infra.settings import (
    S3_CHECKSUMS,
    Settings,
    child_environment,
    load_settings,
    prefect_environment,
    process_environment,
    set_environment,
)
from sightline.errors import UsageError

CUSTOMARY = [
    name
    for start in ("AWS_", "OPENAI_", "RAY_", "PREFECT_", "HF_", "SIGHTLINE_")
    for name in child_environment({})
    if name.startswith(start)
]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in CUSTOMARY:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_settings_nothing_set_has_defaults():
    settings = load_settings()
    assert (settings.lake, settings.pool, settings.workers) == ("./lake", "ray", 1)
    assert settings.spool_path == Path("~/.sightline/spool").expanduser()


def test_settings_override_beats_variable_beats_file(monkeypatch: pytest.MonkeyPatch):
    Path(".env").write_text("SIGHTLINE_WORKERS=2\nSIGHTLINE_MAX_RETRIES=5\nOPENAI_API_KEY=sk-f\n")
    monkeypatch.setenv("SIGHTLINE_WORKERS", "3")
    settings = load_settings(lake="s3://b/p", budget_usd=None)
    assert (settings.workers, settings.max_retries, settings.is_s3) == (3, 5, True)
    assert load_settings(workers=4).workers == 4
    assert settings.secrets == ("sk-f",)


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("AWS_ENDPOINT_URL", "http://h:1", "s3_endpoint_url", "http://h:1"),
        ("AWS_DEFAULT_REGION", "eu", "s3_region", "eu"),
        ("PREFECT_API_URL", "http://h:1/api", "prefect_api_url", "http://h:1/api"),
        ("RAY_ADDRESS", "ray://h:1", "ray_address", "ray://h:1"),
        ("HF_HUB_OFFLINE", "1", "offline", True),
        ("OPENAI_BASE_URL", "http://h/v1", "teacher_base_url", "http://h/v1"),
    ],
)
def test_settings_customary_name_is_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, expected: object
):
    monkeypatch.setenv(variable, value)
    assert getattr(load_settings(), field) == expected


def test_settings_own_name_beats_customary_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    monkeypatch.setenv("SIGHTLINE_S3_ACCESS_KEY", "ours")
    assert load_settings().storage.access_key == "ours"


def test_settings_secret_appears_in_no_repr_and_no_dump(monkeypatch: pytest.MonkeyPatch):
    for name in ("SIGHTLINE_S3_SECRET_KEY", "OPENAI_API_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"hush-{name}")
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "hush" not in shown
    assert "hush" not in repr(settings.storage)
    assert len(settings.secrets) == 3


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("SIGHTLINE_WORKERS", "many", r"SIGHTLINE_WORKERS: .*integer.*; found 'many'"),
        ("SIGHTLINE_WORKERS", "0", r"SIGHTLINE_WORKERS: .*greater than or equal to 1.*'0'"),
        ("SIGHTLINE_POOL", "dask", r"SIGHTLINE_POOL: .*'ray' or 'local'; found 'dask'"),
        ("AWS_ENDPOINT_URL", "minio:9000", r"AWS_ENDPOINT_URL: expected a URL.*'minio:9000'"),
        ("SIGHTLINE_LAKE", "gs://b", r"SIGHTLINE_LAKE: expected a folder or s3://.*'gs://b'"),
        ("SIGHTLINE_BUDGET_DOLLARS", "5", r"unknown variable .*did you mean SIGHTLINE_BUDGET_"),
    ],
)
def test_settings_bad_value_names_variable_expected_and_found(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, text: str
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=text):
        load_settings()


def test_settings_bad_override_is_named_as_given():
    with pytest.raises(UsageError, match=r"setting num_gpus: .*found -1"):
        load_settings(num_gpus=-1)
    with pytest.raises(UsageError, match=r"unknown settings \['gpus'\]"):
        load_settings(gpus=1)


def test_settings_every_field_is_described():
    assert [n for n, f in Settings.model_fields.items() if not f.description] == []


def test_process_environment_s3_lake_carries_keys_and_checksums():
    keys = {"s3_access_key": "a", "s3_secret_key": "b"}
    settings = load_settings(lake="s3://b", s3_endpoint_url="http://h:1", **keys)
    variables = process_environment(settings)
    assert variables.items() >= S3_CHECKSUMS.items()
    assert variables["AWS_ENDPOINT_URL"] == "http://h:1"
    assert [variables[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")] == [
        *keys.values()
    ]


def test_process_environment_local_lake_has_no_s3_and_no_teacher_key():
    variables = process_environment(load_settings(teacher_api_key="sk", offline=True))
    assert "sk" not in variables.values()
    assert not any(name.startswith("AWS_") for name in variables)
    assert variables["HF_HUB_OFFLINE"] == "1"


def test_prefect_environment_names_api_and_home(tmp_path: Path):
    variables = prefect_environment(load_settings(state_dir=tmp_path), "http://h:1/api")
    assert variables["PREFECT_API_URL"] == "http://h:1/api"
    assert variables["PREFECT_HOME"] == str(tmp_path / "prefect")


def test_set_environment_is_seen_by_children(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SIGHTLINE_TEST_PROBE", "old")
    set_environment({"SIGHTLINE_TEST_PROBE": "new"})
    assert child_environment({"OTHER": "x"}).items() >= {
        ("SIGHTLINE_TEST_PROBE", "new"),
        ("OTHER", "x"),
    }
