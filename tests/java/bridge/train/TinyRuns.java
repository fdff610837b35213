package bridge.train;

import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.torch.Device;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** Runs of a few steps on a few images, and what they told. */
final class TinyRuns {
  static final int STEPS_PER_EPOCH = 7;
  static final int STEPS = 2 * STEPS_PER_EPOCH;

  /** Two epochs of seven steps on a part of {@link #images}. */
  private static final String RECIPE =
      """
      {
        "name": "tiny",
        "student": {"model": "resnet8:width=4,stride=2"},
        "attack": {"epsilon": 0.1, "stepSize": 0.05, "steps": 2},
        "optimizer": {"learningRate": 0.05},
        "epochs": 2,
        "batch": 8,
        "augment": {"pad": 2, "flip": true},
        "select": {"validation": 10, "steps": 2},
        "evaluate": {"attacks": ["clean", "fgsm"], "limit": 12, "batch": 8}
      }
      """;

  private TinyRuns() {}

  /** Whether {@code -Dcase=TEXT} asks for what has this name; without it all are. */
  static boolean asked(String name) {
    return name.contains(System.getProperty("case", ""));
  }

  /** Writes the first images of the embedded set as IDX files: 64 to train, 16 to test. */
  static Path images(Path folder) {
    write(folder, Split.TRAIN, "train", 64);
    write(folder, Split.TEST, "t10k", 16);
    return folder;
  }

  private static void write(Path folder, Split split, String stem, int count) {
    try (ImageSet set = DataSpec.parse("fashion-mnist-mini").load(split)) {
      ByteArrayOutputStream images = new ByteArrayOutputStream();
      ByteArrayOutputStream labels = new ByteArrayOutputStream();
      DataOutputStream out = new DataOutputStream(images);
      for (int number : new int[] {0x803, count, set.height(), set.width()}) {
        out.writeInt(number);
      }
      out.write(set.pixels().bytes(0, (int) (count * set.imageBytes())));
      out = new DataOutputStream(labels);
      out.writeInt(0x801);
      out.writeInt(count);
      for (int i = 0; i < count; i++) {
        out.writeByte(set.label(i));
      }
      Files.createDirectories(folder);
      Files.write(folder.resolve(stem + "-images-idx3-ubyte"), images.toByteArray());
      Files.write(folder.resolve(stem + "-labels-idx1-ubyte"), labels.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The tiny recipe on these images with these changes, each {@code path=value}. */
  static JsonObject recipe(Path images, String... sets) {
    JsonObject recipe = JsonParser.parseString(RECIPE).getAsJsonObject();
    recipe.addProperty("data", "fashion-mnist:" + images);
    Arrays.stream(sets).forEach(set -> Recipes.set(recipe, set));
    return recipe;
  }

  /** Records all that a run reports, as text with every bit of its numbers. */
  static class RecordingListener implements Listener {
    final List<String> steps = new ArrayList<>();
    final List<String> epochs = new ArrayList<>();
    final List<String> messages = new ArrayList<>();
    final List<Map<String, Double>> losses = new ArrayList<>();
    final List<Map<String, Double>> epochLosses = new ArrayList<>();

    @Override
    public boolean due() {
      return true;
    }

    @Override
    public void step(Step step) {
      losses.add(step.loss());
      steps.add(step.toString());
    }

    @Override
    public void epoch(Epoch epoch) {
      epochLosses.add(epoch.loss());
      epochs.add(
          "%d %d %s %s %s %s"
              .formatted(
                  epoch.epoch(),
                  epoch.step(),
                  epoch.best(),
                  epoch.loss(),
                  epoch.validation(),
                  epoch.method()));
    }

    @Override
    public void message(String line) {
      messages.add(line);
    }
  }

  static Trainer.Result run(JsonObject recipe, Path out, long maxSteps, Listener listener) {
    return run(recipe, out, maxSteps, () -> false, listener);
  }

  /** Trains in the folder, going on with what is there. */
  static Trainer.Result run(
      JsonObject recipe, Path out, long maxSteps, BooleanSupplier stop, Listener listener) {
    try (RunFolder folder = RunFolder.open(out, true)) {
      return Trainer.train(
          Recipe.from(recipe.deepCopy()), folder, Device.CPU, maxSteps, stop, listener);
    }
  }

  // ---- colour images in the published formats ------------------------------------------------

  /** Binary CIFAR-10 or CIFAR-100: {@code perFile} images in each file, the classes in turn. */
  static Path cifar(Path folder, int classes, int perFile) {
    List<String> train = new ArrayList<>();
    for (int i = 1; i <= 5 && classes == 10; i++) {
      train.add("cifar-10-batches-bin/data_batch_%d.bin".formatted(i));
    }
    String test = "cifar-10-batches-bin/test_batch.bin";
    if (classes == 100) {
      train.add("cifar-100-binary/train.bin");
      test = "cifar-100-binary/test.bin";
    }
    Map<String, byte[]> files = new LinkedHashMap<>();
    int seed = 1;
    for (String file : train) {
      files.put(file, records(classes, perFile, seed++));
    }
    files.put(test, records(classes, perFile, seed));
    files.forEach((name, content) -> write(folder.resolve(name), content));
    return folder;
  }

  private static byte[] records(int classes, int count, long seed) {
    java.util.Random random = new java.util.Random(seed);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] pixels = new byte[3072];
    for (int i = 0; i < count; i++) {
      if (classes == 100) {
        out.write(i % 20); // the coarse label
      }
      out.write((int) ((i + seed) % classes));
      random.nextBytes(pixels);
      out.writeBytes(pixels);
    }
    return out.toByteArray();
  }

  static void write(Path file, byte[] content) {
    try {
      Files.createDirectories(file.getParent());
      Files.write(file, content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
