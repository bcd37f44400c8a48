package io.trackback.host;

/** Shows a plugin the JDK and GoCD's plugin API and nothing of this host, as GoCD does. */
final class ApiOnlyLoader extends ClassLoader {
    private static final String API = "com.thoughtworks.go.plugin.api.";

    ApiOnlyLoader() {
        super(ClassLoader.getPlatformClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        return name.startsWith(API)
                ? ApiOnlyLoader.class.getClassLoader().loadClass(name)
                : super.loadClass(name, resolve);
    }
}
