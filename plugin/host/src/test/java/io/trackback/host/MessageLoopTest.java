package io.trackback.host;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class MessageLoopTest {
    private final LoadedPlugin loaded = new LoadedPlugin(new PluginDescriptor("echo", "1", "Echo"), new EchoPlugin());
    private BufferedReader answers;
    private MessageLoop loop;

    @BeforeEach
    void connect() throws IOException {
        PipedInputStream pipe = new PipedInputStream();
        answers = new BufferedReader(new InputStreamReader(pipe, UTF_8));
        loop = new MessageLoop(loaded, new JsonLines(new PrintStream(new PipedOutputStream(pipe), false, UTF_8)));
    }

    private String answerTo(String... requests) throws IOException {
        loop.run(new BufferedReader(new StringReader(String.join("\n", requests))));
        return assertTimeoutPreemptively(Duration.ofSeconds(60), answers::readLine, "no answer came");
    }

    @Test
    void anAnswerCarriesIdCodeAndBody() throws IOException {
        assertEquals(
                "{\"id\":7,\"code\":201,\"body\":\"1.0 {\\\"a\\\":\\\"ż\\\"}\"}",
                answerTo("{\"id\":7,\"name\":\"any\",\"body\":\"{\\\"a\\\":\\\"ż\\\"}\"}"));
    }

    @Test
    void aMessageMayHaveNoBody() throws IOException {
        assertEquals(
                "{\"id\":1,\"code\":201,\"body\":\"1.0 null\"}", answerTo("{\"id\":1,\"name\":\"any\",\"body\":null}"));
    }

    @Test
    void anExceptionIsAnErrorOfOneLine() throws IOException {
        assertEquals("{\"id\":2,\"error\":\"two lines\"}", answerTo("{\"id\":2,\"name\":\"throw\"}"));
    }

    @Test
    void noResponseIsAnErrorInGocdsWords() throws IOException {
        assertEquals(
                "{\"id\":3,\"error\":\"The plugin sent a null response\"}",
                answerTo("{\"id\":3,\"name\":\"nothing\"}"));
    }

    @Test
    void aMessageThatHangsHoldsUpNothingElse() throws IOException {
        assertEquals(
                "{\"id\":2,\"code\":201,\"body\":\"1.0 x\"}",
                answerTo("{\"id\":1,\"name\":\"hang\"}", "{\"id\":2,\"name\":\"any\",\"body\":\"x\"}"));
    }
}
