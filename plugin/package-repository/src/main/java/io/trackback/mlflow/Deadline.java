package io.trackback.mlflow;

import java.time.Duration;

/** When a call has to be over, and how long it had from its start. */
record Deadline(Duration limit, long end) {

    static Deadline in(Duration limit) {
        return new Deadline(limit, System.nanoTime() + limit.toNanos());
    }

    long nanosLeft() {
        return end - System.nanoTime();
    }
}
