package bridge.cli;

import bridge.Options;
import bridge.UsageException;
import bridge.attack.Ball;
import bridge.attack.Norm;
import bridge.evaluate.AttackNames;
import bridge.evaluate.Certification;
import bridge.evaluate.Evaluation.Result;
import bridge.evaluate.EvaluationRequest;
import bridge.evaluate.ModelEvaluation;
import bridge.gradient.Engine;
import bridge.model.ModelSpec;
import bridge.model.Normalisation;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

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
      description = "ARCH@CHECKPOINT, or a file: TorchScript, or weights with a card.")
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
      description =
          "With commas between (${DEFAULT-VALUE}): clean, attacks of the list below, NAME-rN for"
              + " the worst of N restarts, transfer, transfer-NAME.")
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
      description = "linf, l2 or l1 (${DEFAULT-VALUE}), as far as an attack has a form in it.")
  private Norm norm;

  @Option(
      names = "--restarts",
      paramLabel = "N",
      defaultValue = "1",
      description = "Restarts of each attack that takes them (${DEFAULT-VALUE}).")
  private int restarts;

  @Option(
      names = "--surrogate",
      paramLabel = "MODEL",
      description = "The model that transfer makes its images against.")
  private String surrogate;

  @Option(names = "--limit", paramLabel = "N", description = "Only the first N test images.")
  private Integer limit;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Images at once (100 on the processor, 250 on CUDA).")
  private Integer batch;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "For random starts (${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--gradients",
      paramLabel = "ENGINE",
      defaultValue = "AUTO",
      description =
          "What gradients are computed by: FOLDED (compiled, batch normalisation folded; what AUTO"
              + " is), or PLAIN (autograd on the network as it is) (${DEFAULT-VALUE}).")
  private Engine.Kind gradients;

  @Option(
      names = "--mean",
      split = ",",
      paramLabel = "M",
      description = "Mean per channel that the models expect subtracted (none).")
  private List<Double> mean = List.of();

  @Option(
      names = "--std",
      split = ",",
      paramLabel = "S",
      description = "Deviation per channel that the models expect divided by (none).")
  private List<Double> std = List.of();

  @Mixin private ComputeOptions compute;

  @Mixin private CertifyOptions certify;

  @Option(
      names = "--state",
      paramLabel = "DIR",
      description = "Keeps what is done here; the same command then goes on from it.")
  private Path state;

  @Mixin private EvaluationOutputs outputs;

  private final List<String> warnings = new ArrayList<>();

  @Spec
  void describe(CommandSpec spec) {
    spec.usageMessage().footer(AttackTable.lines());
  }

  @Override
  public void run() {
    EvaluationRequest request = request();
    try (ModelEvaluation evaluation = ModelEvaluation.open(request);
        EvaluationLine line = new EvaluationLine()) {
      Shutdown.endsAtOnce(line::erase);
      List<Result> results =
          evaluation.attack(text -> warn(line, text), line.of(evaluation.count()));
      line.erase();
      print(results, outputs.classes(evaluation));
      Optional<Certification.Result> certified =
          evaluation.certify(line.of(evaluation.certified()));
      line.erase();
      certified.ifPresent(result -> System.out.println(Tables.text(result)));
      outputs.write(evaluation, request, results, certified, warnings);
      outputs.draw(evaluation, request, epsilon);
    }
  }

  /** What was asked for, checked as far as it can be before anything is loaded. */
  private EvaluationRequest request() {
    OptionChecks.positive("--limit", limit);
    OptionChecks.positive("--batch", batch);
    OptionChecks.positive("--restarts", restarts);
    compute.check();
    Optional<EvaluationRequest.Certificates> certificates = certify.certificates();
    EvaluationRequest.Attacked attacked = attacked();
    outputs.check(norm);
    EvaluationRequest.Data images = EvaluationRequest.Data.parse(data);
    EvaluationRequest.Models models =
        new EvaluationRequest.Models(
            trained("--model", model),
            Optional.ofNullable(surrogate).map(source -> trained("--surrogate", source)),
            outputs.beside(),
            new Normalisation(mean, std));
    return new EvaluationRequest(
        models,
        images,
        Optional.ofNullable(limit),
        Optional.ofNullable(batch),
        attacked,
        seed,
        compute.use(),
        Engine.ofWholeBatches(gradients),
        certificates,
        Optional.ofNullable(state),
        outputs.wantsImages());
  }

  private EvaluationRequest.Attacked attacked() {
    List<String> names = Arrays.stream(attacks.split(",")).map(String::strip).toList();
    double radius = Options.parse(epsilon);
    if (Double.isNaN(radius)) {
      throw new UsageException("--eps must be a number such as 8/255, found " + epsilon);
    }
    Ball ball = new Ball(norm, radius);
    AttackNames.check(names, ball, restarts, surrogate != null);
    if (surrogate != null && names.stream().noneMatch(name -> name.startsWith("transfer"))) {
      throw new UsageException(
          "--surrogate belongs to the attack transfer; add transfer to --attacks");
    }
    return new EvaluationRequest.Attacked(names, ball, restarts);
  }

  /** An architecture without weights would be evaluated as it was drawn at random. */
  static ModelSpec trained(String option, String model) {
    ModelSpec spec = ModelSpec.parse(model);
    if (spec instanceof ModelSpec.BuiltIn builtIn && builtIn.checkpoint().isEmpty()) {
      throw new UsageException(
          "%s %s has no weights; write %s@CHECKPOINT".formatted(option, model, model));
    }
    return spec;
  }

  /**
   * @param classes whose accuracies are wanted too; else empty
   */
  private void print(List<Result> results, List<String> classes) {
    String title = "%s on %s, %s ε %s, seed %d".formatted(model, data, norm, epsilon, seed);
    System.out.println(Tables.text(title, results));
    if (!classes.isEmpty()) {
      System.out.println(Tables.perClass(results, classes));
    }
  }

  private void warn(EvaluationLine line, String text) {
    line.erase();
    System.err.println("bridge: warning: " + text);
    warnings.add(text);
  }
}
