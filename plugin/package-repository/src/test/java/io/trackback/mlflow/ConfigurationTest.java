package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ConfigurationTest {
    private static List<String> wrongKeys(List<ValidationError> errors) {
        return errors.stream().map(ValidationError::key).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://mlflow:5000", "https://mlflow.example/prefix/", "HTTP://127.0.0.1"})
    void anAddressIsAccepted(String url) {
        assertEquals(List.of(), RepositoryConfig.validate(Map.of("MLFLOW_URL", url)));
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
                "jar:http://mlflow!/",
                "http://my_mlflow:5000",
                "http://169.254.169.254/latest/meta-data",
                "http://[fe80::1]:5000",
                "http://[fe80::1%25eth0]:5000",
                "http://[::ffff:169.254.169.254]",
                "http://2852039166"
            })
    void anythingElseIsNoAddress(String url) {
        assertEquals(List.of("MLFLOW_URL"), wrongKeys(RepositoryConfig.validate(Map.of("MLFLOW_URL", url))));
        Map<String, String> ui = Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_UI_URL", url);
        assertEquals(List.of("MLFLOW_UI_URL"), wrongKeys(RepositoryConfig.validate(ui)));
    }

    @Test
    void aPasswordInAnAddressIsNotRepeated() {
        List<ValidationError> errors = RepositoryConfig.validate(Map.of("MLFLOW_URL", "http://ada:secret@mlflow"));
        assertEquals(
                "expected an address such as http://mlflow:5000, found a user name in it, which belongs into"
                        + " MLFLOW_USERNAME",
                errors.get(0).message());
    }

    @Test
    void theAddressIsRequired() {
        assertEquals(List.of("MLFLOW_URL"), wrongKeys(RepositoryConfig.validate(Map.of())));
    }

    @Test
    void aUserNameWithoutPasswordIsAProblem() {
        Map<String, String> half = Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_USERNAME", "ada");
        assertEquals(List.of("MLFLOW_USERNAME"), wrongKeys(RepositoryConfig.validate(half)));
    }

    @Test
    void tokenAndUserTogetherAreAProblem() {
        Map<String, String> both = Map.of(
                "MLFLOW_URL", "http://mlflow", "MLFLOW_USERNAME", "ada", "MLFLOW_PASSWORD", "x", "MLFLOW_TOKEN", "y");
        assertEquals(List.of("MLFLOW_TOKEN"), wrongKeys(RepositoryConfig.validate(both)));
    }

    @Test
    void aTokenCannotSmuggleAHeader() {
        Map<String, String> token = Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_TOKEN", "x\r\nHost: y");
        assertEquals(List.of("MLFLOW_TOKEN"), wrongKeys(RepositoryConfig.validate(token)));
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
                new TagPromotionSource("diamond-price", "promote", "model"),
                PackageConfig.source(Map.of("EXPERIMENT", "diamond-price")));
    }

    @Test
    void anAliasOfARegisteredModelIsEnough() {
        assertEquals(
                new AliasPromotionSource("diamond-price", "champion", "model"),
                PackageConfig.source(
                        Map.of("REGISTERED_MODEL", "diamond-price", "ALIAS", "champion", "TAG", "promote")));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "                                            | EXPERIMENT",
                "REGISTERED_MODEL=m                          | ALIAS",
                "ALIAS=a                                     | REGISTERED_MODEL",
                "EXPERIMENT=x,REGISTERED_MODEL=m,ALIAS=a     | REGISTERED_MODEL ALIAS",
                "EXPERIMENT=x,ALIAS=a                        | ALIAS",
                "REGISTERED_MODEL=m,ALIAS=a,TAG=preview      | TAG",
                "REGISTERED_MODEL=m,ALIAS=v3                 | ALIAS",
                "REGISTERED_MODEL=m,ALIAS=a b                | ALIAS",
                "REGISTERED_MODEL=m/n,ALIAS=a                | REGISTERED_MODEL",
                "EXPERIMENT=x,MODEL_NAME=a/b                 | MODEL_NAME"
            })
    void whatIsWatchedIsOneThingAndTheMessageNamesTheField(String settings, String keys) {
        Map<String, String> given = Stream.of(settings == null ? new String[0] : settings.split(","))
                .map(each -> each.split("="))
                .collect(Collectors.toMap(each -> each[0], each -> each[1]));
        assertEquals(keys, String.join(" ", wrongKeys(PackageConfig.validate(given))));
    }

    @Test
    void quotesCannotLeaveAFilter() {
        Map<String, String> hostile =
                Map.of("EXPERIMENT", "x", "TAG", "a` = '' or tags.`b", "MODEL_NAME", "m' OR name != '");
        assertEquals(List.of("TAG", "MODEL_NAME"), wrongKeys(PackageConfig.validate(hostile)));
    }
}
