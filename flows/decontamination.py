"""`sightline decontaminate`: run its flow against a Prefect API and say what came of it.

The Prefect environment is set before Prefect is imported, because Prefect reads it once.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from flows.benchmarks import Against, open_source, stored_benchmarks
from flows.inspection import text_table
from flows.lakes import open_lake_of
from flows.running import opened_flow
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.settings import load_settings, process_environment, set_environment
from infra.telemetry import configure_logging
from sightline.errors import UsageError
from tasks.decontaminate.rules import BY_DEFAULT, RULE_DOCS, VALUES, Rule, rule_book
from tasks.decontaminate.work import READ

if TYPE_CHECKING:
    from flows.decontaminate import DecontaminateSummary


@dataclass(frozen=True, slots=True)
class Command:
    """The options of the command; `Against` and `tasks.decontaminate.rules` say what they mean."""

    path: str | None
    name: str | None
    version: str | None
    dataset: str | None
    text_columns: tuple[str, ...]
    image_columns: tuple[str, ...]
    images: str | None
    rules: tuple[str, ...]
    decisions: tuple[str, ...]
    template_share: float

    def against(self) -> Against | None:
        """Return the benchmark, null for those that the lake knows.

        Raises:
            UsageError: options say something of a benchmark that is not named, or rules are given
                for benchmarks that have theirs.
        """
        named = {"name", "version", "dataset", "text_columns", "image_columns", "images"}
        given = {name: value for name, value in asdict(self).items() if name in named}
        if self.path is not None:
            return Against(self.path, **given)
        said = sorted(name for name, value in given.items() if value)
        if said or self.rules or self.decisions:
            msg = "expected --against PATH with these options; without it the lake's benchmarks "
            msg += "are compared again under their own rules"
            raise UsageError(msg)
        return None


def rules_text() -> str:
    """Return every rule with its default, for people."""
    shown = {rule: f"{rule}={VALUES[rule]:g}" if rule in VALUES else rule.value for rule in Rule}
    width = max(map(len, shown.values()))
    rows = [
        f"{shown[rule]:{width}}  {BY_DEFAULT.get(rule, 'off'):6}  {RULE_DOCS[rule]}"
        for rule in Rule
    ]
    return "\n".join([f"{'rule':{width}}  {'':6}  matches if", *rows])


def run_decontaminate(command: Command, lake: str | None) -> str:
    """Compare, and return the outcome with a table of matches.

    Raises:
        UsageError: the benchmark or an option is not usable; nothing was started.
        CompareFailedError: some parts failed; the others are committed.
    """
    settings = load_settings(lake=lake)
    against = command.against()
    rule_book(command.rules, command.decisions, command.template_share)
    if against is not None:
        open_source(settings.storage, against)
    elif not stored_benchmarks(open_lake_of(settings)):
        msg = f"the lake {settings.lake} knows no benchmark yet; name one with --against"
        raise UsageError(msg)
    configure_logging(settings)
    set_environment(process_environment(settings))
    given = {
        "lake": settings.lake,
        "against": against,
        "rules": list(command.rules),
        "decisions": list(command.decisions),
        "template_share": command.template_share,
    }
    with opened_flow(settings, "decontaminate") as flow:
        summary: DecontaminateSummary = flow.run(given)
    with Catalog(Lake(settings.lake, settings.storage)) as catalog:
        table = text_table(catalog.run_query("contamination_summary"))
    return f"{table}\n{summary.text()}\n{_next(settings.lake, summary)}"


def _next(lake: str, summary: "DecontaminateSummary") -> str:
    """Return what a person may do now."""
    lines = ["Next:"]
    if summary.unread:
        unread = f"from failures where step = '{READ.name}'"
        lines.append(f'  sightline sql --lake {lake} "{unread}"')
    if summary.dropped or summary.under_review:
        lines.append(f"  sightline sql --lake {lake} -f sql/queries/contamination_review.sql")
    lines.append(f"  sightline certificate --lake {lake} --out certificate.md")
    return "\n".join(lines)
