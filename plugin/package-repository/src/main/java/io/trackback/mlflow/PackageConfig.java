package io.trackback.mlflow;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Which experiment is watched, the tag that promotes, and the name under which its runs log their model. */
record PackageConfig(String experiment, String tag, String modelName) {
    static final String EXPERIMENT = "EXPERIMENT";
    static final String TAG = "TAG";
    static final String MODEL_NAME = "MODEL_NAME";
    static final String DEFAULT_TAG = "promote";
    static final String DEFAULT_MODEL_NAME = "model";

    static final Map<String, Field> FIELDS = new TreeMap<>(Map.of(
            EXPERIMENT, Field.identity(0, "Experiment"),
            TAG, Field.identity(1, "Tag that promotes a run", DEFAULT_TAG),
            MODEL_NAME, Field.identity(2, "Name of the logged model", DEFAULT_MODEL_NAME)));

    private static final Pattern EXPERIMENT_NAME = Pattern.compile("[^\\p{Cntrl}]{1,500}");
    // Both stand inside quotes in MLflow's filters, so no quote may be in them.
    private static final Pattern TAG_KEY = Pattern.compile("[A-Za-z0-9_./ -]{1,200}");
    private static final Pattern LOGGED_MODEL_NAME = Pattern.compile("[^/:.%\"'`\\\\\\p{Cntrl}]{1,200}");

    static PackageConfig of(Map<String, String> settings) {
        Problem.refuse(problems(settings));
        return new PackageConfig(settings.get(EXPERIMENT), tag(settings), modelName(settings));
    }

    static List<Problem> problems(Map<String, String> settings) {
        return Stream.of(
                        Problem.unless(
                                EXPERIMENT_NAME.matcher(settings.getOrDefault(EXPERIMENT, "")).matches(),
                                EXPERIMENT,
                                "expected the name of an MLflow experiment, found none or one that is no name"),
                        Problem.unless(
                                TAG_KEY.matcher(tag(settings)).matches(),
                                TAG,
                                "expected letters, digits and _ . / - only, found other characters"),
                        Problem.unless(
                                LOGGED_MODEL_NAME.matcher(modelName(settings)).matches(),
                                MODEL_NAME,
                                "expected the name of a logged model, found characters that MLflow refuses in one"))
                .flatMap(Optional::stream)
                .toList();
    }

    private static String tag(Map<String, String> settings) {
        return settings.getOrDefault(TAG, DEFAULT_TAG);
    }

    private static String modelName(Map<String, String> settings) {
        return settings.getOrDefault(MODEL_NAME, DEFAULT_MODEL_NAME);
    }

    String nothingPromoted() {
        return "nothing promoted in experiment " + experiment + " yet: tag a run with '" + tag + "'";
    }

    String noSuchExperiment() {
        return "expected an experiment named '" + experiment + "' in MLflow, found none: create it or correct "
                + EXPERIMENT;
    }
}
