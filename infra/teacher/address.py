"""An endpoint's address and key: what may be printed, what fits into a header, what is local.

Addresses may carry user, password and query, and keys must never reach a log, so both are checked
and cut down here, before any HTTP library sees them and could quote them in an error.
"""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from sightline.errors import UsageError


def printable_address(base_url: str) -> str:
    """Return scheme, host, port and path; user, password and query may be secrets.

    Raises:
        UsageError: it is no http(s) URL.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "expected the teacher's base URL in the form https://host/v1; check the settings"
        raise UsageError(msg)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def checked_key(api_key: str | None) -> str | None:
    """Return a key that fits into a header; errors of the HTTP stack would print one that does not.

    Raises:
        UsageError: it holds white space or characters beyond ASCII.
    """
    if api_key and not re.fullmatch(r"[\x21-\x7e]+", api_key):
        msg = "the teacher's key holds white space or characters beyond ASCII; check the settings"
        raise UsageError(msg)
    return api_key or None


def is_loopback(base_url: str) -> bool:
    """Return whether the endpoint is this machine, which no proxy of the environment can reach."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
