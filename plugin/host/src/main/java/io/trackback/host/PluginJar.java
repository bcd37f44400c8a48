package io.trackback.host;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/** A plugin's jar: its descriptor, and every class at its root, loaded beside the libraries under `lib/`. */
record PluginJar(PluginDescriptor descriptor, List<Class<?>> classes) {

    static PluginJar open(Path path) throws IOException, InvalidPluginException {
        try (JarFile jar = new JarFile(path.toFile())) {
            JarEntry descriptor = jar.getJarEntry("plugin.xml");
            if (descriptor == null) {
                throw new InvalidPluginException(path + ": expected plugin.xml in it, found none");
            }
            return new PluginJar(PluginDescriptor.parse(jar.getInputStream(descriptor)), load(jar, path));
        }
    }

    private static List<Class<?>> load(JarFile jar, Path path) throws IOException, InvalidPluginException {
        // Not closed, because the plugin is used until the JVM ends.
        ClassLoader loader = new URLClassLoader(urls(jar, path), new FilteringClassLoader());
        List<Class<?>> classes = new ArrayList<>();
        for (JarEntry entry : jar.stream().toList()) {
            if (entry.getName().endsWith(".class") && !entry.getName().startsWith("META-INF/")) {
                classes.add(load(loader, entry.getName().replace('/', '.').replaceAll("\\.class$", "")));
            }
        }
        return classes;
    }

    private static Class<?> load(ClassLoader loader, String name) throws InvalidPluginException {
        try {
            return Class.forName(name, false, loader);
        } catch (ClassNotFoundException | LinkageError failure) {
            throw new InvalidPluginException("Class [" + name + "] could not be loaded: " + failure);
        }
    }

    private static URL[] urls(JarFile jar, Path path) throws IOException {
        List<URL> urls = new ArrayList<>();
        urls.add(path.toUri().toURL());
        for (JarEntry entry : jar.stream().toList()) {
            if (entry.getName().startsWith("lib/") && entry.getName().endsWith(".jar")) {
                urls.add(extract(jar, entry).toUri().toURL());
            }
        }
        return urls.toArray(URL[]::new);
    }

    private static Path extract(JarFile jar, JarEntry library) throws IOException {
        Path extracted = Files.createTempFile("trackback-plugin-", ".jar");
        extracted.toFile().deleteOnExit();
        try (InputStream content = jar.getInputStream(library)) {
            Files.copy(content, extracted, StandardCopyOption.REPLACE_EXISTING);
        }
        return extracted;
    }
}
