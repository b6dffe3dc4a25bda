"""The one error of this package."""


class ComponentError(RuntimeError):
    """A real component could not be installed or started; the message says what to do."""
