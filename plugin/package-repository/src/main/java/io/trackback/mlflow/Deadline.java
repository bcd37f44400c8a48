package io.trackback.mlflow;

import java.time.Duration;

/** The end of a call: `limit` after its start, and as a value of System.nanoTime(). */
record Deadline(Duration limit, long end) {

    static Deadline in(Duration limit) {
        return new Deadline(limit, System.nanoTime() + limit.toNanos());
    }

    long nanosLeft() {
        return end - System.nanoTime();
    }
}
