package io.trackback.host;

/** A jar that GoCD would refuse to load as a plugin. */
final class InvalidPlugin extends Exception {
    private static final long serialVersionUID = 1L;

    InvalidPlugin(String reason) {
        super(reason);
    }
}
