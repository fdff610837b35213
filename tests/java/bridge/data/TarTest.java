package bridge.data;

import static bridge.data.SampleFiles.bytes;
import static bridge.data.SampleFiles.gzip;
import static bridge.data.SampleFiles.noise;
import static bridge.data.SampleFiles.tarHeader;
import static bridge.data.SampleFiles.tarMember;
import static bridge.data.SampleFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Memory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TarTest {
  @TempDir Path folder;

  /** The names of all plain files. */
  private List<String> names(byte[] archive) throws IOException {
    Path file = folder.resolve("a.tar");
    write(file, archive);
    List<String> names = new ArrayList<>();
    try (Tar tar = Tar.open(file)) {
      for (Tar.Entry entry = tar.next(); entry != null; entry = tar.next()) {
        names.add(entry.name());
      }
    }
    return names;
  }

  private String refused(byte[] archive) {
    return assertThrows(DataException.class, () -> names(archive)).getMessage();
  }

  @Test
  void contentOfEachMemberIsGiven() throws IOException {
    byte[] content = noise(700, 1);
    Path file = folder.resolve("a.tar.gz");
    write(
        file,
        gzip(
            bytes(
                out -> {
                  tarMember(out, "first", '0', noise(512, 2));
                  tarMember(out, "second", '0', content);
                })));
    try (Tar tar = Tar.open(file)) {
      tar.next();
      assertEquals(new Tar.Entry("second", 700), tar.next());
      try (Memory memory = tar.read()) {
        assertArrayEquals(content, memory.bytes(0, 700));
      }
      assertEquals(null, tar.next());
    }
  }

  @Test
  void longNamesOfBothKindsAreUnderstood() throws IOException {
    String name = "long/".repeat(40) + "name";
    byte[] gnu = (name + "\0").getBytes(StandardCharsets.US_ASCII);
    byte[] pax = ("30 mtime=1\n215 path=" + name + "\n").getBytes(StandardCharsets.US_ASCII);
    byte[] archive =
        bytes(
            out -> {
              tarMember(out, "folder/", '5', new byte[0]);
              tarMember(out, "././@LongLink", 'L', gnu);
              tarMember(out, "cut", '0', new byte[3]);
              tarMember(out, "pax", 'x', pax);
              tarMember(out, "cut", '0', new byte[3]);
              tarMember(out, "link", '2', new byte[0]);
              tarMember(out, "short", '\0', new byte[3]);
            });
    assertEquals(List.of(name, name, "short"), names(archive));
  }

  @Test
  void namesThatLeadOutAreRefused() {
    for (String name : List.of("../x", "a/../../x", "/etc/passwd", "a\\..\\x", "a/..")) {
      String message = refused(SampleFiles.tar(Map.of(name, new byte[1])));
      assertTrue(message.contains("leads out of it: " + name), message);
    }
  }

  @Test
  void everyTruncationIsRefusedOrEndsBetweenMembers() throws IOException {
    byte[] whole =
        bytes(
            out -> {
              tarMember(out, "a", '0', noise(100, 1));
              tarMember(out, "b", '0', noise(100, 2));
            });
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      if (length == 0 || length == 1024) {
        assertEquals(length / 1024, names(cut).size());
      } else {
        assertTrue(refused(cut).contains("is cut off (byte " + length), "length " + length);
      }
    }
  }

  @Test
  void damagedAndAbsurdHeadersAreRefused() {
    byte[] damaged = tarHeader("a", '0', 10);
    damaged[3]++;
    assertTrue(refused(damaged).contains("wrong checksum"));
    assertTrue(refused(noise(2048, 4)).contains("a.tar has a header"));
    assertTrue(refused(tarHeader("a", '0', (1L << 33) - 1)).contains("more than any data set's"));
    assertTrue(refused(tarHeader("a", 'L', 1 << 21)).contains("a name of"));
  }
}
