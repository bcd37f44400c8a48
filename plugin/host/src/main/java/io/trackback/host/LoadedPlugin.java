package io.trackback.host;

import com.thoughtworks.go.plugin.api.GoApplicationAccessor;
import com.thoughtworks.go.plugin.api.GoPlugin;
import com.thoughtworks.go.plugin.api.annotation.Extension;
import com.thoughtworks.go.plugin.api.request.GoApiRequest;
import com.thoughtworks.go.plugin.api.response.GoApiResponse;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** A plugin that is created and initialized. */
record LoadedPlugin(PluginDescriptor descriptor, GoPlugin plugin) {

    /** Loads every class at the root of the jar, as GoCD does: the plugin is invalid if one cannot be loaded. */
    static LoadedPlugin load(Path jar) throws IOException, InvalidPluginException {
        PluginJar opened = PluginJar.open(jar);
        List<Class<?>> extensions =
                opened.classes().stream().filter(LoadedPlugin::isExtension).toList();
        if (extensions.size() != 1) {
            throw new InvalidPluginException(jar + ": expected one @Extension class that is a GoPlugin, found "
                    + extensions.size());
        }
        StderrLog.install(opened.descriptor());
        GoPlugin plugin = create(extensions.get(0));
        plugin.initializeGoApplicationAccessor(new NullAccessor());
        return new LoadedPlugin(opened.descriptor(), plugin);
    }

    private static boolean isExtension(Class<?> candidate) {
        return candidate.isAnnotationPresent(Extension.class) && GoPlugin.class.isAssignableFrom(candidate);
    }

    private static GoPlugin create(Class<?> extension) throws InvalidPluginException {
        try {
            return (GoPlugin) extension.getConstructor().newInstance();
        } catch (ReflectiveOperationException failure) {
            throw new InvalidPluginException(extension.getName() + " cannot be created: " + failure);
        }
    }

    /** Answers requests of the plugin to GoCD with null. */
    private static final class NullAccessor extends GoApplicationAccessor {
        @Override
        public GoApiResponse submit(GoApiRequest request) {
            return null;
        }
    }
}
