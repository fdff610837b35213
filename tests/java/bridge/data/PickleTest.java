package bridge.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.pickle.Pickled.Dict;
import bridge.pickle.Pickled.Items;
import bridge.torch.Memory;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What a hostile or damaged pickle may do: give an exception, nothing else. */
class PickleTest {
  private static Object read(byte[] pickle) {
    try (Memory memory = Memory.allocate(pickle.length)) {
      memory.copyFrom(pickle, 0, 0, pickle.length);
      return CifarPickle.unpickle("f", memory);
    }
  }

  private static Object read(String latin1) {
    return read(latin1.getBytes(StandardCharsets.ISO_8859_1));
  }

  private static String refused(String latin1) {
    String message = assertThrows(DataException.class, () -> read(latin1)).getMessage();
    assertEquals(1, message.lines().count(), message);
    return message;
  }

  @Test
  void callsAreNamedAndNeverMade() {
    byte[] attack = PythonPickle.of(new PythonPickle.Call("posix", "system", "touch /tmp/x"));
    String message = assertThrows(DataException.class, () -> read(attack)).getMessage();
    assertTrue(message.contains("names posix.system"), message);
    assertTrue(message.contains("nothing was run"), message);
  }

  @Test
  void reconstructMakesNothingButArrays() {
    assertTrue(
        refused("cnumpy.core.multiarray\n_reconstruct\ncos\nsystem\n\u0085R.")
            .contains("names os.system"));
    assertTrue(refused("cnumpy\ndtype\n(R.").contains("takes a value that is not there"));
    assertTrue(refused("cnumpy\ndtype\n)R.").contains("calls numpy.dtype"));
  }

  @Test
  void valuesThatAreNotThereAreRefused() {
    for (String pickle :
        List.of(".", "t.", "e.", "a.", "K\1a.", "s.", "h\7.", "j\1\0\0\0.", "q\1.", "b.", "R.")) {
      refused(pickle);
    }
  }

  @Test
  void unknownOpcodesAreNamedWithTheirByte() {
    assertTrue(
        refused("\u0080\2K\1i.").contains("opcode 0x69, which no CIFAR file needs (byte 4)"));
    assertTrue(refused("\u0080\5.").contains("protocol 5"));
  }

  @Test
  void lengthsBeyondTheFileAreRefused() {
    assertTrue(refused("T\u00ff\u00ff\u00ff\u00ff.").contains("ends too early"));
    assertTrue(refused("X\u00ff\u00ff\u00ff\u007f.").contains("ends too early"));
    assertTrue(refused("c" + "a".repeat(5000)).contains("names a global of more than"));
  }

  @Test
  void keysMustBeNames() {
    byte[] odd = "}]]s.".getBytes(StandardCharsets.ISO_8859_1);
    try (Memory memory = Memory.allocate(odd.length)) {
      memory.copyFrom(odd, 0, 0, odd.length);
      var e =
          assertThrows(
              DataException.class, () -> CifarPickle.read("f", memory, "labels", 10).size());
      assertTrue(e.getMessage().contains("a key that is no name"), e.getMessage());
    }
    assertTrue(refused("}(U\1au.").contains("a key without a value"));
    assertTrue(refused("](U\1aK\1u.").contains("no dict"));
    assertTrue(refused("}K\1a.").contains("no list"));
  }

  @Test
  void cyclesDoNoHarm() {
    assertTrue(read("]q\1h\1a.") instanceof Items list && list.items().getFirst() == list);
    assertTrue(read("}q\1U\1ah\1s.") instanceof Dict map && map.entries().containsValue(map));
  }

  @Test
  void tooManyOpcodesAreRefused() {
    assertTrue(refused("N".repeat(2_100_000) + ".").contains("larger than any CIFAR file's"));
  }

  @Test
  void arraysMustBeBytesOfTheirShape() {
    String before = "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\u0085R(K\1";
    String type = "cnumpy\ndtype\nU\2%s\u0085R\u0089U\4abcd" + "tb.";
    Object good = read(before + "K\2K\2\u0086" + type.formatted("u1"));
    assertTrue(good instanceof NumpyGlobals.Array array && array.rows() == 2 && !array.fortran());
    assertTrue(refused(before + "K\2K\3\u0086" + type.formatted("u1")).contains("2 by 3 in 4"));
    assertTrue(refused(before + "K\4\u0085" + type.formatted("u1")).contains("array of"));
    assertTrue(refused(before + "K\2K\2\u0086" + type.formatted("O8")).contains("type O8"));
    String huge = "J\u00ff\u00ff\u00ff\u007fJ\u00ff\u00ff\u00ff\u007f\u0086";
    assertTrue(refused(before + huge + type.formatted("u1")).contains("in 4 bytes"));
    assertTrue(
        refused(
                before
                    + "J\u00fe\u00ff\u00ff\u00ffJ\u00fe\u00ff\u00ff\u00ff\u0086"
                    + type.formatted("u1"))
            .contains("in 4 bytes"));
  }

  @Test
  void secondArrayIsRefused() {
    var array = new PythonPickle.Array(1, 1, false, new byte[1]);
    byte[] two = PythonPickle.of(List.of(array, array));
    assertThrows(DataException.class, () -> read(two));
  }

  @Test
  void randomDamageGivesAnExceptionOrAValue() {
    byte[] good =
        PythonPickle.of(
            Map.of("data", new PythonPickle.Array(2, 3, false, new byte[6]), "labels", List.of(1)));
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      byte[] bad = Arrays.copyOf(good, good.length - random.nextInt(3));
      for (int n = random.nextInt(4); n >= 0; n--) {
        bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
      }
      try {
        read(bad);
      } catch (DataException e) {
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed + ": " + Arrays.toString(bad), e);
      }
    }
  }
}
