package bridge.checkpoint;

import static bridge.checkpoint.Hostile.assertRefused;
import static bridge.checkpoint.Hostile.n;
import static bridge.checkpoint.Hostile.put;
import static bridge.checkpoint.Hostile.reads;
import static bridge.checkpoint.Hostile.tensor;
import static bridge.checkpoint.Hostile.zip;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.torch.Scope;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Malicious pickles give a CheckpointException, soon and in bounded memory. */
final class HostilePicklesTest {
  private long alive;

  @BeforeEach
  void count() {
    alive = Scope.alive();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(alive, Scope.alive(), "native objects alive");
  }

  @Test
  void tensorsOutsideTheirStorageAreRefused() throws IOException {
    assertTrue(reads(tensor(16, 0, n(4, 4), n(4, 1))));
    assertTrue(reads(tensor(16, 15, n(4, 4), n(0, 0))));
    assertTrue(reads(tensor(16, 0, n(0, 1L << 40), n(1, 1))));
    assertRefused(tensor(16, 1, n(4, 4), n(4, 1)), "reaching to byte 68 of a storage of 64");
    assertRefused(tensor(17, 0, n(4, 4), n(4, 1)), "storage of 17 elements");
    assertRefused(tensor(Long.MAX_VALUE, 0, n(4), n(1)), "only 64 bytes are there");
    assertRefused(tensor(-1, 0, n(4), n(1)), "storage of -1 elements");
    assertRefused(tensor(16, -1, n(4), n(1)), "impossible layout");
    assertRefused(tensor(16, Long.MAX_VALUE, n(4), n(1)), "impossible layout");
    assertRefused(tensor(16, 3, n(4), n(-1)), "impossible layout");
    assertRefused(tensor(16, 0, n(-4), n(1)), "impossible layout");
    assertRefused(tensor(16, 0, n(4), n(1, 1)), "impossible layout");
    assertRefused(tensor(16, 0, n(2, 2), n(Long.MAX_VALUE, Long.MAX_VALUE)), "impossible layout");
    assertRefused(tensor(16, 0, n(1L << 40, 1L << 40), n(0, 0)), "impossible layout");
    assertRefused(tensor(16, 0, n(1L << 40), n(0)), "impossible layout");
    assertRefused(tensor(16, 0, n(0, 1L << 40, 1L << 40), n(1, 1, 1)), "impossible layout");
    assertRefused(tensor(16, 0, new long[65], new long[65]), "65 dimensions");
  }

  @Test
  void lengthsBeyondTheFileAreRefused() {
    assertRefused(zip("X\u00ff\u00ff\u00ff\u00ffab."), "ends too early");
    assertRefused(
        zip("\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007fab."), "ends too early");
    assertRefused(
        zip("\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ffab."), "ends too early");
    assertRefused(zip("\u008b\u00ff\u00ff\u00ff\u007f."), "number of 2147483647 bytes");
    assertRefused(zip("\u008b\u00ff\u00ff\u00ff\u00ff."), "ends too early");
    assertRefused(zip("}"), "ends too early");
    assertRefused(zip("cposix"), "ends too early");
    assertRefused(zip(""), "ends too early");
  }

  @Test
  void brokenStacksAreRefused() {
    for (String opcodes :
        new String[] {
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
          "}b.",
          "a.",
          "h\u0005.",
          "j\u0005\u0000\u0000\u0000.",
          "q\u0000.",
          "NQ.",
          ")Q.",
          "}}a.",
          "]NNs.",
          "\u0093.",
          "NN\u0093.",
          "\u0081.",
          "(1",
          "2.",
          "e.",
          "(e.",
          "\u0087.",
          "\u0082\u0001."
        }) {
      assertRefused(zip(opcodes), "fetch it again");
    }
  }

  @Test
  void containersInsideThemselvesAreRefused() {
    assertRefused(zip("}q\u0000X\n\u0000\u0000\u0000state_dicth\u0000s."), "no named tensors");
    assertRefused(zip("]q\u0000h\u0000a."), "no named tensors");
    assertRefused(zip("}q\u0000(h\u0000h\u0000u."), "no named tensors");
    assertRefused(zip("}q\u0000]q\u0001h\u0001a\u0085h\u0000s."), "no named tensors");
    String self = "c__torch__.M\nM\n)\u0081q\u0000}X\u0001\u0000\u0000\u0000ah\u0000sb.";
    assertRefused(
        zip(
            zip -> {
              put(zip, "a/data.pkl", ("\u0080\u0002" + self).getBytes(StandardCharsets.ISO_8859_1));
              put(zip, "a/constants.pkl", new byte[0]);
            }),
        "nested without end");
  }

  @ParameterizedTest(name = "{index}")
  @ValueSource(strings = {"(", "]", "}", ")", "N", "]q\u0000", "(t", "]]a"})
  void floodsOfOpcodesAreRefused(String opcodes) {
    assertRefused(zip(opcodes.repeat(20_000_000 / opcodes.length())), "larger than any checkpoint");
  }

  @Test
  void multiplyingCallsAreRefused() {
    String pair = "h\u0000";
    String calls = "h\u0001h\u0002R0".repeat(10_000);
    assertRefused(
        zip(
            "]q\u0003K\u0001K\u0002\u0086q\u0000a("
                + pair.repeat(100_000)
                + "eccollections\nOrderedDict\nq\u0001h\u0003\u0085q\u0002"
                + calls),
        "dicts of more than");
  }

  @Test
  void longNamesAreRefused() {
    assertRefused(zip("c" + "m".repeat(1_000_000) + "\nf\n."), "names a global of");
    assertRefused(
        zip(
            "X\u0040\u0042\u000f\u0000"
                + "m".repeat(1_000_000)
                + "q\u0000"
                + "h\u0000h\u0000\u00930".repeat(100_000)),
        "names a global of");
  }

  @Test
  void functionsThatActAreNamedWhereverTheyStand() {
    for (String global :
        new String[] {
          "posix\nsystem",
          "nt\nsystem",
          "os.path\njoin",
          "subprocess\nPopen",
          "builtins\neval",
          "__builtin__\nexecfile",
          "builtins\ngetattr",
          "importlib\nimport_module"
        }) {
      assertRefused(
          zip("}X\u0001\u0000\u0000\u0000xc" + global + "\ns."), global.replace('\n', '.'));
    }
  }

  @Test
  void unknownClassesAreNamed() {
    assertRefused(zip("cnets\nNet\n)\u0081}b."), "class nets.Net, not a state_dict");
    assertRefused(
        zip("}X\u0003\u0000\u0000\u0000netcnets\nNet\n)\u0081}bs."), "nets.Net under net");
    assertRefused(zip("cne\u0007ts\nNet\n)\u0081}b."), "ne?ts.Net");
  }
}
