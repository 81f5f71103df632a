"""`trainer evaluate`."""


def command() -> None:
    """Later."""
