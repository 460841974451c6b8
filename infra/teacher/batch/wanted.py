"""How an asker says that an answer is still to come.

It stands apart from who says it, so that code that walks chains needs neither lake nor ledger.
"""


class CallWantedError(Exception):
    """The call is not in the ledger yet; its chain goes on when it is."""
