package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.trackback.mlflow.StubServer;
import java.io.IOException;
import java.io.OutputStream;
import java.util.stream.Stream;

/** A response that is invalid HTTP or does not end; its body, if any, is a valid reply. */
record HostileResponse(String name, RawSocketServer.Script script) {
    private static final byte[] MEGABYTE = "x".repeat(1 << 20).getBytes(ISO_8859_1);
    private static final String OK = "HTTP/1.1 200 OK\r\n";

    @Override
    public String toString() {
        return name;
    }

    /** Refused at the end of the time limit. */
    static Stream<HostileResponse> late() {
        return Stream.of(
                row("silence", out -> {}),
                row("headers that drip", out -> drip(out, OK + "X-Drip: ", "x")),
                row("a body that drips", out -> drip(out, OK + "\r\n{", " ")),
                row("a body that stops in the middle", out -> write(out, OK + "Content-Length: 1000\r\n\r\n{\"exp")),
                row("chunks that drip", out -> drip(out, OK + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")));
    }

    /** Refused at once. */
    static Stream<HostileResponse> broken() {
        return Stream.of(endless(), long_(), noHttp(), lengths(), chunks(), headers()).flatMap(rows -> rows);
    }

    private static Stream<HostileResponse> endless() {
        return Stream.of(
                row("an endless status line", out -> forEver(out, "HTTP/1.1 200 ")),
                row("an endless header", out -> forEver(out, OK + "X-Long: ")),
                row("endless headers", out -> forEver(out, OK, "X-Many: " + "x".repeat(8000) + "\r\n")),
                row("endless early hints", out -> forEver(out, "", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")),
                row("an endless body", out -> forEver(out, OK + "\r\n")),
                row("an endless body in chunks", out -> forEver(
                        out, OK + "Transfer-Encoding: chunked\r\n\r\n", "2000\r\n" + " ".repeat(8192) + "\r\n")),
                row("an endless size of a chunk", out -> forEver(
                        out, OK + "Transfer-Encoding: chunked\r\n\r\n", "0".repeat(8192))),
                row("an endless extension of a chunk", out -> forEver(
                        out, OK + "Transfer-Encoding: chunked\r\n\r\n5;x=")),
                row("a body that never ends though it has said how long it is", out -> forEver(
                        out, OK + "Content-Length: 9223372036854775807\r\n\r\n")));
    }

    private static Stream<HostileResponse> long_() {
        return Stream.of(
                row("one header of 1 MB", out -> {
                    write(out, OK + "X-Long: ");
                    out.write(MEGABYTE);
                    write(out, "\r\n\r\n{}");
                }),
                row("1 MB of headers", out -> write(
                        out, OK + ("X: " + "x".repeat(1000) + "\r\n").repeat(1000) + "\r\n{}")),
                row("a hundred early hints", out -> write(
                        out, "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100) + OK + "Content-Length: 2\r\n\r\n{}")));
    }

    private static Stream<HostileResponse> noHttp() {
        return Stream.of(
                closed("nothing at all", ""),
                closed("a body without a head", "{}"),
                closed("a head that breaks off", "HTTP/1.1 200 OK\r\nContent-Le"),
                closed("NULs", "\0".repeat(4096)),
                open("a line of text", GocdAnswer.CANARY + "\r\n\r\n"),
                open("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
                open("the greeting of another protocol", "SSH-2.0-OpenSSH_9.2 " + GocdAnswer.CANARY + "\r\n"),
                open("a status that is no number", "HTTP/1.1 2OO OK\r\n\r\n{}"),
                open("a status in the wrong place", "HTTP/1.1  200 OK\r\n\r\n{}"),
                open("a status below 100", "HTTP/1.1 020 OK\r\n\r\n{}"));
    }

    private static Stream<HostileResponse> lengths() {
        Stream<HostileResponse> noNumbers = Stream.of(
                        "", "many", "1e3", "0x10", "10, 10", "12 13", "9223372036854775808")
                .map(length -> under("a Content-Length of '" + length + "'", "Content-Length: " + length));
        Stream<HostileResponse> wrong = Stream.of(
                around("a Content-Length below nothing", "Content-Length: -5", ""),
                around("a Content-Length that is too small", "Content-Length: 20", ""),
                around("a Content-Length that is too big", "Content-Length: 100000", ""),
                around("two lengths", "Content-Length: 20\r\nContent-Length: 21", ""),
                around("no chunks though it says so", "Content-Length: 20\r\nTransfer-Encoding: chunked", ""));
        return Stream.concat(noNumbers, wrong);
    }

    private static Stream<HostileResponse> chunks() {
        Stream<HostileResponse> sizes = Stream.of(
                        "", "zz", "-1", "5", "0", "100000", "7fffffff", "ffffffff", "ffffffffffffffff")
                .map(size -> around("a chunk of size '" + size + "'", "Transfer-Encoding: chunked", size + "\r\n"));
        return Stream.concat(
                sizes, Stream.of(around("zipped chunks", "Transfer-Encoding: gzip, chunked", "0400\r\n")));
    }

    private static Stream<HostileResponse> headers() {
        return Stream.of("a blank: x", "nul\0: x", "x: a\0b", "\u00e9: x")
                .map(header -> under("the header '" + header.replace('\0', '0') + "'", header));
    }

    private interface Writer {
        void write(OutputStream out) throws IOException;
    }

    /** Leaves the connection open, so that the plugin has to close it. */
    private static HostileResponse row(String name, Writer writer) {
        return new HostileResponse(name, (request, out) -> {
            writer.write(out);
            request.awaitHangUp();
        });
    }

    private static HostileResponse open(String name, String answer) {
        return row(name, out -> write(out, answer));
    }

    private static HostileResponse closed(String name, String answer) {
        return new HostileResponse(name, (request, out) -> write(out, answer));
    }

    /** A valid reply under a header that is wrong. */
    private static HostileResponse under(String name, String header) {
        HostileResponse wrong = around(name, header, "");
        return new HostileResponse(name, (request, out) -> {
            wrong.script().play(request, out);
            request.awaitHangUp();
        });
    }

    /** A valid reply with one thing wrong around it. */
    private static HostileResponse around(String name, String header, String beforeBody) {
        return new HostileResponse(name, (request, out) -> {
            write(out, OK + "Connection: close\r\n" + header + "\r\n\r\n" + beforeBody);
            out.write(HostileBody.valid(Endpoint.of(request.line())));
            out.flush();
        });
    }

    private static void write(OutputStream out, String text) throws IOException {
        out.write(text.getBytes(ISO_8859_1));
        out.flush();
    }

    private static void drip(OutputStream out, String start, String drop) throws IOException {
        write(out, start);
        while (true) {
            write(out, drop);
            StubServer.pause(20);
        }
    }

    private static void forEver(OutputStream out, String start) throws IOException {
        write(out, start);
        while (true) {
            out.write(MEGABYTE);
        }
    }

    private static void forEver(OutputStream out, String start, String each) throws IOException {
        write(out, start);
        while (true) {
            write(out, each);
        }
    }
}
