package io.trackback.mlflow;

import java.time.Instant;

/** MLflow's times: milliseconds since 1970, any value of a long. Limited to the years 1970 to 9999. */
final class MlflowTime {
    // GoCD refuses a year of five digits.
    private static final long END_OF_YEAR_9999 = 253_402_300_799_999L;

    private MlflowTime() {}

    static Instant of(long milliseconds) {
        return Instant.ofEpochMilli(Math.max(0, Math.min(milliseconds, END_OF_YEAR_9999)));
    }
}
