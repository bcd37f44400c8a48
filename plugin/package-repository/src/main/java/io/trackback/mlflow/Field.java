package io.trackback.mlflow;

import com.google.gson.annotations.SerializedName;

/** One configuration field as GoCD's pages show it. */
record Field(
        @SerializedName("display-name") String displayName,
        @SerializedName("display-order") String displayOrder,
        @SerializedName("part-of-identity") boolean partOfIdentity,
        boolean required,
        boolean secure,
        @SerializedName("default-value") String defaultValue) {

    static Field required(int order, String displayName) {
        return new Field(displayName, String.valueOf(order), true, true, false, "");
    }

    static Field identity(int order, String displayName) {
        return identity(order, displayName, "");
    }

    static Field identity(int order, String displayName, String defaultValue) {
        return new Field(displayName, String.valueOf(order), true, false, false, defaultValue);
    }

    static Field optional(int order, String displayName) {
        return new Field(displayName, String.valueOf(order), false, false, false, "");
    }

    static Field secret(int order, String displayName) {
        return new Field(displayName, String.valueOf(order), false, false, true, "");
    }
}
