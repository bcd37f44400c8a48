"""The one error a person is meant to read: what was expected, what was found, what to do."""


class Refused(Exception):
    """A request, file or state that cannot be accepted; its text is one line for a person."""


class Undecided(Refused):
    """Nothing was found out, so it says nothing of the model: the machine was busy or lacks something."""


class LiveChanged(Refused):
    """Another release is live than the one that the request was decided by."""


class Unavailable(Refused):
    """A service cannot be reached, or does not answer us: nothing is known of what it was asked about."""
