"""`trainer predict`."""


def command() -> None:
    """Later."""
