"""What a flow run logs in the Prefect UI: this project's own INFO lines, and never a secret.

Prefect's setting `logging.extra_loggers` (prefect.toml) gives the loggers named there its handler
but no level, so they would stay at the root's WARNING.  And it sets up handlers of its own in every
process, those of a worker's flow runs too, so what keeps secrets out must come after it: call
`open_logs` first thing in a flow.
"""

import logging

from infra.settings import Settings
from infra.telemetry import configure_logging

PACKAGES = ("flows", "tasks", "infra")
TOLD_ELSEWHERE = ("infra.lake.lake",)
"""Logs a line per commit, three in a part; the line of the part itself has the counts."""


def open_logs(settings: Settings) -> None:
    """Let this project's INFO lines reach the run's page, and filter secrets everywhere."""
    configure_logging(settings)
    for package in PACKAGES:
        logging.getLogger(package).setLevel(logging.INFO)
    for name in TOLD_ELSEWHERE:
        logging.getLogger(name).setLevel(logging.WARNING)
