package io.trackback.mlflow;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.TreeMap;

/** What GoCD records of one promotion, in GoCD's words. */
record Revision(
        String revision,
        String timestamp,
        String user,
        String revisionComment,
        String trackbackUrl,
        Map<String, String> data) {
    private static final DateTimeFormatter TIMESTAMP =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    static Revision of(int number, Event event, LoggedModel model, Watch watch, String uiUrl, Seen seen) {
        Run run = event.run();
        return new Revision(
                number + "-" + run.shortId(),
                timestamp(event.at()),
                Plain.user(event.who()),
                comment(event, watch),
                uiUrl + "/#/experiments/" + run.experimentId() + "/runs/" + run.id(),
                data(event, model, watch.model(), seen));
    }

    private static String timestamp(Instant at) {
        return TIMESTAMP.format(at);
    }

    private static String comment(Event event, Watch watch) {
        Run run = event.run();
        String reason = event.reason().isBlank() ? "" : ": " + event.reason();
        return Plain.text(
                watch.model() + ": run " + run.name() + " (" + run.shortId() + ") " + watch.how(event) + reason);
    }

    private static Map<String, String> data(Event event, LoggedModel model, String name, Seen seen) {
        Run run = event.run();
        Map<String, String> data = new TreeMap<>();
        data.put("MODEL", name);
        data.put("RUN_ID", run.id());
        data.put("RUN_NAME", run.name());
        data.put("RUN_STATUS", run.status());
        data.put("EXPERIMENT_ID", run.experimentId());
        data.put("MODEL_ID", model.id());
        data.put("MODEL_URI", model.uri());
        data.put("ARTIFACT_URI", model.artifactUri());
        data.put("PROMOTION", event.value());
        data.put("PROMOTED_BY", Plain.user(event.who()));
        data.put("REASON", event.reason());
        data.put("SEQUENCE", event.sequence());
        data.replaceAll((key, value) -> Plain.text(value));
        // It holds our own digests only and must stay whole.
        data.put("SEEN", seen.text());
        return data;
    }
}
