package io.trackback.host;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import com.thoughtworks.go.plugin.api.exceptions.UnhandledRequestTypeException;
import com.thoughtworks.go.plugin.api.request.DefaultGoPluginApiRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LoadedPluginTest {
    @TempDir
    private Path folder;

    private LoadedPlugin load(TestJar jar) throws IOException, InvalidPluginException {
        return LoadedPlugin.load(jar.write(folder));
    }

    private String invalid(TestJar jar) {
        return assertThrows(InvalidPluginException.class, () -> load(jar)).getMessage();
    }

    private static String ask(LoadedPlugin loaded, String name, String body) throws UnhandledRequestTypeException {
        DefaultGoPluginApiRequest request = new DefaultGoPluginApiRequest("package-repository", "1.0", name);
        request.setRequestBody(body);
        return loaded.plugin().handle(request).responseBody();
    }

    private static byte[] gson() throws Exception {
        return Files.readAllBytes(
                Path.of(Gson.class.getProtectionDomain().getCodeSource().getLocation().toURI()));
    }

    @Test
    void thePluginIsFoundNamedAndInitialized() throws Exception {
        LoadedPlugin loaded = load(TestJar.echo());
        assertEquals(new PluginDescriptor("echo", "2.1", "Echo"), loaded.descriptor());
        assertEquals("true", ask(loaded, "initialized", null));
    }

    @Test
    void thePluginSeesTheJdkTheApiAndNothingOfTheHost() throws Exception {
        LoadedPlugin loaded = load(TestJar.echo());
        assertEquals("true", ask(loaded, "sees", "java.net.http.HttpClient"));
        assertEquals("true", ask(loaded, "sees", "com.thoughtworks.go.plugin.api.GoPlugin"));
        assertEquals("false", ask(loaded, "sees", "com.sun.net.httpserver.HttpServer"));
        assertEquals("false", ask(loaded, "sees", "io.trackback.host.Main"));
        assertEquals("false", ask(loaded, "sees", "com.google.gson.Gson"));
    }

    @Test
    void thePluginSeesTheLibrariesThatItBrings() throws Exception {
        LoadedPlugin loaded = load(TestJar.echo().with("lib/gson.jar", gson()));
        assertEquals("true", ask(loaded, "sees", "com.google.gson.Gson"));
    }

    @Test
    void onePluginClassThatCannotBeLoadedMakesThePluginInvalid() throws IOException {
        String reason = invalid(TestJar.echo().with("org/broken/Main.class", "no class".getBytes(UTF_8)));
        assertTrue(reason.startsWith("Class [org.broken.Main] could not be loaded"), reason);
    }

    @Test
    void aJarWithoutAnExtensionIsInvalid() {
        TestJar jar = new TestJar().with("plugin.xml", TestJar.DESCRIPTOR.getBytes(UTF_8));
        assertTrue(invalid(jar).endsWith("expected one @Extension class that is a GoPlugin, found 0"));
    }

    @Test
    void aJarWithoutADescriptorIsInvalid() {
        assertTrue(invalid(new TestJar().with("x", new byte[0])).endsWith("expected plugin.xml in it, found none"));
    }

    @Test
    void aDescriptorCannotPullInFiles() {
        byte[] hostile = "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><x>&e;</x>".getBytes(UTF_8);
        assertTrue(invalid(new TestJar().with("plugin.xml", hostile)).startsWith("plugin.xml is not XML"));
    }
}
