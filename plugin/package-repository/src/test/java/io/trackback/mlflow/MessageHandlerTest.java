package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.thoughtworks.go.plugin.api.exceptions.UnhandledRequestTypeException;
import com.thoughtworks.go.plugin.api.request.DefaultGoPluginApiRequest;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import org.junit.jupiter.api.Test;

/** The eight messages as GoCD sends them and reads their answers. */
final class MessageHandlerTest {
    private static final String REPOSITORY =
            "\"repository-configuration\":{\"MLFLOW_URL\":{\"value\":\"http://mlflow\"}}";
    private static final String BOTH =
            "{" + REPOSITORY + ",\"package-configuration\":{\"EXPERIMENT\":{\"value\":\"diamond-price\"}}";

    private final FakeMlflow mlflow = new FakeMlflow();
    private final MlflowPackagePlugin plugin = new MlflowPackagePlugin((repository, limit) -> mlflow);

    private GoPluginApiResponse send(MlflowPackagePlugin to, String name, String body)
            throws UnhandledRequestTypeException {
        DefaultGoPluginApiRequest request = new DefaultGoPluginApiRequest("package-repository", "1.0", name);
        request.setRequestBody(body);
        return to.handle(request);
    }

    private String good(String name, String body) throws UnhandledRequestTypeException {
        GoPluginApiResponse response = send(plugin, name, body);
        assertEquals(200, response.responseCode(), response.responseBody());
        return response.responseBody();
    }

    private String bad(String name, String body) throws UnhandledRequestTypeException {
        GoPluginApiResponse response = send(plugin, name, body);
        assertEquals(500, response.responseCode());
        return response.responseBody();
    }

    private JsonObject fields(String message) throws UnhandledRequestTypeException {
        return JsonParser.parseString(good(message, null)).getAsJsonObject();
    }

    @Test
    void itIsAnExtensionForPackageRepositories() {
        assertEquals("package-repository", plugin.pluginIdentifier().getExtension());
    }

    @Test
    void onlyTheAddressIdentifiesARepositoryAndSecretsAreSecure() throws UnhandledRequestTypeException {
        JsonObject fields = fields("repository-configuration");
        assertEquals(
                "[MLFLOW_PASSWORD, MLFLOW_TOKEN, MLFLOW_UI_URL, MLFLOW_URL, MLFLOW_USERNAME]",
                fields.keySet().toString());
        for (String key : fields.keySet()) {
            JsonObject field = fields.getAsJsonObject(key);
            assertEquals(key.equals("MLFLOW_URL"), field.get("part-of-identity").getAsBoolean(), key);
            assertEquals(key.equals("MLFLOW_URL"), field.get("required").getAsBoolean(), key);
            assertEquals(
                    key.equals("MLFLOW_PASSWORD") || key.equals("MLFLOW_TOKEN"),
                    field.get("secure").getAsBoolean(),
                    key);
            assertTrue(field.getAsJsonPrimitive("display-order").isString(), "GoCD reads a string");
        }
    }

    @Test
    void aPackageIsIdentifiedByEachOfItsFieldsAndHasTwoDefaults() throws UnhandledRequestTypeException {
        JsonObject fields = fields("package-configuration");
        assertEquals("[ALIAS, EXPERIMENT, MODEL_NAME, REGISTERED_MODEL, TAG]", fields.keySet().toString());
        for (String key : fields.keySet()) {
            assertFalse(fields.getAsJsonObject(key).get("required").getAsBoolean(), key);
            assertTrue(fields.getAsJsonObject(key).get("part-of-identity").getAsBoolean(), key);
        }
        assertEquals("promote", fields.getAsJsonObject("TAG").get("default-value").getAsString());
        assertEquals("model", fields.getAsJsonObject("MODEL_NAME").get("default-value").getAsString());
    }

    @Test
    void aGoodConfigurationHasNoProblems() throws UnhandledRequestTypeException {
        assertEquals("[]", good("validate-repository-configuration", "{" + REPOSITORY + "}"));
        assertEquals("[]", good("validate-package-configuration", BOTH + "}"));
    }

    @Test
    void problemsNameTheirKey() throws UnhandledRequestTypeException {
        String answer = good("validate-repository-configuration", "{\"repository-configuration\":{}}");
        assertTrue(answer.startsWith("[{\"key\":\"MLFLOW_URL\",\"message\":\"expected an address"), answer);
    }

    @Test
    void aCheckAnswersWithAStatusAndAMessage() throws UnhandledRequestTypeException {
        assertEquals(
                "{\"status\":\"success\",\"messages\":[\"MLflow answers at http://mlflow\"]}",
                good("check-repository-connection", "{" + REPOSITORY + "}"));
        assertEquals(
                "{\"status\":\"success\",\"messages\":[\"nothing promoted in experiment diamond-price yet:"
                        + " tag a run with 'promote'\"]}",
                good("check-package-connection", BOTH + "}"));
        mlflow.promote(1, "true");
        assertEquals(
                "{\"status\":\"success\",\"messages\":[\"finished runs with the tag 'promote': 1\"]}",
                good("check-package-connection", BOTH + "}"));
    }

    @Test
    void aCheckOfAnUnknownExperimentFailsWithAMessage() throws UnhandledRequestTypeException {
        String answer = good("check-package-connection", BOTH.replace("diamond-price", "diamonds") + "}");
        assertTrue(answer.startsWith("{\"status\":\"failure\",\"messages\":[\"expected an experiment named"), answer);
    }

    @Test
    void theFirstPollWithoutAPromotionIsAnErrorWithAMessage() throws UnhandledRequestTypeException {
        assertEquals(
                "nothing promoted in experiment diamond-price yet: tag a run with 'promote'",
                bad("latest-revision", BOTH + "}"));
    }

    @Test
    void aLaterPollWithoutAPromotionIsAnEmptyObject() throws UnhandledRequestTypeException {
        mlflow.promote(1, "true");
        String first = good("latest-revision", BOTH + "}");
        assertEquals("{}", good("latest-revision-since", BOTH + ",\"previous-revision\":" + first + "}"));
    }

    @Test
    void aRevisionHasWhatGocdReads() throws UnhandledRequestTypeException {
        mlflow.promote(1, "true");
        JsonObject revision = JsonParser.parseString(good("latest-revision", BOTH + "}")).getAsJsonObject();
        assertEquals(
                "[revision, timestamp, user, revisionComment, trackbackUrl, data]",
                revision.keySet().toString());
        for (String key : revision.getAsJsonObject("data").keySet()) {
            assertTrue(key.matches("[A-Z_]+"), key);
            assertTrue(revision.getAsJsonObject("data").getAsJsonPrimitive(key).isString(), key);
        }
    }

    @Test
    void aPollChecksTheConfigurationAgain() throws UnhandledRequestTypeException {
        String body = BOTH.replace("http://mlflow", "file:///etc") + "}";
        assertTrue(bad("latest-revision", body).startsWith("MLFLOW_URL: expected an address"));
        assertTrue(bad("latest-revision-since", body).startsWith("MLFLOW_URL: expected an address"));
    }

    @Test
    void aBodyThatIsNoMessageIsRefused() throws UnhandledRequestTypeException {
        for (String body : new String[] {null, "", "[]", "{", "7"}) {
            assertTrue(bad("latest-revision", body).startsWith("expected GoCD's message as a JSON object"), body);
        }
    }

    @Test
    void otherMessagesAreLeftToGocd() {
        assertThrows(
                UnhandledRequestTypeException.class, () -> send(plugin, "go.plugin-settings.get-view", null));
    }

    @Test
    void anErrorOfThePluginIsReportedWithoutItsText() throws UnhandledRequestTypeException {
        MlflowPackagePlugin broken = new MlflowPackagePlugin((repository, limit) -> {
            throw new IllegalStateException("text of MLflow");
        });
        GoPluginApiResponse response = send(broken, "latest-revision", BOTH + "}");
        assertEquals(500, response.responseCode());
        assertEquals("the plugin failed at this message: see its log", response.responseBody());
    }
}
