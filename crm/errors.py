"""The errors a user may read. Anything else is logged with an id and shown as that id only."""


class ClienteleError(Exception):
    """A refusal in words: what was found, and what to do about it.

    `message` names the facts, `hint` the next step. Both are shown as they are, on a page as on the
    command line, so neither holds a traceback, a path of the server or somebody's personal data.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


class UnreadableFile(ClienteleError):
    """A file is empty, not a table, or lacks what its kind needs."""


class MissingColumns(ClienteleError):
    """A mapping leaves a required field without a column."""


class InvalidValue(ClienteleError):
    """A value given by the user cannot be used: a rate, a date, a rule, an option."""


class NotEnoughData(ClienteleError):
    """The stored data cannot carry the question asked of them."""


class NotFound(ClienteleError):
    """The thing asked for does not exist, or no longer."""


class StaleRecord(ClienteleError):
    """Somebody else changed the record since it was opened."""


class Conflict(ClienteleError):
    """The act would break something that came later, or is under way already."""


class NotConnected(ClienteleError):
    """A database could not be connected to; the words are the same whatever the reason, see `crm.imports.network`."""


class UnsafeSetting(ClienteleError):
    """A setting would make the service unsafe or unusable."""
