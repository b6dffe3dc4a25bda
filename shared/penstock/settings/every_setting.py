"""Every setting of every program, in the order of the pages."""

from typing import Final

from penstock.settings.connector_table import CONNECTOR_SETTINGS
from penstock.settings.table import FUNCTION_SETTINGS

SETTINGS: Final = (*FUNCTION_SETTINGS, *CONNECTOR_SETTINGS)
