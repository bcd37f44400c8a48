package io.trackback.mlflow;

import com.google.gson.annotations.SerializedName;

/** One field of GoCD's pages for repositories and packages, in the JSON names of GoCD's package-repository API. */
record ConfigField(
        @SerializedName("display-name") String displayName,
        @SerializedName("display-order") String displayOrder,
        @SerializedName("part-of-identity") boolean partOfIdentity,
        boolean required,
        boolean secure,
        @SerializedName("default-value") String defaultValue) {

    static ConfigField required(int order, String displayName) {
        return new ConfigField(displayName, String.valueOf(order), true, true, false, "");
    }

    static ConfigField identity(int order, String displayName) {
        return identity(order, displayName, "");
    }

    static ConfigField identity(int order, String displayName, String defaultValue) {
        return new ConfigField(displayName, String.valueOf(order), true, false, false, defaultValue);
    }

    static ConfigField optional(int order, String displayName) {
        return new ConfigField(displayName, String.valueOf(order), false, false, false, "");
    }

    static ConfigField secret(int order, String displayName) {
        return new ConfigField(displayName, String.valueOf(order), false, false, true, "");
    }
}
