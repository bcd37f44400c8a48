package io.trackback.host;

import com.thoughtworks.go.plugin.api.GoPluginIdentifier;
import java.util.List;

/** The first line: who was loaded and which messages it understands. */
record ReadyMessage(boolean ready, PluginDescriptor plugin, String extension, List<String> versions) {

    static ReadyMessage with(LoadedPlugin loaded) {
        GoPluginIdentifier identifier = loaded.plugin().pluginIdentifier();
        return new ReadyMessage(
                true, loaded.descriptor(), identifier.getExtension(), identifier.getSupportedExtensionVersions());
    }

    /** The first and last line when the plugin is invalid. */
    record Failed(boolean ready, String error) {
        Failed(String error) {
            this(false, error);
        }
    }
}
