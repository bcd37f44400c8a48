import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.HexFormat;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/**
 * A line of the file that GoCD's password-file plugin reads: {@code java PasswordLine USER < password}. The server's
 * image has no program that makes one, but it has a Java.
 */
public final class PasswordLine {
    private static final String ALGORITHM = "PBKDF2WithHmacSHA256";
    /** OWASP's advice for this algorithm. */
    private static final int ITERATIONS = 600_000;
    private static final int KEY_BITS = 256;
    private static final int SALT_BYTES = 16;

    private PasswordLine() {}

    public static void main(String[] arguments) throws IOException, GeneralSecurityException {
        String password = new String(System.in.readAllBytes(), StandardCharsets.UTF_8).strip();
        if (arguments.length != 1 || password.isEmpty()) {
            System.err.println("expected a user as the argument and a password on stdin");
            System.exit(1);
        }
        byte[] random = new byte[SALT_BYTES];
        new SecureRandom().nextBytes(random);
        String salt = HexFormat.of().formatHex(random);
        // The plugin takes the bytes of the salt's text, not those that the text stands for.
        byte[] key = derive(password.toCharArray(), salt.getBytes(StandardCharsets.US_ASCII));
        System.out.printf(
                "%s=$%s$%d$%d$%s$%s%n",
                arguments[0], ALGORITHM, ITERATIONS, KEY_BITS, salt, HexFormat.of().formatHex(key));
    }

    private static byte[] derive(char[] password, byte[] salt) throws GeneralSecurityException {
        PBEKeySpec spec = new PBEKeySpec(password, salt, ITERATIONS, KEY_BITS);
        return SecretKeyFactory.getInstance(ALGORITHM).generateSecret(spec).getEncoded();
    }
}
