"""Where and how fast a recipe runs: the only reader and writer of the environment.

Settings come from keyword overrides, then `SIGHTLINE_*` variables, then a file `.env` in the
working directory; the customary names of S3, OpenAI, Ray and Prefect are understood as well.
Nothing here may change the output of a step.  Secrets are `SecretStr`, so that no repr, log or
error text shows them.  `docs/reference/settings.md` is generated from the fields below.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from infra.lake.objects import StorageOptions
from infra.pool.workers import Placement
from infra.teacher.endpoints import DEFAULT_NAME, Endpoint, read_endpoints
from sightline.errors import UsageError

PREFIX = "SIGHTLINE_"

OPENAI_URL = "https://api.openai.com/v1"

TEST_PREFIX = "SIGHTLINE_TEST_"
"""Variables of the test suite, which are no settings."""

S3_CHECKSUMS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}
"""Without these, writes to S3 servers other than Amazon's fail with 411."""


def _also(name: str, *others: str) -> AliasChoices:
    """Name a variable, and the customary names that are read if it is not set."""
    return AliasChoices(PREFIX + name, *others)


class Settings(BaseSettings):
    """Everything the environment decides."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    lake: str = Field("./lake", description="Lake: a local folder or `s3://bucket/prefix`.")
    ledger_lake: str | None = Field(
        None,
        description="Lake whose ledger holds the paid calls; empty means `lake`. A build copies "
        "the ledger rows that it used into its own lake.",
    )
    spool_dir: Path | None = Field(
        None,
        description="Folder on a local disk where teacher responses are made durable before they "
        "are committed; must survive a restart. Empty means `spool` in `state_dir`.",
    )
    state_dir: Path = Field(
        Path("~/.sightline"), description="Folder for what outlives a run outside the lake."
    )
    spool: Literal["local", "lake"] = Field(
        "local",
        description="Where responses become durable: `local` is `spool_dir`; `lake` is the lake "
        "itself, for machines that may be lost together with their disks.",
    )
    ledger_claims: Literal["auto", "machine", "lake"] = Field(
        "auto",
        description="Among whom no call is bought twice at once: the processes of a `machine`, or "
        "all machines of a `lake`; `auto` is `lake` in a bucket or with its spool there.",
    )

    s3_endpoint_url: str | None = Field(
        None,
        validation_alias=_also("S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        description="S3 server, such as `http://127.0.0.1:9000`; empty means Amazon S3.",
    )
    s3_region: str | None = Field(
        None,
        validation_alias=_also("S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="Region of the bucket.",
    )
    s3_access_key: SecretStr | None = Field(
        None,
        validation_alias=_also("S3_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        description="Access key; empty leaves it to the standard AWS chain.",
    )
    s3_secret_key: SecretStr | None = Field(
        None,
        validation_alias=_also("S3_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"),
        description="Secret key.",
    )
    s3_session_token: SecretStr | None = Field(
        None,
        validation_alias=_also("S3_SESSION_TOKEN", "AWS_SESSION_TOKEN"),
        description="Session token of temporary keys.",
    )

    teacher_base_url: str | None = Field(
        None,
        validation_alias=_also("TEACHER_BASE_URL", "OPENAI_BASE_URL"),
        description="OpenAI-compatible endpoint, such as `http://127.0.0.1:8000/v1`; empty means "
        "the embedded teacher where the recipe names it, else `https://api.openai.com/v1`.",
    )
    teacher_api_key: SecretStr | None = Field(
        None,
        validation_alias=_also("TEACHER_API_KEY", "OPENAI_API_KEY"),
        description="Key of the endpoint.",
    )
    teacher_concurrency: int = Field(
        64,
        ge=1,
        le=4096,
        description="Most teacher calls at once; an endpoint that bears fewer is given fewer.",
    )
    teacher_workers: int = Field(
        0,
        ge=0,
        le=1024,
        description="Processes that ask the teacher, on Ray, all within the same limits and caps; "
        "0 asks from the build's own process, which is enough for some hundred calls at once.",
    )
    teacher_timeout_s: float = Field(
        300.0, gt=0, description="Longest wait for one teacher response, in seconds."
    )
    teacher_requests_per_minute: float | None = Field(
        None, gt=0, description="Calls per minute and model; empty is what the endpoint states."
    )
    teacher_tokens_per_minute: float | None = Field(
        None,
        gt=0,
        description="Tokens per minute and model, prompt and reply together; empty as above.",
    )
    teacher_patience_s: float = Field(
        1800.0,
        gt=0,
        description="How long an endpoint that worked may be down, in seconds; calls wait.",
    )
    teacher_probe: bool = Field(
        default=True,
        description="Ask each endpoint and model once what a picture shows, before any other call "
        "with a picture is bought; stop if it does not see it.",
    )
    endpoints_file: Path | None = Field(
        None,
        description="YAML list of endpoints with their models, limits and the variables of their "
        "keys; empty means the one endpoint above for every model.",
    )
    max_retries: int = Field(
        5, ge=0, le=100, description="Retries of a teacher call that may succeed again."
    )
    budget_usd: float | None = Field(
        None, ge=0, description="Dollars this run may spend; it stops before the cap is crossed."
    )
    budget_calls: int | None = Field(
        None, ge=0, description="Teacher calls this run may make; it stops before one more."
    )
    batch_max_requests: int = Field(
        50_000, ge=1, description="Most requests in one batch that is sent to the teacher."
    )
    batch_max_mb: int = Field(
        200, ge=1, description="Most megabytes of one batch; images count as base64."
    )
    batch_poll_s: float = Field(
        60.0, gt=0, description="Seconds between two looks at batches that are waited for."
    )
    batch_url: str = Field(
        "/v1/chat/completions",
        description="Address that lines of a batch name; Azure wants `/chat/completions`.",
    )
    prices_file: Path | None = Field(
        None, description="YAML of prices per model; empty means the table that comes along."
    )

    pool: Literal["ray", "local"] = Field(
        "ray", description="Where workers run: `ray`, or `local` for threads of this process."
    )
    ray_address: str | None = Field(
        None,
        validation_alias=_also("RAY_ADDRESS", "RAY_ADDRESS"),
        description="Ray cluster, `ray://host:10001` or `host:6379`; empty starts a Ray on this "
        "machine for the run.",
    )
    ray_auth_mode: Literal["token", "disabled"] = Field(
        "token",
        validation_alias=_also("RAY_AUTH_MODE", "RAY_AUTH_MODE"),
        description="Must be the same on the cluster and here. The token is Ray's own: "
        "`RAY_AUTH_TOKEN`, `RAY_AUTH_TOKEN_PATH` or `~/.ray/auth_token`.",
    )
    ray_ships_code: bool = Field(
        default=True, description="Send this project's packages to the machines of a cluster."
    )
    object_store_mb: int = Field(
        100, ge=80, description="Memory for batches in flight on a Ray of this machine, in MB."
    )
    workers: int = Field(1, ge=1, le=4096, description="Workers per model.")
    num_cpus: float = Field(
        1.0, gt=0, description="Cores one worker may use; also its number of compute threads."
    )
    num_gpus: float = Field(
        0.0, ge=0, description="GPUs one worker reserves; fractions let workers share one."
    )
    shares_decode: bool = Field(
        default=False,
        description="Compute depth and segments of a part in one pass over its pictures; one "
        "worker holds both networks.",
    )
    max_restarts: int = Field(
        6, ge=0, description="Deaths in a row that a worker may have before the step stops."
    )
    batch_timeout_s: float = Field(
        900.0, gt=0, description="A batch that takes longer is treated as a death of its worker."
    )
    max_parts_in_flight: int = Field(
        4, ge=1, description="Parts worked on at once; each is one Prefect task run."
    )

    prefect_api_url: str | None = Field(
        None,
        validation_alias=_also("PREFECT_API_URL", "PREFECT_API_URL"),
        description="Prefect API, such as `http://127.0.0.1:4200/api`; empty starts a server for "
        "the run.",
    )
    prefect_profiles: Path = Field(
        Path("~/.prefect/profiles.toml"),
        validation_alias=_also("PREFECT_PROFILES", "PREFECT_PROFILES_PATH"),
        description="Prefect's own configuration, whose active profile names the API if the "
        "variable does not.",
    )
    prefect_home: Path | None = Field(
        None, description="Folder of the local Prefect history; empty means `prefect` in state_dir."
    )
    prefect_port: int = Field(
        4200, ge=0, le=65535, description="Preferred port of a local Prefect server; 0 means any."
    )
    prefect_start_timeout_s: float = Field(
        120.0, gt=0, description="Longest wait for a local Prefect server, in seconds."
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "WARNING", description="Least level of log lines in the terminal."
    )
    progress_every_s: float = Field(
        10.0, gt=0, description="Seconds between progress lines where output is not a terminal."
    )
    offline: bool = Field(
        default=False,
        validation_alias=_also("OFFLINE", "HF_HUB_OFFLINE"),
        description="Never ask a model hub.",
    )
    test_data: Path | None = Field(None, description="Folder of real data for the test suite.")

    @field_validator("lake", "ledger_lake")
    @classmethod
    def _lake_has_known_scheme(cls, value: str | None) -> str | None:
        scheme, separator, _ = (value or "").partition("://")
        if separator and scheme not in {"s3", "file"}:
            msg = "expected a folder or s3://bucket/prefix"
            raise ValueError(msg)
        return value

    @field_validator("s3_endpoint_url", "teacher_base_url", "prefect_api_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            msg = "expected a URL that starts with http:// or https://"
            raise ValueError(msg)
        return value

    @property
    def is_s3(self) -> bool:
        """Tell whether the lake is in a bucket."""
        return self.lake.startswith("s3://")

    @property
    def storage(self) -> StorageOptions:
        """Return how to reach the lake."""
        return StorageOptions(
            endpoint_url=self.s3_endpoint_url,
            region=self.s3_region,
            access_key=_plain(self.s3_access_key),
            secret_key=_plain(self.s3_secret_key),
            session_token=_plain(self.s3_session_token),
            allow_http=(self.s3_endpoint_url or "").startswith("http://"),
        )

    @property
    def placement(self) -> Placement:
        """Return where and how fast workers run."""
        return Placement(
            workers=self.workers,
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus,
            max_restarts=self.max_restarts,
            batch_timeout_s=self.batch_timeout_s,
        )

    @cached_property
    def spool_path(self) -> Path:
        """Return the folder for responses not yet committed; the ledger parts it by lake."""
        return (self.spool_dir or self.state_dir / "spool").expanduser().absolute()

    @cached_property
    def prefect_path(self) -> Path:
        """Return the folder of the local Prefect history."""
        return (self.prefect_home or self.state_dir / "prefect").expanduser().absolute()

    @property
    def configured_api_url(self) -> str | None:
        """Return the Prefect API that the user chose, by variable or by Prefect profile."""
        if self.prefect_api_url is not None:
            return self.prefect_api_url
        try:
            profiles = tomllib.loads(self.prefect_profiles.expanduser().read_text())
            active = profiles["profiles"][profiles["active"]]
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError):
            return None
        url = active.get("PREFECT_API_URL")
        return None if url is None else str(url)

    @property
    def default_endpoint(self) -> Endpoint:
        """Return the one endpoint that these settings name, for every model."""
        return Endpoint(
            name=DEFAULT_NAME,
            base_url=self.teacher_base_url or OPENAI_URL,
            api_key=_plain(self.teacher_api_key),
            max_in_flight=self.teacher_concurrency,
            requests_per_minute=self.teacher_requests_per_minute,
            tokens_per_minute=self.teacher_tokens_per_minute,
            timeout_s=self.teacher_timeout_s,
        )

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints of the file, or the one that these settings name.

        Raises:
            UsageError: the file cannot be used, or the variable of a key is not set.
        """
        if self.endpoints_file is None:
            return (self.default_endpoint,)
        return read_endpoints(self.endpoints_file, _variable_value, self.default_endpoint)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return every secret value, for the filter that keeps them out of logs."""
        values = [_plain(v) for v in dict(self).values() if isinstance(v, SecretStr)]
        values += [endpoint.api_key for endpoint in self.endpoints]
        return tuple(dict.fromkeys(value for value in values if value))


def load_settings(**overrides: Any) -> Settings:
    """Return the settings; an override that is null leaves its value to the environment.

    Raises:
        UsageError: a value is not of its kind, or an override or a `SIGHTLINE_*` variable names
            no setting.
    """
    unknown = sorted(set(overrides) - set(Settings.model_fields))
    if unknown:
        msg = f"unknown settings {unknown}; known are {sorted(Settings.model_fields)}"
        raise UsageError(msg)
    _check_variables(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as exc:
        raise UsageError(_explain(exc, given)) from None
    except SettingsError as exc:
        msg = f"the settings could not be read: {exc}"
        raise UsageError(msg) from None


def process_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that child processes and workers need; holds no secret but S3's.

    A worker reads weights from the bucket, so the S3 keys travel with it.
    """
    return (
        {
            "RAY_AUTH_MODE": settings.ray_auth_mode,
            "DO_NOT_TRACK": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        | _s3_environment(settings)
        | ({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if settings.offline else {})
    )


def prefect_environment(settings: Settings, api_url: str) -> dict[str, str]:
    """Return the variables that make a process use the Prefect API at `api_url`."""
    return {
        "PREFECT_API_URL": api_url,
        "PREFECT_HOME": str(settings.prefect_path),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks,infra",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": _console_level(settings.log_level),
    }


def _console_level(log_level: str) -> str:
    """Return what Prefect prints; a failed build says why, its page holds the tracebacks."""
    return log_level if log_level in {"DEBUG", "INFO"} else "CRITICAL"


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process' environment with `variables` on top, for a child process."""
    return dict(os.environ) | dict(variables)


def set_environment(variables: Mapping[str, str]) -> None:
    """Set variables of this process; call it before the library that reads them is imported."""
    os.environ.update(variables)


def _check_variables(environment: Mapping[str, str]) -> None:
    """Refuse misspelt variables, which would otherwise leave a limit or a budget at its default."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    own = (name for name in environment if name.startswith(PREFIX))
    unknown = sorted(name for name in own if name not in known and TEST_PREFIX not in name)
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        msg = f"unknown variable {unknown[0]}; {hint}"
        raise UsageError(msg)


def _s3_environment(settings: Settings) -> dict[str, str]:
    values = {
        "AWS_ENDPOINT_URL": settings.s3_endpoint_url,
        "AWS_REGION": settings.s3_region,
        "AWS_ACCESS_KEY_ID": _plain(settings.s3_access_key),
        "AWS_SECRET_ACCESS_KEY": _plain(settings.s3_secret_key),
        "AWS_SESSION_TOKEN": _plain(settings.s3_session_token),
    }
    given = {name: value for name, value in values.items() if value is not None}
    return given | S3_CHECKSUMS if given or settings.is_s3 else {}


def _variable_value(name: str) -> str | None:
    """Return a variable that a file names, from the environment or from `.env`."""
    return os.environ.get(name) or dotenv_values(".env").get(name)


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _explain(error: ValidationError, given: Mapping[str, Any]) -> str:
    """Name the variable, what was expected and what was found; a secret's value is never told."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        name = _field_name(str(problem["loc"][0]))
        source = f"setting {name}" if name in given else _variable(name)
        expected = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{source}: {expected}; found {_found(name, given)}")
    return "; ".join(lines)


def _field_name(location: str) -> str:
    """Return the field that an error's location, an alias or a field name, stands for."""
    for name, declared in Settings.model_fields.items():
        alias = declared.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else []
        if location in {name, name.upper(), *map(str, choices)}:
            return name
    return location.lower().removeprefix(PREFIX.lower())


def _variable(name: str) -> str:
    """Return the variable that gave `name` its value, or the one that would."""
    declared = Settings.model_fields.get(name)
    alias = declared.validation_alias if declared else None
    choices = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
    names = [PREFIX + name.upper(), *choices]
    return next((choice for choice in names if os.environ.get(choice)), names[0])


def _found(name: str, given: Mapping[str, Any]) -> str:
    declared = Settings.model_fields.get(name)
    if declared is not None and "SecretStr" in str(declared.annotation):
        return "a value that is not shown"
    return repr(given[name] if name in given else os.environ.get(_variable(name), "(in .env)"))
