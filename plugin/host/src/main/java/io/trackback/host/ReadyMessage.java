package io.trackback.host;

import com.thoughtworks.go.plugin.api.GoPluginIdentifier;
import java.util.List;

/** The first line of output: the loaded plugin, its extension and the versions of that. */
record ReadyMessage(boolean ready, PluginDescriptor plugin, String extension, List<String> versions) {

    static ReadyMessage with(LoadedPlugin loaded) {
        GoPluginIdentifier identifier = loaded.plugin().pluginIdentifier();
        return new ReadyMessage(
                true, loaded.descriptor(), identifier.getExtension(), identifier.getSupportedExtensionVersions());
    }

    /** The only line of output when the plugin cannot be loaded. */
    record Failed(boolean ready, String error) {
        Failed(String error) {
            this(false, error);
        }
    }
}
