package io.trackback.host;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Path;

/** A JVM for one GoCD plugin: messages come in on stdin, answers go out on stdout, one JSON object a line. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws IOException {
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), false, UTF_8);
        // Keeps what a plugin prints out of the answers.
        System.setOut(System.err);
        if (arguments.length != 1) {
            System.err.println("expected one argument, the plugin's jar, found " + arguments.length);
            System.exit(2);
        }
        JsonLines lines = new JsonLines(answers);
        LoadedPlugin plugin;
        try {
            plugin = LoadedPlugin.load(Path.of(arguments[0]));
        } catch (InvalidPluginException | IOException invalid) {
            lines.write(new ReadyMessage.Failed(JsonLines.oneLine(invalid)));
            System.exit(1);
            return;
        }
        lines.write(ReadyMessage.with(plugin));
        new MessageLoop(plugin, lines).run(new BufferedReader(new InputStreamReader(System.in, UTF_8)));
    }
}
