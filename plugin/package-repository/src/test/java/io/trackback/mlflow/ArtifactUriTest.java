package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ArtifactUriTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "mlflow-artifacts:/1/models/m-0/artifacts",
                "s3://bucket_1/a/b",
                "gs://bucket/a",
                "file:///srv/artifacts/1",
                "/srv/artifacts/with blank",
                "wasbs://container@account.blob.core.windows.net/a",
                "dbfs:/a"
            })
    void aPlaceOfFilesPassesAsItStands(String uri) {
        assertEquals(uri, ArtifactUri.validOrEmpty(uri));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "artifacts/1",
                "javascript:alert(1)",
                "s3://key:secret@bucket/a",
                "s3://bucket/a?X-Amz-Signature=0",
                "gs://bucket/../other",
                "/srv/../etc",
                "s3://bucket/a#b",
                "file:///a b",
                "mailto:ada"
            })
    void anythingElseIsLeftOut(String uri) {
        assertEquals("", ArtifactUri.validOrEmpty(uri));
    }
}
