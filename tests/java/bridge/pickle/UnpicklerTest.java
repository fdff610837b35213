package bridge.pickle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.pickle.PickleFormat.Encoding;
import bridge.pickle.Pickled.ByteString;
import bridge.pickle.Pickled.Dict;
import bridge.pickle.Pickled.Global;
import bridge.pickle.Pickled.Items;
import bridge.pickle.Pickled.Opaque;
import bridge.pickle.Pickled.Tuple;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the one machine makes of good, damaged and hostile pickles, whoever uses it. */
class UnpicklerTest {
  /** Calls give what they were called with; everything is allowed but the module "never". */
  private static final class Recorder implements Globals {
    @Override
    public void check(Global global) {
      if (global.module().equals("never")) {
        throw PickleException.unsafe("names " + global);
      }
    }

    @Override
    public Object call(Object callee, List<Object> arguments) {
      return callee instanceof Global global ? new Opaque(global) : callee;
    }

    @Override
    public void build(Object object, Object state) {
      if (object instanceof Opaque opaque && state instanceof Dict dict) {
        opaque.attributes(dict);
      }
    }
  }

  private static PickleFormat format(Encoding encoding) {
    return new PickleFormat("test", 5, EnumSet.allOf(Opcode.class), encoding);
  }

  private static Unpickler.Result result(byte[] pickle, Encoding encoding) {
    Source source = (at, bytes) -> ByteBuffer.wrap(pickle, (int) at, bytes).slice();
    return Unpickler.read(source, 0, pickle.length, format(encoding), new Recorder());
  }

  private static byte[] latin1(String opcodes) {
    return opcodes.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static Object read(String opcodes) {
    return result(latin1(opcodes), Encoding.UTF8).value();
  }

  private static String refused(String opcodes, Encoding encoding) {
    var e = assertThrows(PickleException.class, () -> result(latin1(opcodes), encoding), opcodes);
    assertEquals(1, e.getMessage().lines().count(), e.getMessage());
    assertTrue(e.getMessage().startsWith("has a pickle that "), e.getMessage());
    assertTrue(e.getMessage().contains(" (byte "), e.getMessage());
    return e.getMessage();
  }

  private static String refused(String opcodes) {
    return refused(opcodes, Encoding.UTF8);
  }

  // ---- values --------------------------------------------------------------------------------

  @Test
  void plainValues() {
    assertEquals(-2L, read("J\u00fe\u00ff\u00ff\u00ff."));
    assertEquals(0xfedcL, read("M\u00dc\u00fe."));
    assertEquals(1.5, read("G\u003f\u00f8\0\0\0\0\0\0."));
    assertEquals(-1L, read("\u008a\1\u00ff."));
    assertEquals(0L, read("\u008a\0."));
    assertEquals(BigInteger.ONE.shiftLeft(64), read("\u008a\u0009\0\0\0\0\0\0\0\0\1."));
    assertEquals("ä", read("X\2\0\0\0\u00c3\u00a4."));
    assertEquals("ä", read("\u008c\2\u00c3\u00a4."));
    assertEquals("ab", read("\u008d\2\0\0\0\0\0\0\0ab."));
    assertEquals(true, read("\u0088."));
    assertEquals(false, read("\u0089."));
    assertEquals(null, read("N."));
    assertEquals(List.of(1L, 2L), assertInstanceOf(Tuple.class, read("(K\1K\2t.")).items());
    assertEquals(List.of(1L), assertInstanceOf(Tuple.class, read("K\1\u0085.")).items());
    assertEquals(
        List.of(1L, 2L, 3L), assertInstanceOf(Items.class, read("](K\1K\2eK\3a.")).items());
    assertEquals(List.of(1L), assertInstanceOf(Items.class, read("(K\1l.")).items());
    assertEquals(Map.of("a", 1L), assertInstanceOf(Dict.class, read("}U\1aK\1s.")).entries());
    assertEquals(Map.of("a", 1L), assertInstanceOf(Dict.class, read("(U\1aK\1d.")).entries());
    Opaque object = assertInstanceOf(Opaque.class, read("cm\nC\n)\u0081}U\1aK\1sb."));
    assertEquals(new Global("m", "C"), object.type());
    assertEquals(Map.of("a", 1L), object.attributes());
    assertEquals(3, result(latin1("K\1.rest"), Encoding.UTF8).end());
  }

  @Test
  void encodingIsThatOfPython2Strings() {
    for (String string : List.of("U\2ab.", "T\2\0\0\0ab.")) {
      assertEquals("ab", read(string));
      var bytes = (ByteString) result(latin1(string), Encoding.BYTES).value();
      assertEquals("ab", bytes.text().orElseThrow());
      assertEquals(string.indexOf('a'), bytes.start());
    }
    for (String string : List.of("C\2ab.", "B\2\0\0\0ab.", "\u008e\2\0\0\0\0\0\0\0ab.")) {
      assertEquals("ab", assertInstanceOf(ByteString.class, read(string)).text().orElseThrow());
    }
  }

  /** A terabyte of bytes costs neither heap nor time: nobody looks at them. */
  @Test
  void largeByteStringsStayWhereTheyAre() {
    long length = 1L << 40;
    byte[] head = latin1("\u008e\0\0\0\0\0\1\0\0");
    List<Long> asked = new ArrayList<>();
    Source source =
        (at, bytes) -> {
          asked.add(at);
          byte[] part = new byte[bytes];
          for (int i = 0; i < bytes; i++) {
            long place = at + i;
            part[i] =
                place < head.length
                    ? head[(int) place]
                    : place == head.length + length ? (byte) '.' : 0;
          }
          return ByteBuffer.wrap(part);
        };
    var value =
        Unpickler.read(source, 0, head.length + length + 1, format(Encoding.UTF8), new Recorder())
            .value();
    ByteString bytes = assertInstanceOf(ByteString.class, value);
    assertEquals(length, bytes.length());
    assertEquals(head.length, bytes.start());
    assertTrue(bytes.text().isEmpty(), "too long for a name");
    assertEquals(2, asked.size(), "one look at the head, one at the end");
  }

  // ---- damage and attacks --------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(Encoding.class)
  void brokenStacks(Encoding encoding) {
    for (String opcodes :
        List.of(
            "0.",
            ".",
            "t.",
            "(0.",
            "s.",
            "N}s.",
            "}NNNu.",
            "(Nu.",
            "R.",
            "NNR.",
            "a.",
            "e.",
            "(e.",
            "h\u0005.",
            "j\u0005\0\0\0.",
            "q\0.",
            "NQ.",
            ")Q.",
            "}}a.",
            "]NNs.",
            "\u0093.",
            "NN\u0093.",
            "\u0081.",
            "(1",
            "2.",
            "\u0087.",
            "\u0082\1.",
            "K\1a.",
            "h\7.",
            "q\1.",
            "b.",
            "Nb.",
            "K\1b.",
            "}(U\1au.",
            "](U\1aK\1u.",
            "}K\1a.",
            "cnumpy\ndtype\n(R.",
            "l.",
            "\u0090.")) {
      refused(opcodes, encoding);
    }
  }

  @Test
  void lengthsBeyondTheEnd() {
    for (String opcodes :
        List.of(
            "",
            "}",
            "K",
            "X\u00ff\u00ff\u00ff\u00ffab.",
            "T\u00ff\u00ff\u00ff\u00ff.",
            "B\u00ff\u00ff\u00ff\u00ff.",
            "X\u00ff\u00ff\u00ff\u007f.",
            "cposix",
            "cposix\nsys",
            "\u008b\u00ff\u00ff\u00ff\u00ff.",
            "\u0095\0.",
            "\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007fab.",
            "\u008e\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ffab.")) {
      for (Encoding encoding : Encoding.values()) {
        assertTrue(refused(opcodes, encoding).contains("ends too early"), opcodes);
      }
    }
    assertTrue(refused("\u008b\u00ff\u00ff\u00ff\u007f.").contains("number of 2147483647 bytes"));
  }

  @ParameterizedTest(name = "{index}")
  @ValueSource(strings = {"(", "]", "}", ")", "N", "]q\0", "(t", "]]a", "U\1a", "C\1a"})
  void floodsOfOpcodes(String opcodes) {
    assertTrue(
        refused(opcodes.repeat(7_000_000 / opcodes.length())).contains("larger than any test's"));
  }

  @Test
  void floodsOfText() {
    String copied = "X\u0040\u0042\u000f\0" + "m".repeat(1_000_000) + "0";
    assertTrue(refused(copied.repeat(140)).contains("larger than any test's"));
  }

  @Test
  void namesOfGlobals() {
    assertTrue(refused("c" + "m".repeat(5000)).contains("names a global of more than 1000"));
    assertTrue(
        refused("X\u0088\u0013\0\0" + "m".repeat(5000) + "U\1f\u0093.").contains("names a global"));
    for (String never : List.of("cnever\nf\n.", "U\5neverU\1f\u0093.", "}U\1xcnever\nf\ns.")) {
      String message = refused(never);
      assertTrue(message.contains("names never.f (byte "), message);
      assertTrue(message.endsWith("nothing was run, do not use the file"), message);
    }
    Global odd = new Global("a\u0007", "b".repeat(200));
    assertTrue(odd.toString().startsWith("a?.bbb") && odd.toString().length() <= 101);
  }

  @Test
  void valuesOfAnotherTypeAreNamedInWords() {
    assertTrue(refused("K\1K\2\u0093.").contains("has another value where a text belongs"));
    assertTrue(refused("K\1K\2R.").contains("has another value where a tuple belongs"));
  }

  @Test
  void opcodesAndProtocolsThatTheFormatLacks() {
    PickleFormat narrow =
        new PickleFormat(
            "test", 2, EnumSet.of(Opcode.PROTO, Opcode.NONE, Opcode.STOP), Encoding.BYTES);
    Map<String, String> wrong = new HashMap<>();
    wrong.put("\u0080\2NK\1.", "holds opcode 0x4b, which no test needs (byte 3)");
    wrong.put("i.", "holds opcode 0x69, which no test needs (byte 0)");
    wrong.put("\u0080\3N.", "is of protocol 3, expected at most 2 (byte 0)");
    wrong.forEach(
        (opcodes, message) -> {
          byte[] pickle = latin1(opcodes);
          Source source = (at, bytes) -> ByteBuffer.wrap(pickle, (int) at, bytes).slice();
          var e =
              assertThrows(
                  PickleException.class,
                  () -> Unpickler.read(source, 0, pickle.length, narrow, new Recorder()));
          assertTrue(e.getMessage().contains(message), e.getMessage());
        });
    for (int code = 0; code < 256; code++) {
      Opcode opcode = Opcode.of(code);
      assertTrue(opcode == null || opcode.code == code);
    }
  }

  @Test
  void cyclesDoNoHarm() {
    Items list = assertInstanceOf(Items.class, read("]q\1h\1a."));
    assertSame(list, list.items().getFirst());
    Dict dict = assertInstanceOf(Dict.class, read("}q\1U\1ah\1s."));
    assertSame(dict, dict.entries().get("a"));
    assertInstanceOf(Dict.class, read("}q\0(h\0h\0u."));
    assertInstanceOf(Dict.class, read("}q\0]q\1h\1a\u0085h\0s."));
  }

  @Test
  void anyBytesAreAValueOrRefused() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    Opcode[] all = Opcode.values();
    for (int i = 0; i < 100_000; i++) {
      byte[] pickle = new byte[1 + random.nextInt(30)];
      for (int k = 0; k < pickle.length; k++) {
        pickle[k] =
            (byte)
                (random.nextInt(4) == 0
                    ? random.nextInt(20)
                    : all[random.nextInt(all.length)].code);
      }
      try {
        result(pickle, random.nextBoolean() ? Encoding.UTF8 : Encoding.BYTES);
      } catch (PickleException e) {
        assertEquals(1, e.getMessage().lines().count(), e.getMessage());
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed + ", pickle " + i, e);
      }
    }
  }
}
