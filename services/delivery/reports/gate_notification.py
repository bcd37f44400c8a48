"""Posts a verdict that is no pass to TRACKBACK_NOTIFY_URL; a failed post is a note and changes no verdict."""

import threading
from datetime import UTC, datetime

from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.notification import Notification, NotificationKind, NotTaken, post
from services.contract.validation import Validation
from services.contract.verdict import Verdict, switched_off
from services.delivery.output import say
from services.delivery.reports.links import links
from services.delivery.settings import Settings

TRIES = 2
TRY_SECONDS = 3.0
LONGEST_SECONDS = 8.0


def notify_of_gate(
    settings: Settings, candidate: Candidate, judged: Validation | Comparison, summary: str, stage: str = ""
) -> None:
    """Only of a promotion that is stopped; returns after `LONGEST_SECONDS`, whatever the receiver does."""
    if judged.passes or not candidate.promoted or settings.notify_url is None:
        return
    off = switched_off(judged.checks)
    said = f"{summary}; {off}" if off else summary
    notify_of_step(settings, candidate, judged.verdict, said, stage or judged.stage)


def notify_of_step(settings: Settings, candidate: Candidate, verdict: Verdict, summary: str, stage: str) -> None:
    """That a rollout did not go on; returns as soon as `notify_of_gate` does."""
    if settings.notify_url is None:
        return
    notification = Notification(
        event=NotificationKind.GATE,
        model=candidate.promotion.model,
        revision=candidate.promotion.label,
        at=datetime.now(UTC),
        summary=summary,
        stage=stage,
        verdict=verdict,
        links=links(settings, candidate),
    )
    url = settings.notify_url.get_secret_value()
    # A receiver that answers a byte a second would otherwise hold the stage up.
    thread = threading.Thread(target=_send, args=(url, notification), name="notify", daemon=True)
    thread.start()
    thread.join(LONGEST_SECONDS)
    if thread.is_alive():
        say(f"note: nobody was notified: the receiver took more than {LONGEST_SECONDS:g} s")


def _send(url: str, notification: Notification) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            post(url, notification, TRY_SECONDS)
        except Refused as refused:
            if attempt == TRIES or isinstance(refused, NotTaken):
                say(f"note: nobody was notified: {refused}")
                return
        else:
            say("notified the receiver of TRACKBACK_NOTIFY_URL")
            return
