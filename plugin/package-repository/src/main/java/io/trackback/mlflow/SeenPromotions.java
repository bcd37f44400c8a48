package io.trackback.mlflow;

import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The ids of the promotions that were reported; it travels in the revision's data and is the plugin's only memory. */
record SeenPromotions(Set<String> ids) {
    static final int LIMIT = 2000;

    static SeenPromotions parse(String text) {
        return new SeenPromotions(Stream.of(text.split(" ")).filter(id -> !id.isEmpty()).collect(Collectors.toSet()));
    }

    static SeenPromotions of(Collection<Promotion> promotions) {
        return new SeenPromotions(promotions.stream().map(Promotion::id).collect(Collectors.toSet()));
    }

    boolean has(Promotion promotion) {
        return ids.contains(promotion.id());
    }

    /** Above the limit only those that are still present stay; below it nothing is forgotten,
     * so that a short reply of MLflow never promotes an old model again. */
    SeenPromotions with(Promotion promotion, Collection<Promotion> present) {
        Set<String> all = new TreeSet<>(ids);
        all.add(promotion.id());
        if (all.size() > LIMIT) {
            all.retainAll(of(present).ids());
        }
        return new SeenPromotions(all);
    }

    String text() {
        return String.join(" ", new TreeSet<>(ids));
    }
}
