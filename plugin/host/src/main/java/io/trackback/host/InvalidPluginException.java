package io.trackback.host;

/** A jar that GoCD would refuse to load as a plugin. */
final class InvalidPluginException extends Exception {
    private static final long serialVersionUID = 1L;

    InvalidPluginException(String reason) {
        super(reason);
    }
}
