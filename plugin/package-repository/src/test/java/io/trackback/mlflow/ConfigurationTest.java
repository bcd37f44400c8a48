package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ConfigurationTest {
    private static List<String> wrongKeys(List<Problem> problems) {
        return problems.stream().map(Problem::key).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://mlflow:5000", "https://mlflow.example/prefix/", "HTTP://127.0.0.1"})
    void anAddressIsAccepted(String url) {
        assertEquals(List.of(), RepositoryConfig.problems(Map.of("MLFLOW_URL", url)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mlflow:5000",
                "file:///etc/passwd",
                "ftp://mlflow",
                "http://ada:secret@mlflow",
                "http://mlflow?x=1",
                "http://mlflow#x",
                "http:///mlflow",
                "http://ml flow",
                "jar:http://mlflow!/"
            })
    void anythingElseIsNoAddress(String url) {
        assertEquals(List.of("MLFLOW_URL"), wrongKeys(RepositoryConfig.problems(Map.of("MLFLOW_URL", url))));
        Map<String, String> ui = Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_UI_URL", url);
        assertEquals(List.of("MLFLOW_UI_URL"), wrongKeys(RepositoryConfig.problems(ui)));
    }

    @Test
    void theAddressIsRequired() {
        assertEquals(List.of("MLFLOW_URL"), wrongKeys(RepositoryConfig.problems(Map.of())));
    }

    @Test
    void aUserNameWithoutPasswordIsAProblem() {
        Map<String, String> half = Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_USERNAME", "ada");
        assertEquals(List.of("MLFLOW_USERNAME"), wrongKeys(RepositoryConfig.problems(half)));
    }

    @Test
    void tokenAndUserTogetherAreAProblem() {
        Map<String, String> both = Map.of(
                "MLFLOW_URL", "http://mlflow", "MLFLOW_USERNAME", "ada", "MLFLOW_PASSWORD", "x", "MLFLOW_TOKEN", "y");
        assertEquals(List.of("MLFLOW_TOKEN"), wrongKeys(RepositoryConfig.problems(both)));
    }

    @Test
    void aTokenCannotSmuggleAHeader() {
        Map<String, String> token = Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_TOKEN", "x\r\nHost: y");
        assertEquals(List.of("MLFLOW_TOKEN"), wrongKeys(RepositoryConfig.problems(token)));
    }

    @Test
    void credentialsBecomeTheHeader() {
        Map<String, String> basic =
                Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_USERNAME", "ada", "MLFLOW_PASSWORD", "secret");
        assertEquals("Basic YWRhOnNlY3JldA==", RepositoryConfig.of(basic).authorization());
        Map<String, String> bearer = Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_TOKEN", "abc");
        assertEquals("Bearer abc", RepositoryConfig.of(bearer).authorization());
    }

    @Test
    void browsersAreSentToTheirOwnAddress() {
        Map<String, String> settings =
                Map.of("MLFLOW_URL", "http://mlflow/", "MLFLOW_UI_URL", "http://localhost:5000/");
        assertEquals("http://localhost:5000", RepositoryConfig.of(settings).uiUrl());
        assertEquals("http://mlflow", RepositoryConfig.of(settings).url());
        assertEquals("http://mlflow", RepositoryConfig.of(Map.of("MLFLOW_URL", "http://mlflow/")).uiUrl());
    }

    @Test
    void anExperimentIsEnough() {
        assertEquals(
                new PackageConfig("diamond-price", "promote", "model"),
                PackageConfig.of(Map.of("EXPERIMENT", "diamond-price")));
    }

    @Test
    void theExperimentIsRequired() {
        assertEquals(List.of("EXPERIMENT"), wrongKeys(PackageConfig.problems(Map.of())));
    }

    @Test
    void quotesCannotLeaveAFilter() {
        Map<String, String> hostile =
                Map.of("EXPERIMENT", "x", "TAG", "a` = '' or tags.`b", "MODEL_NAME", "m' OR name != '");
        assertEquals(List.of("TAG", "MODEL_NAME"), wrongKeys(PackageConfig.problems(hostile)));
    }
}
