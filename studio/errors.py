"""The only file that names what a user can be told went wrong.

CrucibleError                 base of all; str(e) is one sentence that says what to do
├── UserError                 exit code 2: something to change, then start again
│   ├── SpecError             a setting is missing, unknown or out of its bounds
│   ├── DataError             the dataset cannot be used as it is
│   │   └── Unreadable        a file that is no picture, or a damaged one (in data/image.py)
│   ├── ModelError            the base model or a file to load is not what was expected
│   └── StoreError            a run or experiment folder cannot be opened or written
└── TrainingError             exit code 1: the run stopped; the last good checkpoint stands
    ├── NonFiniteError        loss or weights became NaN or infinite
    └── OutOfMemoryError      the device has no room for the step
"""


class CrucibleError(Exception):
    """Base of every error whose text is meant for the user: one sentence, with what to do."""

    exit_code = 1


class UserError(CrucibleError):
    """The user can mend this; nothing was lost."""

    exit_code = 2


class SpecError(UserError):
    """A setting is missing, unknown or out of its bounds."""


class DataError(UserError):
    """The dataset cannot be used as it is."""


class ModelError(UserError):
    """The base model, or a file to load, is not what was expected."""


class StoreError(UserError):
    """A run or experiment folder cannot be opened or written."""


class TrainingError(CrucibleError):
    """The run stopped by itself; the last good checkpoint stands."""


class NonFiniteError(TrainingError):
    """Loss or weights became NaN or infinite."""


class OutOfMemoryError(TrainingError):
    """The device has no room for the step."""
