package io.trackback.mlflow;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The newest revision that GoCD has stored, with the data that the plugin reported with it. */
record PreviousRevision(String revision, Map<String, String> data) {
    private static final Pattern NUMBERED = Pattern.compile("([1-9][0-9]{0,8})-.*");

    PreviousRevision {
        revision = Json.orEmpty(revision);
        data = Json.orEmpty(data);
    }

    int number() {
        Matcher numbered = NUMBERED.matcher(revision);
        if (!numbered.matches()) {
            throw new RefusedException("expected a previous revision such as 7-0123abcd, found '"
                    + SafeText.text(revision) + "': create the package anew");
        }
        return Integer.parseInt(numbered.group(1));
    }

    SeenPromotions seen() {
        String seen = data.get("SEEN");
        // Without SEEN every old promotion would be reported again.
        if (seen == null || seen.isBlank()) {
            throw new RefusedException("expected SEEN in the data of revision '" + SafeText.text(revision)
                    + "', found none: create the package anew");
        }
        return SeenPromotions.parse(seen);
    }
}
