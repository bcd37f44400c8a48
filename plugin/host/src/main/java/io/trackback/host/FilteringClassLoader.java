package io.trackback.host;

import java.util.List;

/** Shows a plugin the classes that GoCD's OSGi framework shows it: the plugin API and these packages of the JDK. */
final class FilteringClassLoader extends ClassLoader {
    private static final String API = "com.thoughtworks.go.plugin.api.";
    // gocd 26.1.0, FelixGoPluginOSGiFramework: org.osgi.framework.bootdelegation.
    // The last is for reflection of Java 17, which loads its accessors through the reflected class's loader.
    private static final List<String> OF_THE_JDK =
            List.of("java.", "javax.", "org.xml.sax.", "org.w3c.dom.", "jdk.internal.reflect.");

    FilteringClassLoader() {
        super(ClassLoader.getPlatformClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (name.startsWith(API)) {
            return FilteringClassLoader.class.getClassLoader().loadClass(name);
        }
        if (OF_THE_JDK.stream().noneMatch(name::startsWith)) {
            throw new ClassNotFoundException(name);
        }
        return super.loadClass(name, resolve);
    }
}
