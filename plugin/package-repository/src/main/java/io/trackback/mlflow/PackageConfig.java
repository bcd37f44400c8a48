package io.trackback.mlflow;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The fields of a package: an experiment and a tag, or a registered model and an alias. */
final class PackageConfig {
    static final String EXPERIMENT = "EXPERIMENT";
    static final String TAG = "TAG";
    static final String REGISTERED_MODEL = "REGISTERED_MODEL";
    static final String ALIAS = "ALIAS";
    static final String MODEL_NAME = "MODEL_NAME";
    static final String DEFAULT_TAG = "promote";
    static final String DEFAULT_MODEL_NAME = "model";

    static final Map<String, ConfigField> FIELDS = new TreeMap<>(Map.of(
            EXPERIMENT, ConfigField.identity(0, "Experiment (or registered model and alias)"),
            TAG, ConfigField.identity(1, "Tag that promotes a run", DEFAULT_TAG),
            REGISTERED_MODEL, ConfigField.identity(2, "Registered model (in place of an experiment)"),
            ALIAS, ConfigField.identity(3, "Alias that promotes a version"),
            MODEL_NAME, ConfigField.identity(4, "Name of the logged model", DEFAULT_MODEL_NAME)));

    private static final Pattern ANY_NAME = Pattern.compile("[^\\p{Cntrl}]{1,500}");
    // TAG and MODEL_NAME are quoted in MLflow's search filters, so they may hold no quotes.
    private static final Pattern TAG_KEY = Pattern.compile("[A-Za-z0-9_./: -]{1,200}");
    private static final Pattern LOGGED_MODEL_NAME = Pattern.compile("[^/:.%\"'`\\\\\\p{Cntrl}]{1,200}");
    private static final Pattern REGISTERED_NAME = Pattern.compile("[^/:\\p{Cntrl}]{1,250}");
    // MLflow reserves v1, v2, …
    private static final Pattern ALIAS_NAME = Pattern.compile("(?!(?i:v)[0-9]+$)[A-Za-z0-9_-]{1,250}");

    private PackageConfig() {}

    static PromotionSource source(Map<String, String> settings) {
        ValidationError.refuse(validate(settings));
        String modelName = settings.getOrDefault(MODEL_NAME, DEFAULT_MODEL_NAME);
        return settings.containsKey(EXPERIMENT)
                ? new TagPromotionSource(settings.get(EXPERIMENT), settings.getOrDefault(TAG, DEFAULT_TAG), modelName)
                : new AliasPromotionSource(settings.get(REGISTERED_MODEL), settings.get(ALIAS), modelName);
    }

    static List<ValidationError> validate(Map<String, String> settings) {
        return Stream.concat(
                        (settings.containsKey(EXPERIMENT) ? ofExperiment(settings) : ofRegisteredModel(settings)),
                        Stream.of(ValidationError.unless(
                                matches(settings, MODEL_NAME, LOGGED_MODEL_NAME),
                                MODEL_NAME,
                                "expected the name of a logged model, found characters that MLflow refuses in one")))
                .flatMap(Optional::stream)
                .toList();
    }

    private static Stream<Optional<ValidationError>> ofExperiment(Map<String, String> settings) {
        return Stream.of(
                ValidationError.unless(
                        matches(settings, EXPERIMENT, ANY_NAME),
                        EXPERIMENT,
                        "expected the name of an MLflow experiment, found a very long one or control characters"),
                ValidationError.unless(
                        matches(settings, TAG, TAG_KEY),
                        TAG,
                        "expected at most 200 letters, digits, blanks and _ . / : -, found something else"),
                notWithExperiment(settings, REGISTERED_MODEL),
                notWithExperiment(settings, ALIAS));
    }

    private static Optional<ValidationError> notWithExperiment(Map<String, String> settings, String key) {
        return ValidationError.unless(
                !settings.containsKey(key),
                key,
                "expected either " + EXPERIMENT + ", or " + REGISTERED_MODEL + " and " + ALIAS + ", found both");
    }

    private static Stream<Optional<ValidationError>> ofRegisteredModel(Map<String, String> settings) {
        if (!settings.containsKey(REGISTERED_MODEL) && !settings.containsKey(ALIAS)) {
            return Stream.of(Optional.of(new ValidationError(
                    EXPERIMENT,
                    "expected the name of an MLflow experiment, or " + REGISTERED_MODEL + " and " + ALIAS
                            + ", found none")));
        }
        return Stream.of(
                ValidationError.unless(
                        REGISTERED_NAME.matcher(settings.getOrDefault(REGISTERED_MODEL, "")).matches(),
                        REGISTERED_MODEL,
                        "expected the name of a registered model beside " + ALIAS + ", found none or no name"),
                ValidationError.unless(
                        ALIAS_NAME.matcher(settings.getOrDefault(ALIAS, "")).matches(),
                        ALIAS,
                        "expected the alias that promotes a version of " + REGISTERED_MODEL
                                + ", found none or one that MLflow refuses"),
                ValidationError.unless(
                        settings.getOrDefault(TAG, DEFAULT_TAG).equals(DEFAULT_TAG),
                        TAG,
                        "expected a tag only beside " + EXPERIMENT + ", found one beside " + REGISTERED_MODEL));
    }

    private static boolean matches(Map<String, String> settings, String key, Pattern wanted) {
        return !settings.containsKey(key) || wanted.matcher(settings.get(key)).matches();
    }
}
