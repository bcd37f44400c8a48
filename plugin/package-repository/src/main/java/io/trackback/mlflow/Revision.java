package io.trackback.mlflow;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.TreeMap;

/** One promotion as a package revision of GoCD, in the JSON names of GoCD's API. */
record Revision(
        String revision,
        String timestamp,
        String user,
        String revisionComment,
        String trackbackUrl,
        Map<String, String> data) {
    private static final DateTimeFormatter TIMESTAMP =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    static Revision of(
            int number,
            Promotion promotion,
            LoggedModel model,
            PromotionSource source,
            String uiUrl,
            SeenPromotions seen) {
        Run run = promotion.run();
        return new Revision(
                number + "-" + run.shortId(),
                timestamp(promotion.at()),
                SafeText.user(promotion.who()),
                comment(promotion, source),
                uiUrl + "/#/experiments/" + run.experimentId() + "/runs/" + run.id(),
                data(promotion, model, source.model(), seen));
    }

    private static String timestamp(Instant at) {
        return TIMESTAMP.format(at);
    }

    private static String comment(Promotion promotion, PromotionSource source) {
        Run run = promotion.run();
        String reason = promotion.reason().isBlank() ? "" : ": " + promotion.reason();
        return SafeText.text(
                source.model() + ": run " + run.name() + " (" + run.shortId() + ") " + source.describe(promotion)
                        + reason);
    }

    private static Map<String, String> data(Promotion promotion, LoggedModel model, String name, SeenPromotions seen) {
        Run run = promotion.run();
        Map<String, String> data = new TreeMap<>();
        data.put("MODEL", name);
        data.put("RUN_ID", run.id());
        data.put("RUN_NAME", run.name());
        data.put("RUN_STATUS", run.status());
        data.put("EXPERIMENT_ID", run.experimentId());
        data.put("MODEL_ID", model.id());
        data.put("MODEL_URI", model.uri());
        data.put("ARTIFACT_URI", model.artifactUri());
        data.put("PROMOTION", promotion.value());
        data.put("PROMOTED_BY", SafeText.user(promotion.who()));
        data.put("REASON", promotion.reason());
        data.put("SEQUENCE", promotion.sequence());
        data.replaceAll((key, value) -> SafeText.text(value));
        // Not shortened: it holds digests only, and a part of them would report old promotions again.
        data.put("SEEN", seen.text());
        return data;
    }
}
