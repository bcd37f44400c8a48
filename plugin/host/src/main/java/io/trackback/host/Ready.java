package io.trackback.host;

import com.thoughtworks.go.plugin.api.GoPluginIdentifier;
import java.util.List;

/** The first line: who was loaded and which messages it understands. */
record Ready(boolean ready, Descriptor plugin, String extension, List<String> versions) {

    static Ready with(LoadedPlugin loaded) {
        GoPluginIdentifier identifier = loaded.plugin().pluginIdentifier();
        return new Ready(
                true, loaded.descriptor(), identifier.getExtension(), identifier.getSupportedExtensionVersions());
    }

    /** The first and last line when the plugin is invalid. */
    record Failed(boolean ready, String error) {
        Failed(String error) {
            this(false, error);
        }
    }
}
