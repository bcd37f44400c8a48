package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** Finds the next promotion to report. Keeps no state: GoCD sends back the data of the previous revision. */
final class Poller {
    private final Mlflow mlflow;
    private final String uiUrl;
    private final PromotionSource source;

    Poller(Mlflow mlflow, String uiUrl, PromotionSource source) {
        this.mlflow = mlflow;
        this.uiUrl = uiUrl;
        this.source = source;
    }

    /** The first poll: the newest promotion; all others count as seen. Raises RefusedException when there is none. */
    Revision latest() {
        List<Promotion> present = source.promotions(mlflow);
        Promotion newest = Promotion.newest(present).orElseThrow(() -> new RefusedException(source.nothingPromoted()));
        return revision(1, newest, SeenPromotions.of(present));
    }

    /** The oldest promotion that is not seen, one a poll; empty when there is none. */
    Optional<Revision> since(PreviousRevision previous) {
        if (previous == null) {
            throw new RefusedException("expected the previous revision in GoCD's message, found none:"
                    + " report it with GoCD's version");
        }
        SeenPromotions seen = previous.seen();
        int number = previous.number() + 1;
        List<Promotion> present = source.promotions(mlflow);
        return present.stream()
                .filter(promotion -> !seen.has(promotion))
                .min(Promotion.OLDEST_FIRST)
                .map(promotion -> revision(number, promotion, source.seenAfter(seen, promotion, present)));
    }

    private Revision revision(int number, Promotion promotion, SeenPromotions seen) {
        LoggedModel model = source.model(mlflow, promotion).orElse(LoggedModel.NONE);
        return Revision.of(number, promotion, model, source, uiUrl, seen);
    }
}
