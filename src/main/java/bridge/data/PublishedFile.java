package bridge.data;

import bridge.files.Digest;
import java.io.IOException;
import java.io.InputStream;

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
    try (InputStream in = opener.open()) {
      return Digest.md5().add(in).hex();
    } catch (IOException e) {
      throw DataException.unreadable(place, e);
    }
  }
}
