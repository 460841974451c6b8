"""How the project makes HTML: everything from outside is escaped, nothing may be missing.

Texts come from datasets, teachers and file names and are hostile until escaped: autoescape is on
for every template, an undefined name is an error, and control characters are replaced.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def page_environment(package: str, filters: Mapping[str, Callable[..., Any]]) -> Environment:
    """Return the environment of the templates in the folder `templates` of `package`.

    Args:
        package: dotted name.
        filters: further filters by name.
    """
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    environment.filters |= filters
    return environment


def _plain(value: Any) -> Any:
    """Return text without control characters, which HTML has no place for."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value
