package bridge.data;

import java.io.IOException;
import java.io.InputStream;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * One file as its publisher offers it.
 *
 * @param place the path
 * @param opener its bytes; for IDX files those inside the gzip wrapping, which anyone may renew
 * @param published the publisher's MD5, or null where none is known
 */
record PublishedFile(String place, Opener opener, String published) {

  /** Opens a file or a resource. */
  interface Opener {
    InputStream open() throws IOException;
  }

  /** The MD5 of the bytes, in hexadecimal. */
  String md5() {
    MessageDigest digest = digest("MD5");
    try (InputStream in = new DigestInputStream(opener.open(), digest)) {
      in.transferTo(java.io.OutputStream.nullOutputStream());
    } catch (IOException e) {
      throw DataException.unreadable(place, e);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** A digest every JDK has. */
  static MessageDigest digest(String algorithm) {
    try {
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
