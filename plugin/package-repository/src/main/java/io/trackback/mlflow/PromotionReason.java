package io.trackback.mlflow;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Decides whether the tag `<TAG>.reason` of a run belongs to the present value of its promoting tag. */
final class PromotionReason {
    private static final Pattern WRITTEN_FOR = Pattern.compile("([1-9][0-9]{0,8}) ([0-9a-f]{12})");

    private PromotionReason() {}

    /**
     * The text, or empty when `trackback promote` wrote it for another value. `writtenFor` is the tag that it writes
     * beside the text, `<sequence> <digest of the text>`; a text without a matching digest was set by hand and counts.
     */
    static String of(String value, String text, String writtenFor) {
        Matcher mark = WRITTEN_FOR.matcher(writtenFor);
        if (!mark.matches() || !mark.group(2).equals(Promotion.shortDigest(text))) {
            return text;
        }
        Optional<String> sequence = TagValue.parse(value).map(written -> String.valueOf(written.sequence()));
        return sequence.filter(mark.group(1)::equals).isPresent() ? text : "";
    }
}
