package bridge.checkpoint;

import static bridge.checkpoint.SampleTensors.assertSame;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.files.FileException;
import bridge.files.WholeFile;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written is read back the same, and a failure leaves what was there. */
final class RoundTripTest {
  @TempDir Path folder;
  private long alive;

  @BeforeEach
  void count() {
    alive = Scope.alive();
  }

  @AfterEach
  void nothingLeaksAndNothingLiesAbout() throws IOException {
    assertEquals(alive, Scope.alive(), "native objects alive");
    try (Stream<Path> files = Files.walk(folder)) {
      assertTrue(files.noneMatch(f -> f.toString().endsWith(".part")), "a .part is left");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"w.pth", "w.safetensors", "name with space.pt"})
  void everyKindOfTensorComesBack(String name) {
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = SampleTensors.everyKind();
      Path file = folder.resolve(name);
      Checkpoints.write(file, tensors);
      try (StateDict state = Checkpoints.read(file)) {
        assertEquals(
            name.endsWith(".safetensors") ? Format.SAFETENSORS : Format.ZIP, state.format());
        assertEquals("", state.nestedUnder());
        assertEquals("", state.strippedPrefix());
        assertEquals(List.of(), state.ignored());
        assertSame(tensors, state.tensors());
      }
    }
  }

  @Test
  void tensorFileKeepsTextsAndTensors() {
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = SampleTensors.everyKind();
      Map<String, String> texts = Map.of("state", "{\"epoch\": 3, \"best\": \"ü\\n\"}");
      Path file = folder.resolve("state.safetensors");
      TensorFile.write(file, tensors, texts);
      try (TensorFile read = TensorFile.read(file)) {
        assertEquals(texts, read.metadata());
        assertSame(tensors, read.tensors());
      }
    }
  }

  @Test
  void nothingAtAllComesBackAsSafetensors() {
    Path file = folder.resolve("none.safetensors");
    TensorFile.write(file, Map.of(), Map.of());
    try (Scope _ = Scope.open("test");
        TensorFile read = TensorFile.read(file)) {
      assertEquals(Map.of(), read.tensors());
    }
  }

  @Test
  void wideNumbersInTheZipComeBack() {
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = SampleTensors.everyKind();
      Path file = folder.resolve("zip64.pth");
      WholeFile.write(file, out -> StateDictZip.write(new ZipWriter(out, 100), tensors));
      try (StateDict state = Checkpoints.read(file)) {
        assertSame(tensors, state.tensors());
      }
    }
  }

  /** Java's own reader compares the checksums. */
  @ParameterizedTest
  @ValueSource(longs = {100, 0xffffffffL})
  void otherZipReadersAcceptTheFile(long narrow) throws IOException {
    Path file = folder.resolve("w.pth");
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = SampleTensors.everyKind();
      WholeFile.write(file, out -> StateDictZip.write(new ZipWriter(out, narrow), tensors));
      int entries = 0;
      try (ZipInputStream zip = new ZipInputStream(Files.newInputStream(file))) {
        for (ZipEntry e = zip.getNextEntry(); e != null; e = zip.getNextEntry()) {
          zip.readAllBytes();
          entries++;
        }
      }
      assertEquals(tensors.size() + 3, entries);
      try (java.util.zip.ZipFile zip = new java.util.zip.ZipFile(file.toFile())) {
        assertEquals(entries, zip.size());
      }
    }
  }

  @Test
  void tensorsBeginAtMultiplesOf64() throws IOException {
    Path file = folder.resolve("w.pth");
    try (Scope _ = Scope.open("test")) {
      Checkpoints.write(file, SampleTensors.everyKind());
    }
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int found = 0;
    for (int at = 0; at + 30 < bytes.limit(); at++) {
      if (bytes.getInt(at) == 0x04034b50) {
        assertEquals(0, (at + 30 + bytes.getShort(at + 26) + bytes.getShort(at + 28)) % 64);
        found++;
      }
    }
    assertTrue(found > 10, "found " + found);
  }

  @Test
  void equalWeightsMakeEqualFiles() throws IOException {
    try (Scope _ = Scope.open("test")) {
      Checkpoints.write(folder.resolve("a.pth"), SampleTensors.everyKind());
      Checkpoints.write(folder.resolve("b.pth"), SampleTensors.everyKind());
    }
    assertEquals(-1, Files.mismatch(folder.resolve("a.pth"), folder.resolve("b.pth")));
  }

  @Test
  void moreTensorsThanAPlainZipCanCount() {
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      Tensor one = Tensor.of(new float[] {1});
      for (int i = 0; i < 66_000; i++) {
        tensors.put("t" + i, one);
      }
      Path file = folder.resolve("many.pth");
      Checkpoints.write(file, tensors);
      try (StateDict state = Checkpoints.read(file)) {
        assertEquals(66_000, state.tensors().size());
      }
    }
  }

  @Test
  void failureLeavesTheOldFile() throws IOException {
    for (String name : new String[] {"w.pth", "w.safetensors"}) {
      Path file = folder.resolve(name);
      try (Scope _ = Scope.open("test")) {
        Checkpoints.write(file, Map.of("old", Tensor.of(new float[] {1})));
      }
      byte[] old = Files.readAllBytes(file);
      var full =
          assertThrows(
              FileException.class,
              () ->
                  WholeFile.write(
                      file,
                      out -> {
                        out.put(new byte[10]);
                        throw new IOException("No space left on device");
                      }));
      assertTrue(full.getMessage().contains("the disk is full"), full::getMessage);
      assertArrayEquals(old, Files.readAllBytes(file));
      assertThrows(
          IllegalStateException.class,
          () ->
              WholeFile.write(
                  file,
                  _ -> {
                    throw new IllegalStateException("a bug");
                  }));
      assertArrayEquals(old, Files.readAllBytes(file));
    }
  }

  @Test
  void folderThatIsNotThereIsNamed() {
    Path file = folder.resolve("nowhere").resolve("w.pth");
    var e = assertThrows(FileException.class, () -> Checkpoints.write(file, Map.of()));
    assertEquals(1, e.exitCode());
    assertTrue(e.getMessage().contains(file.toString()), e::getMessage);
    assertTrue(e.getMessage().contains("there is no folder " + file.getParent()), e::getMessage);
  }

  @Test
  void missingFileIsTheRequestsFault() {
    for (Path file : List.of(folder.resolve("none.pth"), folder)) {
      var e = assertThrows(UsageException.class, () -> Checkpoints.read(file));
      assertTrue(e.getMessage().contains(file.toString()), e::getMessage);
      assertThrows(UsageException.class, () -> TensorFile.read(file));
    }
  }

  @Test
  void prefixIsStrippedOnlyWhereAllNamesHaveIt() {
    assertEquals("module.", prefix("module.a", "module.b.c"));
    assertEquals("module.model.", prefix("module.model.a", "module.model.b"));
    assertEquals("_orig_mod.module.", prefix("_orig_mod.module.a"));
    assertEquals("", prefix("module.a", "b"));
    assertEquals("", prefix("module.", "module.a"));
    assertEquals("", prefix("a.module.b"));
  }

  @Test
  void placeInSequentialIsStrippedWhereItHoldsNetwork() {
    assertEquals("module.0.", prefix("module.0.conv1.weight", "module.0.bn1.bias"));
    assertEquals("1.", prefix("1.conv1.weight", "1.fc.bias"));
    assertEquals("", prefix("0.weight", "0.bias"));
    assertEquals("", prefix("0.0.weight", "0.1.weight"));
    assertEquals("", prefix("0.conv1.weight", "1.weight"));
  }

  @Test
  void wrappedNetworkTakesItsOwnFile() {
    Path file = folder.resolve("wrapped.pth");
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("model.0.conv.weight", Tensor.of(new float[] {1}));
      tensors.put("model.0.fc.weight", Tensor.of(new float[] {2}));
      Checkpoints.write(file, tensors);
      Map<String, long[]> expected = new LinkedHashMap<>();
      tensors.forEach((name, t) -> expected.put(name, t.sizes()));
      try (StateDict read = Checkpoints.read(file)) {
        assertEquals("model.0.", read.strippedPrefix());
        assertEquals(expected.keySet(), read.match(expected).keySet());
        assertEquals(2, read.match(expected).get("model.0.fc.weight").item());
        Map<String, long[]> bare = Map.of("conv.weight", new long[0], "fc.weight", new long[0]);
        assertEquals(1, read.match(bare).get("conv.weight").item());
        Map<String, long[]> less = Map.of("model.0.conv.weight", new long[0]);
        var e = assertThrows(CheckpointException.class, () -> read.match(less));
        assertTrue(e.getMessage().contains("unexpected: fc.weight"), e::getMessage);
      }
    }
  }

  private String prefix(String... names) {
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : names) {
        tensors.put(name, Tensor.of(new float[] {1}));
      }
      Path file = folder.resolve("p.pth");
      Checkpoints.write(file, tensors);
      try (StateDict state = Checkpoints.read(file)) {
        state
            .tensors()
            .keySet()
            .forEach(n -> assertTrue(List.of(names).contains(state.strippedPrefix() + n)));
        return state.strippedPrefix();
      }
    }
  }

  @Test
  void matchToleratesWhatAuthorsTreatDifferently() {
    try (Scope _ = Scope.open("test")) {
      Path file = folder.resolve("m.pth");
      Tensor two = Tensor.zeros(DType.FLOAT32, Device.CPU, 2);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("sub_block1.w", two);
      tensors.put("fc.w", two);
      tensors.put("mu", two);
      Checkpoints.write(file, tensors);
      Map<String, long[]> expected = new LinkedHashMap<>();
      expected.put("bn.num_batches_tracked", new long[0]);
      expected.put("fc.w", new long[] {2});
      expected.put("std", new long[] {1, 3, 1, 1});
      try (StateDict state = Checkpoints.read(file)) {
        assertEquals(List.of("fc.w"), List.copyOf(state.match(expected).keySet()));
        expected.put("fc.w", new long[] {3});
        expected.put("fc.b", new long[] {3});
        var e = assertThrows(CheckpointException.class, () -> state.match(expected));
        assertTrue(e.getMessage().contains("missing: fc.b [3]"), e::getMessage);
        assertTrue(e.getMessage().contains("fc.w is [2], not [3]"), e::getMessage);
      }
    }
  }
}
