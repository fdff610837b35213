package bridge.data;

import static bridge.data.SampleFiles.cifarBinary;
import static bridge.data.SampleFiles.gzip;
import static bridge.data.SampleFiles.noise;
import static bridge.data.SampleFiles.tar;
import static bridge.data.SampleFiles.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CifarFilesTest {
  private static final int IMAGE = SampleFiles.CIFAR_IMAGE;
  private static final int PER_BATCH = 2;
  private static final byte[] PIXELS = noise(5 * PER_BATCH * IMAGE, 2);
  private static final int[] LABELS = {4, 0, 9, 1, 1, 7, 3, 8, 2, 6};

  @TempDir Path folder;

  private static byte[] batchPixels(int batch) {
    return Arrays.copyOfRange(PIXELS, batch * PER_BATCH * IMAGE, (batch + 1) * PER_BATCH * IMAGE);
  }

  private static List<Integer> batchLabels(int batch) {
    return IntStream.range(batch * PER_BATCH, (batch + 1) * PER_BATCH)
        .map(i -> LABELS[i])
        .boxed()
        .toList();
  }

  private static byte[] binaryBatch(int batch) {
    int[][] labels =
        batchLabels(batch).stream().map(label -> new int[] {label}).toArray(int[][]::new);
    return cifarBinary(labels, batchPixels(batch));
  }

  private static byte[] pythonBatch(int batch) {
    var array = new PythonPickle.Array(PER_BATCH, IMAGE, false, batchPixels(batch));
    return pythonDict(array, "labels", batchLabels(batch));
  }

  static byte[] pythonDict(Object data, String labelKey, List<Integer> labels) {
    Map<String, Object> dict = new LinkedHashMap<>();
    dict.put("batch_label", "training batch 1 of 5");
    dict.put(labelKey, labels);
    dict.put("data", data);
    dict.put("filenames", labels.stream().map(l -> "image_s_%06d.png".formatted(l)).toList());
    return PythonPickle.of(dict);
  }

  /** The training batches in the order of the published archive, which is not 1 to 5. */
  private static Map<String, byte[]> python(String before) {
    Map<String, byte[]> members = new LinkedHashMap<>();
    members.put(before + "batches.meta", PythonPickle.of(Map.of("num_vis", 3072)));
    for (int batch : new int[] {3, 0, 4, 1, 2}) {
      members.put(before + "data_batch_" + (batch + 1), pythonBatch(batch));
    }
    members.put(before + "test_batch", pythonBatch(0));
    return members;
  }

  private static Map<String, byte[]> binary(String before) {
    Map<String, byte[]> members = new LinkedHashMap<>();
    for (int batch = 0; batch < 5; batch++) {
      members.put(before + "data_batch_%d.bin".formatted(batch + 1), binaryBatch(batch));
    }
    members.put(before + "test_batch.bin", binaryBatch(0));
    return members;
  }

  private void unpack(Map<String, byte[]> members) {
    members.forEach((name, content) -> write(folder.resolve(name), content));
  }

  private static ImageSet load(String spec) {
    return DataSpec.parse(spec).load(Split.TRAIN);
  }

  private static void assertSample(ImageSet set) {
    try (set) {
      assertEquals("cifar10 train [10, 3, 32, 32]", set.toString());
      assertArrayEquals(LABELS, SampleFiles.labels(set));
      assertArrayEquals(PIXELS, SampleFiles.pixels(set));
    }
  }

  private String refused(String spec) {
    String message = assertThrows(DataException.class, () -> load(spec).close()).getMessage();
    assertEquals(1, message.lines().count(), message);
    assertTrue(message.startsWith(folder.toString()), message);
    return message;
  }

  @Test
  void binaryFolderIsRead() {
    unpack(binary("cifar-10-batches-bin/"));
    assertSample(load("cifar10:" + folder));
    assertSample(load("cifar10:" + folder + "/cifar-10-batches-bin"));
  }

  @Test
  void pythonFolderIsRead() {
    unpack(python("cifar-10-batches-py/"));
    assertSample(load("cifar10:" + folder));
    assertSample(load("cifar10:" + folder + "/cifar-10-batches-py"));
  }

  @Test
  void archivesAreReadInTheOrderOfTheirNames() {
    write(folder.resolve("a.tgz"), gzip(tar(python("cifar-10-batches-py/"))));
    assertSample(load("cifar10:" + folder + "/a.tgz"));
    write(folder.resolve("b.tar"), tar(binary("cifar-10-batches-bin/")));
    assertSample(load("cifar10:" + folder + "/b.tar"));
  }

  @Test
  void archiveIsFoundInItsFolder() {
    write(folder.resolve("cifar-10-python.tar.gz"), gzip(tar(python("cifar-10-batches-py/"))));
    assertSample(load("cifar10:" + folder));
  }

  @Test
  void testSplitIsTheTestBatch() {
    unpack(python(""));
    try (ImageSet set = DataSpec.parse("cifar10:" + folder).load(Split.TEST)) {
      assertArrayEquals(batchPixels(0), SampleFiles.pixels(set));
    }
  }

  @Test
  void fortranOrderIsTurned() {
    byte[] columns = new byte[PER_BATCH * IMAGE];
    for (int row = 0; row < PER_BATCH; row++) {
      for (int column = 0; column < IMAGE; column++) {
        columns[column * PER_BATCH + row] = batchPixels(0)[row * IMAGE + column];
      }
    }
    unpack(python(""));
    var array = new PythonPickle.Array(PER_BATCH, IMAGE, true, columns);
    write(folder.resolve("data_batch_1"), pythonDict(array, "labels", batchLabels(0)));
    assertSample(load("cifar10:" + folder));
  }

  @Test
  void cifar100TakesTheFineLabel() {
    byte[] binary = cifarBinary(new int[][] {{19, 99}, {3, 42}}, batchPixels(0));
    write(folder.resolve("bin/train.bin"), binary);
    write(folder.resolve("bin/test.bin"), binary);
    var array = new PythonPickle.Array(2, IMAGE, false, batchPixels(0));
    byte[] python = pythonDict(array, "fine_labels", List.of(99, 42));
    write(folder.resolve("py/train"), python);
    write(folder.resolve("py/test"), python);
    for (String place : List.of("/bin", "/py")) {
      try (ImageSet set = load("cifar100:" + folder + place)) {
        assertArrayEquals(new int[] {99, 42}, SampleFiles.labels(set));
        assertEquals(List.of("worm", "leopard"), names(set));
        assertArrayEquals(batchPixels(0), SampleFiles.pixels(set));
      }
    }
  }

  private static List<String> names(ImageSet set) {
    return Arrays.stream(SampleFiles.labels(set)).mapToObj(set.classNames()::get).toList();
  }

  @Test
  void manyLabelsAndNamesAreRead() {
    int count = 1500; // memo numbers above 255, lists in more than one piece
    var labels = IntStream.range(0, count).map(i -> i % 100).boxed().toList();
    byte[] pixels = noise(count * IMAGE, 3);
    var array = new PythonPickle.Array(count, IMAGE, false, pixels);
    write(folder.resolve("train"), pythonDict(array, "fine_labels", labels));
    write(folder.resolve("test"), new byte[0]);
    try (ImageSet set = load("cifar100:" + folder)) {
      assertEquals(labels, Arrays.stream(SampleFiles.labels(set)).boxed().toList());
      assertArrayEquals(pixels, SampleFiles.pixels(set));
    }
  }

  @Test
  void everyTruncatedPickleIsRefused() {
    unpack(python(""));
    byte[] whole = pythonBatch(0);
    int end = whole.length;
    IntStream.concat(IntStream.range(0, 300), IntStream.range(end - 300, end))
        .forEach(
            length -> {
              write(folder.resolve("data_batch_1"), Arrays.copyOf(whole, length));
              refused("cifar10:" + folder);
            });
  }

  @Test
  void truncatedBinaryAndMissingFilesAreRefused() {
    unpack(binary(""));
    write(folder.resolve("data_batch_3.bin"), Arrays.copyOf(binaryBatch(2), 4000));
    assertTrue(refused("cifar10:" + folder).contains("data_batch_3.bin has 4000 bytes"));
    Map<String, byte[]> four = binary("");
    four.remove("data_batch_4.bin");
    write(folder.resolve("x/four.tar"), tar(four));
    String message = refused("cifar10:" + folder + "/x/four.tar");
    assertTrue(message.contains("data_batch_1 or data_batch_4.bin"), message);
  }

  @Test
  void labelBeyondTheClassesIsToldWithItsRecord() {
    unpack(binary(""));
    write(folder.resolve("data_batch_2.bin"), cifarBinary(new int[][] {{1}, {10}}, batchPixels(1)));
    String message = refused("cifar10:" + folder);
    assertTrue(message.contains("label 10 in record 1 (byte 3073)"), message);
  }

  @Test
  void whatIsNotThereIsTheUsersError() {
    assertThrows(UsageException.class, () -> load("cifar10:" + folder));
    assertThrows(UsageException.class, () -> load("cifar10:" + folder + "/nowhere"));
  }
}
