package io.trackback.mlflow.hostile;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** A server that sends any bytes, also invalid HTTP; one request a connection. */
final class RawSocketServer implements AutoCloseable {
    final List<Request> requests = new CopyOnWriteArrayList<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Set<Socket> open = new HashSet<>();
    private final ServerSocket socket;
    private volatile Script script = (request, out) -> {};

    /** Writes the answer to a request; the connection is closed after it. */
    interface Script {
        void play(Request request, OutputStream out) throws IOException;
    }

    /** One request: its first line, such as `GET /path HTTP/1.1`, and what comes after it. */
    record Request(String line, InputStream rest) {
        void awaitHangUp() throws IOException {
            rest.transferTo(OutputStream.nullOutputStream());
        }
    }

    RawSocketServer() throws IOException {
        socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        threads.execute(this::accept);
    }

    String url() {
        return "http://127.0.0.1:" + socket.getLocalPort();
    }

    void play(Script next) {
        script = next;
    }

    private void accept() {
        while (!socket.isClosed()) {
            try {
                Socket connection = socket.accept();
                begun(connection);
                threads.execute(() -> serve(connection));
            } catch (IOException closed) {
                return;
            }
        }
    }

    private synchronized void begun(Socket connection) {
        open.add(connection);
    }

    private synchronized void ended(Socket connection) {
        open.remove(connection);
        notifyAll();
    }

    /** Whether every connection is closed, by the plugin or by the end of its script, within the limit. */
    synchronized boolean isHungUpOn(Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        try {
            while (!open.isEmpty() && System.nanoTime() < end) {
                TimeUnit.NANOSECONDS.timedWait(this, end - System.nanoTime());
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        return open.isEmpty();
    }

    private void serve(Socket connection) {
        try (connection) {
            Request request = readRequest(new BufferedInputStream(connection.getInputStream()));
            requests.add(request);
            script.play(request, connection.getOutputStream());
        } catch (IOException hungUp) {
            // The plugin may close the connection early.
        } finally {
            ended(connection);
        }
    }

    private static Request readRequest(InputStream in) throws IOException {
        String first = line(in);
        int length = 0;
        for (String header = line(in); !header.isEmpty(); header = line(in)) {
            if (header.toLowerCase(Locale.ROOT).startsWith("content-length:")) {
                length = Integer.parseInt(header.substring(15).strip());
            }
        }
        in.skipNBytes(length);
        return new Request(first, in);
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); next != '\n'; next = in.read()) {
            if (next < 0) {
                throw new IOException("hung up in the middle of a request");
            }
            line.append((char) next);
        }
        return line.toString().strip();
    }

    @Override
    public void close() throws IOException {
        socket.close();
        threads.shutdownNow();
        closeConnections();
    }

    private synchronized void closeConnections() throws IOException {
        for (Socket connection : open) {
            connection.close();
        }
    }
}
