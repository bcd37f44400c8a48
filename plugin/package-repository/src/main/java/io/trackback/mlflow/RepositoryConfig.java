package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The fields of a repository. `authorization` is the value of the HTTP header, empty without credentials. */
record RepositoryConfig(String url, String uiUrl, String authorization) {
    static final String URL = "MLFLOW_URL";
    static final String UI_URL = "MLFLOW_UI_URL";
    static final String USERNAME = "MLFLOW_USERNAME";
    static final String PASSWORD = "MLFLOW_PASSWORD";
    static final String TOKEN = "MLFLOW_TOKEN";

    static final Map<String, ConfigField> FIELDS = new TreeMap<>(Map.of(
            URL, ConfigField.required(0, "MLflow URL"),
            UI_URL, ConfigField.optional(1, "MLflow URL for browsers"),
            USERNAME, ConfigField.optional(2, "User name"),
            PASSWORD, ConfigField.secret(3, "Password"),
            TOKEN, ConfigField.secret(4, "Token")));

    private static final Pattern HEADER_TEXT = Pattern.compile("[!-~]*");
    private static final Pattern USER_NAME = Pattern.compile("[^:\\p{Cntrl}]*");

    /** Raises RefusedException for an invalid value, because GoCD does not ask plugins to validate its XML. */
    static RepositoryConfig of(Map<String, String> settings) {
        ValidationError.refuse(validate(settings));
        String url = withoutSlash(settings.get(URL));
        return new RepositoryConfig(url, withoutSlash(settings.getOrDefault(UI_URL, url)), authorization(settings));
    }

    static List<ValidationError> validate(Map<String, String> settings) {
        return Stream.concat(
                        Stream.of(
                                urlError(URL, settings.getOrDefault(URL, "")),
                                urlError(UI_URL, settings.getOrDefault(UI_URL, "http://same-as-above"))),
                        credentialErrors(settings))
                .flatMap(Optional::stream)
                .toList();
    }

    private static Stream<Optional<ValidationError>> credentialErrors(Map<String, String> settings) {
        String user = settings.getOrDefault(USERNAME, "");
        String token = settings.getOrDefault(TOKEN, "");
        boolean together = user.isEmpty() != settings.containsKey(PASSWORD);
        return Stream.of(
                ValidationError.unless(
                        together, USERNAME, "expected user name and password together, found only one of them"),
                ValidationError.unless(
                        USER_NAME.matcher(user).matches(), USERNAME, "expected a name without ':', found one"),
                ValidationError.unless(
                        token.isEmpty() || user.isEmpty(), TOKEN, "expected a token or a user name, found both"),
                ValidationError.unless(
                        HEADER_TEXT.matcher(token).matches(), TOKEN, "expected printable ASCII, found more"));
    }

    private static Optional<ValidationError> urlError(String key, String address) {
        return MlflowUrl.problem(address)
                .map(found ->
                        new ValidationError(key, "expected an address such as http://mlflow:5000, found " + found));
    }

    private static String authorization(Map<String, String> settings) {
        if (settings.containsKey(TOKEN)) {
            return "Bearer " + settings.get(TOKEN);
        }
        if (settings.containsKey(USERNAME)) {
            String pair = settings.get(USERNAME) + ":" + settings.get(PASSWORD);
            return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(UTF_8));
        }
        return "";
    }

    private static String withoutSlash(String url) {
        return url.replaceAll("/+$", "");
    }
}
