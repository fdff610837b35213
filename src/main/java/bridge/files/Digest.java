package bridge.files;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A checksum of bytes, in hexadecimal. */
public final class Digest {
  private static final int CHUNK = 1 << 16;

  private final MessageDigest digest;

  private Digest(String algorithm) {
    try {
      digest = MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has " + algorithm, e);
    }
  }

  public static Digest sha256() {
    return new Digest("SHA-256");
  }

  /** MD5, in which publishers of data sets give theirs; no protection against a forger. */
  public static Digest md5() {
    return new Digest("MD5");
  }

  /** Adds what is left of the buffer. */
  public Digest add(ByteBuffer bytes) {
    digest.update(bytes);
    return this;
  }

  /** Adds a text in UTF-8. */
  public Digest add(String text) {
    return add(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  /** Adds all that is left of a stream. */
  public Digest add(InputStream in) throws IOException {
    byte[] chunk = new byte[CHUNK];
    for (int got = in.read(chunk); got >= 0; got = in.read(chunk)) {
      digest.update(chunk, 0, got);
    }
    return this;
  }

  /** The checksum; afterwards the digest begins anew. */
  public String hex() {
    return HexFormat.of().formatHex(digest.digest());
  }
}
