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

/** A body that is no single sound JSON object: made from a sound reply, or from nothing. */
record HostileBody(String name, Maker maker) {

    interface Maker {
        byte[] make(byte[] sound) throws IOException;
    }

    @Override
    public String toString() {
        return name;
    }

    /** What a real MLflow says, with the canary in its texts. */
    static byte[] sound(Endpoint endpoint) {
        return planted(endpoint).getBytes(UTF_8);
    }

    byte[] from(Endpoint endpoint) throws IOException {
        byte[] sound = sound(endpoint);
        byte[] hostile = maker.make(sound);
        assertFalse(Arrays.equals(sound, hostile), "the row changes nothing");
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

    /** Refused whatever was asked. */
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
                of("a sound reply, zipped though nobody asked for that", HostileBody::zipped));
    }

    private static Stream<HostileBody> otherJson() {
        return Stream.of(
                text("null", "null"),
                text("true", "true"),
                text("a number", "7"),
                text("a text", "\"" + GocdAnswer.CANARY + "\""),
                text("a list", "[]"),
                edit("a sound reply in a list", sound -> "[" + sound + "]"),
                edit("two sound replies", sound -> sound + "\n" + sound),
                edit("a sound reply and a word", sound -> sound + GocdAnswer.CANARY),
                edit("a sound reply and a brace", sound -> sound + "}"));
    }

    private static Stream<HostileBody> brokenJson() {
        return Stream.of(
                edit("half a sound reply", sound -> sound.substring(0, sound.length() / 2)),
                edit("a sound reply without its last brace", sound -> sound.substring(0, sound.lastIndexOf('}'))),
                edit("everything twice", sound -> sound.replaceFirst("(?s)\\{(.*)}", "{$1,$1}")),
                edit("a comma too many", sound -> sound.replaceFirst("(?s)}\\s*$", ",}")),
                edit("a comment", sound -> "/* " + GocdAnswer.CANARY + " */" + sound),
                edit("a prefix against scripts", sound -> ")]}'\n" + sound),
                edit("single quotes", sound -> sound.replace('"', '\'')),
                edit("keys without quotes", sound -> sound.replaceAll("\"([a-z_]+)\":", "$1:")),
                edit("NaN where nobody looks", sound -> sound.replaceFirst("\\{", "{\"x\": NaN,")),
                edit("a number with a leading zero", sound -> sound.replaceFirst("\\{", "{\"x\": 07,")),
                edit("an escape that does not exist", sound -> sound.replaceFirst("\\{", "{\"x\": \"\\\\q\",")),
                edit("half an escape at the end", sound -> sound.replaceFirst("(?s)}\\s*$", ",\"x\": \"\\\\u00")));
    }

    private static Stream<HostileBody> deep() {
        return Stream.of(
                text("100,000 lists", "[".repeat(100_000)),
                text("100,000 lists that are closed", "[".repeat(100_000) + "]".repeat(100_000)),
                text("100,000 objects", ("{\"" + GocdAnswer.CANARY + "\":").repeat(100_000)),
                edit("100,000 lists where nobody looks", sound -> sound.replaceFirst(
                        "\\{", "{\"x\":" + "[".repeat(100_000) + "]".repeat(100_000) + ",")));
    }

    private static Stream<HostileBody> badBytes() {
        return Stream.of(
                of("a byte that is no UTF-8", sound -> within(sound, 0xff)),
                of("an overlong slash", sound -> within(sound, 0xc0, 0xaf)),
                of("half a surrogate pair in UTF-8", sound -> within(sound, 0xed, 0xa0, 0x80)),
                of("a letter beyond Unicode", sound -> within(sound, 0xf4, 0x90, 0x80, 0x80)),
                of("half a letter at the end", sound -> joined(sound, new byte[] {(byte) 0xc5})),
                of("Latin-1", sound -> within(sound, 0xe9)),
                of("UTF-16", sound -> new String(sound, UTF_8).getBytes(UTF_16)),
                of("UTF-16 that is told by nothing", sound -> new String(sound, UTF_8).getBytes("UTF-16LE")),
                of("UTF-32", sound -> new String(sound, UTF_8).getBytes("UTF-32")));
    }

    private static HostileBody of(String name, Maker maker) {
        return new HostileBody(name, maker);
    }

    private static HostileBody text(String name, String body) {
        return of(name, sound -> body.getBytes(UTF_8));
    }

    private static HostileBody edit(String name, UnaryOperator<String> edit) {
        return of(name, sound -> edit.apply(new String(sound, UTF_8)).getBytes(UTF_8));
    }

    /** The bytes in a text that nobody looks at. */
    private static byte[] within(byte[] sound, int... bytes) {
        byte[] strange = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            strange[i] = (byte) bytes[i];
        }
        byte[] start = joined("{\"x\": \"".getBytes(UTF_8), strange);
        return joined(joined(start, "\",".getBytes(UTF_8)), Arrays.copyOfRange(sound, 1, sound.length));
    }

    private static byte[] joined(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    private static byte[] zipped(byte[] sound) throws IOException {
        ByteArrayOutputStream zipped = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(zipped)) {
            zip.write(sound);
        }
        return zipped.toByteArray();
    }
}
