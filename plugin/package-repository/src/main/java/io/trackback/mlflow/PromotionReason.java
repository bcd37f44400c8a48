package io.trackback.mlflow;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The reason of a promotion, which stays on the run when somebody sets the promoting tag anew by hand. */
final class PromotionReason {
    private static final Pattern WRITTEN_FOR = Pattern.compile("([1-9][0-9]{0,8}) ([0-9a-f]{12})");

    private PromotionReason() {}

    /** Empty when `trackback promote` wrote the text for another value, which `writtenFor` tells:
     * `<sequence> <digest of the text>`. A text that it did not write belongs to the value that is there. */
    static String of(String value, String text, String writtenFor) {
        Matcher mark = WRITTEN_FOR.matcher(writtenFor);
        if (!mark.matches() || !mark.group(2).equals(Promotion.shortDigest(text))) {
            return text;
        }
        Optional<String> sequence = TagValue.parse(value).map(written -> String.valueOf(written.sequence()));
        return sequence.filter(mark.group(1)::equals).isPresent() ? text : "";
    }
}
