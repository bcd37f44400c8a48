package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;

/** A body that is not exactly one valid JSON object in UTF-8. `maker` makes it from a valid reply. */
record HostileBody(String name, Maker maker) {

    interface Maker {
        byte[] make(byte[] valid) throws IOException;
    }

    @Override
    public String toString() {
        return name;
    }

    /** A recorded reply of MLflow with the canary in its texts. */
    static byte[] valid(Endpoint endpoint) {
        return planted(endpoint).getBytes(UTF_8);
    }

    byte[] from(Endpoint endpoint) throws IOException {
        byte[] valid = valid(endpoint);
        byte[] hostile = maker.make(valid);
        assertFalse(Arrays.equals(valid, hostile), "the row changes nothing");
        return hostile;
    }

    static String planted(Endpoint endpoint) {
        return endpoint.reply()
                .replace("\"boosted\"", "\"" + GocdAnswer.CANARY + "\"")
                .replace("\"name\": \"price\"", "\"name\": \"" + GocdAnswer.CANARY + "\"")
                .replaceFirst("\\{", "{\"message\": \"" + GocdAnswer.CANARY + "\",");
    }

    static void send(OutputStream out, int status, byte[] body) throws IOException {
        String head = "HTTP/1.1 " + status + " " + GocdAnswer.CANARY + "\r\nConnection: close\r\nLocation: /"
                + GocdAnswer.CANARY + "\r\nContent-Length: " + body.length + "\r\n\r\n";
        out.write(head.getBytes(ISO_8859_1));
        out.write(body);
    }

    /** Refused by every endpoint. */
    static Stream<HostileBody> refused() {
        return Stream.of(noJson(), otherJson(), brokenJson(), deep(), badBytes()).flatMap(rows -> rows);
    }

    private static Stream<HostileBody> noJson() {
        return Stream.of(
                text("a page", "<!DOCTYPE html><html><body>Sign in " + GocdAnswer.CANARY + "</body></html>"),
                text("a word", GocdAnswer.CANARY),
                text("nothing", ""),
                text("blanks", " \r\n\t "),
                text("NULs", "\0".repeat(1000)),
                of("a valid reply, zipped though nobody asked for that", HostileBody::zipped));
    }

    private static Stream<HostileBody> otherJson() {
        return Stream.of(
                text("null", "null"),
                text("true", "true"),
                text("a number", "7"),
                text("a text", "\"" + GocdAnswer.CANARY + "\""),
                text("a list", "[]"),
                edit("a valid reply in a list", valid -> "[" + valid + "]"),
                edit("two valid replies", valid -> valid + "\n" + valid),
                edit("a valid reply and a word", valid -> valid + GocdAnswer.CANARY),
                edit("a valid reply and a brace", valid -> valid + "}"));
    }

    private static Stream<HostileBody> brokenJson() {
        return Stream.of(
                edit("half a valid reply", valid -> valid.substring(0, valid.length() / 2)),
                edit("a valid reply without its last brace", valid -> valid.substring(0, valid.lastIndexOf('}'))),
                edit("everything twice", valid -> valid.replaceFirst("(?s)\\{(.*)}", "{$1,$1}")),
                edit("a comma too many", valid -> valid.replaceFirst("(?s)}\\s*$", ",}")),
                edit("a comment", valid -> "/* " + GocdAnswer.CANARY + " */" + valid),
                edit("a prefix against scripts", valid -> ")]}'\n" + valid),
                edit("single quotes", valid -> valid.replace('"', '\'')),
                edit("keys without quotes", valid -> valid.replaceAll("\"([a-z_]+)\":", "$1:")),
                edit("NaN where nobody looks", valid -> valid.replaceFirst("\\{", "{\"x\": NaN,")),
                edit("a number with a leading zero", valid -> valid.replaceFirst("\\{", "{\"x\": 07,")),
                edit("an escape that does not exist", valid -> valid.replaceFirst("\\{", "{\"x\": \"\\\\q\",")),
                edit("half an escape at the end", valid -> valid.replaceFirst("(?s)}\\s*$", ",\"x\": \"\\\\u00")));
    }

    private static Stream<HostileBody> deep() {
        return Stream.of(
                text("100,000 lists", "[".repeat(100_000)),
                text("100,000 lists that are closed", "[".repeat(100_000) + "]".repeat(100_000)),
                text("100,000 objects", ("{\"" + GocdAnswer.CANARY + "\":").repeat(100_000)),
                edit("100,000 lists where nobody looks", valid -> valid.replaceFirst(
                        "\\{", "{\"x\":" + "[".repeat(100_000) + "]".repeat(100_000) + ",")));
    }

    private static Stream<HostileBody> badBytes() {
        return Stream.of(
                of("a byte that is no UTF-8", valid -> within(valid, 0xff)),
                of("an overlong slash", valid -> within(valid, 0xc0, 0xaf)),
                of("half a surrogate pair in UTF-8", valid -> within(valid, 0xed, 0xa0, 0x80)),
                of("a letter beyond Unicode", valid -> within(valid, 0xf4, 0x90, 0x80, 0x80)),
                of("half a letter at the end", valid -> joined(valid, new byte[] {(byte) 0xc5})),
                of("Latin-1", valid -> within(valid, 0xe9)),
                of("UTF-16", valid -> new String(valid, UTF_8).getBytes(UTF_16)),
                of("UTF-16 without a byte order mark", valid -> new String(valid, UTF_8).getBytes("UTF-16LE")),
                of("UTF-32", valid -> new String(valid, UTF_8).getBytes("UTF-32")));
    }

    private static HostileBody of(String name, Maker maker) {
        return new HostileBody(name, maker);
    }

    private static HostileBody text(String name, String body) {
        return of(name, valid -> body.getBytes(UTF_8));
    }

    private static HostileBody edit(String name, UnaryOperator<String> edit) {
        return of(name, valid -> edit.apply(new String(valid, UTF_8)).getBytes(UTF_8));
    }

    /** The bytes in a text of a key that no record reads. */
    private static byte[] within(byte[] valid, int... bytes) {
        byte[] strange = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            strange[i] = (byte) bytes[i];
        }
        byte[] start = joined("{\"x\": \"".getBytes(UTF_8), strange);
        return joined(joined(start, "\",".getBytes(UTF_8)), Arrays.copyOfRange(valid, 1, valid.length));
    }

    private static byte[] joined(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    private static byte[] zipped(byte[] valid) throws IOException {
        ByteArrayOutputStream zipped = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(zipped)) {
            zip.write(valid);
        }
        return zipped.toByteArray();
    }
}
