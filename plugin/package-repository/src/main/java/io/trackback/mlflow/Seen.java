package io.trackback.mlflow;

import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The ids of the events that were reported; it travels in the revision's data and is the plugin's only memory. */
record Seen(Set<String> ids) {
    static final int LIMIT = 2000;

    static Seen parse(String text) {
        return new Seen(Stream.of(text.split(" ")).filter(id -> !id.isEmpty()).collect(Collectors.toSet()));
    }

    static Seen of(Collection<Event> events) {
        return new Seen(events.stream().map(Event::id).collect(Collectors.toSet()));
    }

    boolean has(Event event) {
        return ids.contains(event.id());
    }

    /** Above the limit only those that are still present stay; below it nothing is forgotten,
     * so that a short reply of MLflow never promotes an old model again. */
    Seen with(Event event, Collection<Event> present) {
        Set<String> all = new TreeSet<>(ids);
        all.add(event.id());
        if (all.size() > LIMIT) {
            all.retainAll(of(present).ids());
        }
        return new Seen(all);
    }

    String text() {
        return String.join(" ", new TreeSet<>(ids));
    }
}
