package io.trackback.mlflow;

import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.Optional;
import java.util.regex.Pattern;

/** Checks a configured address of MLflow without resolving its host name. */
final class MlflowUrl {
    private static final Pattern LITERAL = Pattern.compile("[0-9]{1,10}(\\.[0-9]{1,10}){0,3}|\\[[0-9A-Fa-f:.]+]");

    private MlflowUrl() {}

    /** What was found instead of an address, without the text, which may hold a password; empty for a valid one. */
    static Optional<String> problem(String text) {
        try {
            return text.isEmpty() ? Optional.of("none") : problem(URI.create(text));
        } catch (IllegalArgumentException notAnAddress) {
            return Optional.of("something else");
        }
    }

    private static Optional<String> problem(URI uri) {
        if (!"http".equalsIgnoreCase(uri.getScheme()) && !"https".equalsIgnoreCase(uri.getScheme())) {
            return Optional.of("one that begins with neither http:// nor https://");
        }
        if (uri.getRawAuthority() != null && uri.getRawAuthority().contains("@")) {
            return Optional.of("a user name in it, which belongs into " + RepositoryConfig.USERNAME);
        }
        if (uri.getHost() == null) {
            return Optional.of("no host name of letters, digits, '.' and '-'");
        }
        if (uri.getRawQuery() != null || uri.getRawFragment() != null) {
            return Optional.of("a query or fragment in it");
        }
        return isLinkLocal(uri.getHost()) ? Optional.of("a link-local address") : Optional.empty();
    }

    private static boolean isLinkLocal(String host) {
        try {
            String withoutZone = host.replaceFirst("%.*]$", "]");
            return LITERAL.matcher(withoutZone).matches()
                    && InetAddress.getByName(withoutZone).isLinkLocalAddress();
        } catch (UnknownHostException noAddress) {
            return false;
        }
    }
}
