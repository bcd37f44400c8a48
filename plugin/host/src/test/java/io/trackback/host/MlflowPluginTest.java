package io.trackback.host;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.thoughtworks.go.plugin.api.GoPlugin;
import java.io.DataInputStream;
import java.io.IOException;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The real jar as GoCD's servers and agents get it, built by the module before this one. */
final class MlflowPluginTest {
    static final Path JAR = Path.of("../package-repository/target/trackback-mlflow-plugin.jar");
    private static final int JAVA_17 = 61;

    private static Set<String> threads() {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName).collect(Collectors.toSet());
    }

    private static List<JarEntry> classes(JarFile jar) {
        return jar.stream().filter(entry -> entry.getName().endsWith(".class")).toList();
    }

    @Test
    void atTheRootAreOurClassesOnlyAndLibrariesAreJarsUnderLib() throws IOException {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            List<JarEntry> classes = classes(jar);
            assertTrue(classes.size() > 10, "found " + classes);
            for (JarEntry each : classes) {
                assertTrue(each.getName().startsWith("io/trackback/mlflow/"), each.getName());
            }
            List<String> jars = jar.stream().map(JarEntry::getName).filter(name -> name.endsWith(".jar")).toList();
            assertEquals(1, jars.size(), jars.toString());
            assertTrue(jars.get(0).matches("lib/gson-[0-9.]+\\.jar"), jars.toString());
            assertNull(jar.getManifest().getMainAttributes().getValue("Bundle-SymbolicName"));
        }
    }

    @Test
    void everyClassIsForJava17() throws IOException {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            for (JarEntry each : classes(jar)) {
                try (DataInputStream content = new DataInputStream(jar.getInputStream(each))) {
                    assertEquals(0xCAFEBABE, content.readInt());
                    content.readUnsignedShort();
                    assertEquals(JAVA_17, content.readUnsignedShort(), each.getName());
                }
            }
        }
    }

    @Test
    void theDescriptorHasAVendorATargetVersionAndTheVersionOfTheBuild() throws IOException {
        try (JarFile jar = new JarFile(JAR.toFile())) {
            String xml = new String(jar.getInputStream(jar.getJarEntry("plugin.xml")).readAllBytes(), UTF_8);
            assertTrue(xml.contains("<go-plugin id=\"trackback.mlflow\" version=\"1\">"), xml);
            assertTrue(xml.matches("(?s).*<version>[0-9]+\\.[0-9]+\\.[0-9]+</version>.*"), xml);
            assertTrue(xml.contains("<target-go-version>26.1.0</target-go-version>"), xml);
            assertTrue(xml.matches("(?s).*<vendor>\\s*<name>Trackback</name>\\s*<url>https://.*</vendor>.*"), xml);
        }
    }

    /** GoCD's agents load the plugin and never call it. */
    @Test
    void loadingStartsNoThread() throws Exception {
        Set<String> before = threads();
        LoadedPlugin loaded = LoadedPlugin.load(JAR);
        Set<String> after = threads();
        after.removeAll(before);
        assertEquals(Set.of(), after);
        assertNotNull(loaded.plugin());
    }

    @Test
    void nothingHoldsOnToAPluginThatHasPolledAndWasUnloaded() throws Exception {
        ReferenceQueue<ClassLoader> collected = new ReferenceQueue<>();
        WeakReference<ClassLoader> unloaded = new WeakReference<>(loaderOfAPluginThatPolled(), collected);
        long deadline = System.nanoTime() + 120_000_000_000L;
        do {
            System.gc();
        } while (collected.remove(50) == null && System.nanoTime() < deadline);
        assertNull(unloaded.get(), "after 120 s; threads: " + threads());
    }

    private static ClassLoader loaderOfAPluginThatPolled() throws Exception {
        GoPlugin plugin = LoadedPlugin.load(JAR).plugin();
        try (MlflowWithoutExperiment mlflow = new MlflowWithoutExperiment()) {
            assertEquals(MlflowWithoutExperiment.ANSWER, mlflow.pollBy(plugin));
        }
        return plugin.getClass().getClassLoader();
    }
}
