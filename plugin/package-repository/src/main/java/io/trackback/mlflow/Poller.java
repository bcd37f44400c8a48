package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** Finds the promotion that GoCD does not know yet. It remembers nothing: GoCD sends back what was seen. */
final class Poller {
    private final Mlflow mlflow;
    private final String uiUrl;
    private final Watch watch;

    Poller(Mlflow mlflow, String uiUrl, Watch watch) {
        this.mlflow = mlflow;
        this.uiUrl = uiUrl;
        this.watch = watch;
    }

    /** The first poll: the newest promotion; all others count as seen. */
    Revision latest() {
        List<Event> present = watch.promotions(mlflow);
        Event newest = Event.newest(present).orElseThrow(() -> new Refusal(watch.nothingPromoted()));
        return revision(1, newest, Seen.of(present));
    }

    /** The oldest promotion that was not seen; the others follow in later polls, so that none is lost. */
    Optional<Revision> since(PreviousRevision previous) {
        if (previous == null) {
            throw new Refusal("expected the previous revision in GoCD's message, found none:"
                    + " report it with GoCD's version");
        }
        Seen seen = previous.seen();
        int number = previous.number() + 1;
        List<Event> present = watch.promotions(mlflow);
        return present.stream()
                .filter(event -> !seen.has(event))
                .min(Event.OLDEST_FIRST)
                .map(event -> revision(number, event, watch.seen(seen, event, present)));
    }

    private Revision revision(int number, Event event, Seen seen) {
        LoggedModel model = watch.model(mlflow, event).orElse(LoggedModel.NONE);
        return Revision.of(number, event, model, watch, uiUrl, seen);
    }
}
