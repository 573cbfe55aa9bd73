"""The whole table, in the order in which the documentation shows it."""

from stackctl.compose.verdicts.container import CONTAINER
from stackctl.compose.verdicts.objects import OBJECTS
from stackctl.compose.verdicts.rules import Rule
from stackctl.compose.verdicts.services import SERVICES

RULES: tuple[Rule, ...] = (*CONTAINER, *SERVICES, *OBJECTS)
