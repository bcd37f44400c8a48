package io.trackback.host;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;

/** Builds small plugin jars. */
final class TestJar {
    static final String DESCRIPTOR = "<go-plugin id=\"echo\" version=\"1\">"
            + "<about><name>Echo</name><version>2.1</version>"
            + "<vendor><name>Nobody</name></vendor></about></go-plugin>";

    private final Map<String, byte[]> entries = new LinkedHashMap<>();

    static TestJar echo() throws IOException {
        return new TestJar().with("plugin.xml", DESCRIPTOR.getBytes(UTF_8)).with(EchoPlugin.class);
    }

    TestJar with(String name, byte[] content) {
        entries.put(name, content);
        return this;
    }

    TestJar with(Class<?> type) throws IOException {
        String name = type.getName().replace('.', '/') + ".class";
        try (InputStream content = type.getClassLoader().getResourceAsStream(name)) {
            return with(name, content.readAllBytes());
        }
    }

    Path write(Path folder) throws IOException {
        Path path = folder.resolve("echo.jar");
        try (JarOutputStream jar = new JarOutputStream(Files.newOutputStream(path))) {
            for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
                jar.putNextEntry(new JarEntry(entry.getKey()));
                jar.write(entry.getValue());
            }
        }
        return path;
    }
}
