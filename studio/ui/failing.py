"""The only file that says of an error, in a sentence for the page, how work behind it came to a bad end."""

from studio.errors import CrucibleError


def sentence(error: Exception) -> str:
    """The error's own sentence where it has one for people, else that the fault is the program's, and which."""
    if isinstance(error, CrucibleError):
        return str(error)
    return f"It ended by an error of ours ({type(error).__name__}: {error})."
