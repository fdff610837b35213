package bridge.data;

import static bridge.data.SampleFiles.idxImages;
import static bridge.data.SampleFiles.idxLabels;
import static bridge.data.SampleFiles.write;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import bridge.data.DataCheck.FileReport;
import bridge.data.DataCheck.SplitReport;
import bridge.data.DataCheck.Verdict;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataCheckTest {
  @TempDir Path folder;

  private void files() {
    byte[] pixels = {0, 51, (byte) 255, 0, (byte) 204, (byte) 255};
    for (String split : List.of("train", "t10k")) {
      write(folder.resolve(split + "-images-idx3-ubyte"), idxImages(3, 1, 2, pixels));
      write(folder.resolve(split + "-labels-idx1-ubyte"), idxLabels(4, 2, 4));
    }
  }

  @Test
  void countsAndStatisticsAreThoseOfTheImages() throws Exception {
    files();
    DataCheck check = DataCheck.of(DataSpec.parse("mnist:" + folder));
    assertEquals("mnist:" + folder, check.data());
    assertEquals(
        List.of(Split.TRAIN, Split.TEST), check.splits().stream().map(SplitReport::split).toList());
    SplitReport train = check.splits().getFirst();
    assertEquals(3, train.images());
    assertEquals(List.of(1, 1, 2), List.of(train.channels(), train.height(), train.width()));
    assertEquals(10, train.classes());
    assertEquals(List.of(0, 2), List.of(train.fewest(), train.most()));
    assertEquals(List.of("0", "4"), List.of(train.fewestClass(), train.mostClass()));
    // 0, 0.2, 1, 0, 0.8, 1
    assertEquals(0.5, train.mean().getFirst(), 1e-12);
    assertEquals(Math.sqrt((0.04 + 1 + 0.64 + 1) / 6 - 0.25), train.std().getFirst(), 1e-12);
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    digest.update(new byte[] {0, 51, (byte) 255, 0, (byte) 204, (byte) 255});
    ByteBuffer labels = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    digest.update(labels.putInt(4).putInt(2).putInt(4).flip());
    assertEquals(HexFormat.of().formatHex(digest.digest()), train.sha256());
  }

  @Test
  void fileThatIsNotThePublishedOneIsTold() throws Exception {
    files();
    DataCheck check = DataCheck.of(DataSpec.parse("mnist:" + folder));
    assertFalse(check.isAsPublished());
    assertEquals(4, check.files().size());
    FileReport images = check.files().getFirst();
    assertEquals(folder.resolve("train-images-idx3-ubyte").toString(), images.file());
    assertEquals(Verdict.DIFFERENT, images.verdict());
    assertEquals("6bbc9ace898e44ae57da46a324031adb", images.published());
    byte[] content = Files.readAllBytes(Path.of(images.file()));
    assertEquals(
        HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(content)), images.md5());
  }

  @Test
  void publishedSumsOfCifarAreKnownByFileName() {
    byte[] record = new byte[3073];
    for (String file :
        List.of(
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
            "test_batch.bin")) {
      write(folder.resolve(file), record);
    }
    DataCheck check = DataCheck.of(DataSpec.parse("cifar10:" + folder));
    assertEquals(6, check.files().size());
    assertTrue(check.files().stream().allMatch(file -> file.verdict() == Verdict.UNKNOWN));
    assertTrue(check.isAsPublished());
    assertEquals("c58f30108f718f92721af3b95e74349a", CifarLayout.md5("cifar-10-python.tar.gz"));
    assertEquals("c99cafc152244af753f735de768cd75f", CifarLayout.md5("data_batch_1"));
  }

  @Test
  void debiansFashionMnistIsThePublishedOne() {
    assumeTrue(
        Files.isDirectory(Path.of("/usr/share/datasets/fashion-mnist")),
        "needs Debian's dataset-fashion-mnist");
    DataCheck check = DataCheck.of(DataSpec.parse("fashion-mnist"));
    assertEquals(List.of(60000, 10000), check.splits().stream().map(SplitReport::images).toList());
    assertEquals(0.2860, check.splits().getFirst().mean().getFirst(), 5e-5);
    assertEquals(0.3530, check.splits().getFirst().std().getFirst(), 5e-5);
    assertTrue(check.files().stream().allMatch(file -> file.verdict() == Verdict.PUBLISHED));
  }

  @Test
  void embeddedSetIsTheOneThatWasMade() {
    DataCheck check = DataCheck.of(DataSpec.parse("fashion-mnist-mini"));
    assertEquals(
        List.of(
            "24d033f4ed2dcf69c929ce052b5e377a4ee5fac909c63da59b243718f8a7fc4b",
            "dd3e6d93e6acb2b55c0fe4e64480c3ce8e09a5d40e82cdc39954927a48781898"),
        check.splits().stream().map(SplitReport::sha256).toList());
  }

  @Test
  void damagedSetGivesNoReport() {
    files();
    write(folder.resolve("t10k-images-idx3-ubyte"), new byte[20]);
    assertThrows(DataException.class, () -> DataCheck.of(DataSpec.parse("mnist:" + folder)));
  }
}
