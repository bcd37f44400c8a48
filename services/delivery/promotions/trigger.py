"""Asks GoCD to poll a package now, after a promotion."""

from services.contract.errors import Refused
from services.delivery.output import say
from services.delivery.settings import Settings
from services.gocd.asking import until_taken
from services.gocd.client import GoCD


def ask_for_poll(settings: Settings, package: str) -> bool:
    """Whether GoCD took the request. The tag is what promotes, so failing to hurry it is a note and no failure."""
    try:
        with GoCD(settings.gocd_url, settings.gocd_access_token) as gocd:
            if not (material := gocd.package_material(package)):
                problem = f"no pipeline waits for the package '{package}'"
            elif until_taken(lambda: gocd.trigger_update(material["config"]["fingerprint"])):
                return True
            else:
                problem = "a poll was under way all the time"
    except Refused as refused:
        problem = str(refused)
    say(f"note: GoCD was not asked to look at once and will see the tag when it polls ({problem})")
    return False
