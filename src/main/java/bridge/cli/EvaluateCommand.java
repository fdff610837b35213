package bridge.cli;

import bridge.Options;
import bridge.UsageException;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.data.Batches;
import bridge.data.DataSpec;
import bridge.data.ImageSet;
import bridge.data.Split;
import bridge.evaluate.AttackNames;
import bridge.evaluate.Evaluation;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Attacks a model over the test images of a data set. */
@Command(
    name = "evaluate",
    sortOptions = false,
    description = "Attacks a model over a data set's test images; prints a table of accuracies.")
final class EvaluateCommand implements Runnable {
  @Option(
      names = "--model",
      required = true,
      paramLabel = "MODEL",
      description = "ARCH@CHECKPOINT or a TorchScript file.")
  private String model;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "DATA",
      description = "KIND:PATH, for instance cifar10:/data; or fashion-mnist-mini.")
  private String data;

  @Option(
      names = "--attacks",
      paramLabel = "LIST",
      defaultValue = "clean,fgsm,pgd20",
      description = "clean, fgsm, pgd20, pgd20-trades (${DEFAULT-VALUE}).")
  private String attacks;

  @Option(
      names = "--eps",
      paramLabel = "E",
      defaultValue = "8/255",
      description = "Radius in units of the pixel range [0, 1] (${DEFAULT-VALUE}).")
  private String epsilon;

  @Option(
      names = "--norm",
      paramLabel = "NORM",
      defaultValue = "linf",
      description = "linf or l2 (${DEFAULT-VALUE}).")
  private Norm norm;

  @Option(names = "--limit", paramLabel = "N", description = "Only the first N test images.")
  private Integer limit;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "250",
      description = "Images at once (${DEFAULT-VALUE}).")
  private int batch;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "For random starts (${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--mean",
      split = ",",
      paramLabel = "M",
      description = "Mean per channel that the model expects subtracted (none).")
  private List<Double> mean = List.of();

  @Option(
      names = "--std",
      split = ",",
      paramLabel = "S",
      description = "Deviation per channel that the model expects divided by (none).")
  private List<Double> std = List.of();

  @Mixin private ComputeOptions compute;

  @Option(names = "--json", paramLabel = "FILE", description = "Writes the results here.")
  private Path json;

  @Option(
      names = "--picture",
      paramLabel = "FILE",
      description = "Draws a PNG: images clean and under PGD-20, with what the model says.")
  private Path picture;

  @Option(names = "--beside", paramLabel = "MODEL", description = "A second model for the picture.")
  private String beside;

  @Override
  public void run() {
    Common.positive("--limit", limit);
    Common.positive("--batch", batch);
    compute.check();
    List<String> names = Arrays.stream(attacks.split(",")).map(String::strip).toList();
    AttackNames.check(names);
    double radius = Options.parse(epsilon);
    if (Double.isNaN(radius)) {
      throw new UsageException("--eps must be a number such as 8/255, found " + epsilon);
    }
    Ball ball = new Ball(norm, radius);
    checkTarget("--json", json);
    checkTarget("--picture", picture);
    if (beside != null && picture == null) {
      throw new UsageException("--beside belongs to a picture; add --picture FILE");
    }
    DataSpec from = DataSpec.parse(data);
    ModelSpec which = trained("--model", model);
    ModelSpec other = beside == null ? null : trained("--beside", beside);
    Device on = compute.use();
    try (Scope _ = Scope.open("evaluate");
        ImageSet images = from.load(Split.TEST)) {
      if (images.height() != images.width()) {
        throw new UsageException(
            "images must be square, found %d×%d in %s"
                .formatted(images.height(), images.width(), data));
      }
      Network network = build(which, images, on);
      int count = limit == null ? images.size() : Math.min(limit, images.size());
      int[] first = IntStream.range(0, count).toArray();
      try (Batches batches = Batches.over(images, first).batchSize(batch).device(on).build()) {
        List<Evaluation.Result> results;
        try (EvaluationLine line = new EvaluationLine(count)) {
          Shutdown.endsAtOnce(line::close);
          results = new Evaluation(network, ball, new Seeds(seed)).run(names, batches, line);
        }
        System.out.println(
            Tables.text(
                "%s on %s, %s ε %s, seed %d".formatted(model, data, norm, epsilon, seed), results));
        if (json != null) {
          write(on, radius, results);
        }
        if (picture != null) {
          List<Network> all =
              other == null ? List.of(network) : List.of(network, build(other, images, on));
          new Sheets(images, ball, epsilon, on, seed).write(picture, all);
        }
      }
    }
  }

  /** An architecture without weights would be evaluated as it was drawn at random. */
  private static ModelSpec trained(String option, String model) {
    ModelSpec spec = ModelSpec.parse(model);
    if (spec instanceof ModelSpec.BuiltIn builtIn && builtIn.checkpoint().isEmpty()) {
      throw new UsageException(
          "%s %s has no weights; write %s@CHECKPOINT".formatted(option, model, model));
    }
    return spec;
  }

  private Network build(ModelSpec spec, ImageSet images, Device on) {
    Network network =
        Models.build(
            spec,
            images.channels(),
            images.classes(),
            images.height(),
            new Normalisation(mean, std),
            new Seeds(seed),
            on);
    network.freeze();
    return network;
  }

  /** Before an evaluation of hours rather than after it. */
  private static void checkTarget(String option, Path file) {
    Path folder = file == null ? null : file.toAbsolutePath().getParent();
    if (folder != null && Files.isDirectory(file)) {
      throw new UsageException("%s %s is a folder; name a file".formatted(option, file));
    }
    if (folder != null && !(Files.isDirectory(folder) && Files.isWritable(folder))) {
      throw new UsageException(
          "%s %s cannot be written: there is no folder %s that takes files; name another file"
              .formatted(option, file, folder));
    }
  }

  private void write(Device on, double radius, List<Evaluation.Result> results) {
    JsonObject object = new JsonObject();
    object.addProperty("model", model);
    object.addProperty("data", data);
    object.addProperty("norm", norm.name());
    object.addProperty("epsilon", radius);
    object.addProperty("seed", seed);
    object.addProperty("batch", batch);
    object.addProperty("images", results.get(0).images());
    object.add("environment", Common.environment(on));
    object.add("results", Tables.json(results));
    try {
      Path part = json.resolveSibling("." + json.getFileName() + ".part");
      Files.writeString(part, new GsonBuilder().setPrettyPrinting().create().toJson(object) + "\n");
      Files.move(
          part,
          json,
          java.nio.file.StandardCopyOption.ATOMIC_MOVE,
          java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new UsageException(
          "--json %s cannot be written (%s); name another file"
              .formatted(json, e.getClass().getSimpleName()),
          e);
    }
  }
}
