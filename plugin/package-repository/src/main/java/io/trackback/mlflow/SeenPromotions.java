package io.trackback.mlflow;

import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The ids of the promotions that were reported: the value SEEN in the revision's data. */
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

    /**
     * Adds `promotion`. Above 2,000 ids only those in `present` stay. Below, none is dropped, because a response that
     * leaves runs out would report them again later.
     */
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
