package io.trackback.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.thoughtworks.go.plugin.api.GoPlugin;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.Manifest;
import org.apache.felix.framework.FrameworkFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.Constants;
import org.osgi.framework.launch.Framework;

/** The real jar in the OSGi framework that GoCD runs plugins in, set up as GoCD 26.1.0 does. */
final class FelixTest {
    private static final String FROM_THE_SERVER = "org.osgi.framework, com.thoughtworks.go.plugin.api,"
            + " com.thoughtworks.go.plugin.api.*, com.thoughtworks.go.plugin.internal.api, javax.*,"
            + " org.xml.sax, org.xml.sax.*, org.w3c.dom, org.w3c.dom.*";

    @TempDir
    private Path folder;

    private Framework framework;

    @BeforeEach
    void start() throws Exception {
        framework = new FrameworkFactory()
                .newFramework(Map.of(
                        Constants.FRAMEWORK_STORAGE, folder.resolve("cache").toString(),
                        Constants.FRAMEWORK_STORAGE_CLEAN, Constants.FRAMEWORK_STORAGE_CLEAN_ONFIRSTINIT,
                        Constants.FRAMEWORK_BUNDLE_PARENT, Constants.FRAMEWORK_BUNDLE_PARENT_FRAMEWORK,
                        Constants.FRAMEWORK_BOOTDELEGATION, FROM_THE_SERVER));
        framework.start();
    }

    @AfterEach
    void stop() throws Exception {
        framework.stop();
        framework.waitForStop(10_000);
    }

    private Bundle install() throws Exception {
        Path exploded = folder.resolve("plugin");
        try (JarFile jar = new JarFile(MlflowPluginTest.JAR.toFile())) {
            for (JarEntry entry : jar.stream().filter(each -> !each.isDirectory()).toList()) {
                Path file = exploded.resolve(entry.getName());
                Files.createDirectories(file.getParent());
                try (InputStream content = jar.getInputStream(entry)) {
                    Files.copy(content, file);
                }
            }
        }
        describe(exploded);
        Bundle bundle = framework.getBundleContext().installBundle("reference:" + exploded.toUri());
        bundle.start();
        return bundle;
    }

    /** Adds the headers that GoCD adds, without its activator. */
    private static void describe(Path exploded) throws IOException {
        Path path = exploded.resolve("META-INF/MANIFEST.MF");
        Manifest manifest;
        try (InputStream content = Files.newInputStream(path)) {
            manifest = new Manifest(content);
        }
        List<String> libraries;
        try (var files = Files.list(exploded.resolve("lib"))) {
            libraries = files.map(file -> "lib/" + file.getFileName()).toList();
        }
        Attributes headers = manifest.getMainAttributes();
        headers.putValue(Constants.BUNDLE_SYMBOLICNAME, "trackback.mlflow");
        headers.putValue(Constants.BUNDLE_CLASSPATH, ".," + String.join(",", libraries));
        try (OutputStream content = Files.newOutputStream(path)) {
            manifest.write(content);
        }
    }

    @Test
    void everyClassLoadsAndThePluginPolls() throws Exception {
        Bundle bundle = install();
        for (String name : List.of("com.sun.net.httpserver.HttpServer", "io.trackback.host.Main")) {
            assertThrows(ClassNotFoundException.class, () -> bundle.loadClass(name), name);
        }
        try (JarFile jar = new JarFile(MlflowPluginTest.JAR.toFile())) {
            for (JarEntry entry : jar.stream().filter(each -> each.getName().endsWith(".class")).toList()) {
                bundle.loadClass(entry.getName().replace('/', '.').replaceAll("\\.class$", ""));
            }
        }
        Class<?> extension = bundle.loadClass("io.trackback.mlflow.MlflowPackagePlugin");
        GoPlugin plugin = (GoPlugin) extension.getConstructor().newInstance();
        try (MlflowWithoutExperiment mlflow = new MlflowWithoutExperiment()) {
            // Java 17 generates accessor classes after about 15 reflective calls.
            for (int poll = 0; poll < 30; poll++) {
                assertEquals(MlflowWithoutExperiment.ANSWER, mlflow.pollBy(plugin));
            }
        }
    }
}
