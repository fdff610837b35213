package bridge.cli;

import bridge.UsageException;
import bridge.attack.Attacks;
import bridge.attack.Norm;
import bridge.evaluate.Certification;
import bridge.evaluate.Evaluation.Result;
import bridge.evaluate.EvaluationRequest;
import bridge.evaluate.Examples;
import bridge.evaluate.ModelEvaluation;
import bridge.evaluate.Outcomes;
import bridge.files.WholeFile;
import bridge.model.ModelSpec;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Option;

/** What an evaluation writes, beside the table on the terminal. */
final class EvaluationOutputs {
  @Option(names = "--per-class", description = "Also each class's accuracies.")
  private boolean perClass;

  @Option(names = "--json", paramLabel = "FILE", description = "Writes the results here.")
  private Path json;

  @Option(
      names = "--outcomes",
      paramLabel = "FILE",
      description = "Writes each image's label and predictions: .csv, else JSON lines.")
  private Path outcomes;

  @Option(
      names = "--save-images",
      paramLabel = "FILE",
      description = "Writes the adversarial images: .safetensors, a tensor per attack.")
  private Path saveImages;

  @Option(
      names = "--picture",
      paramLabel = "FILE",
      description = "Draws a PNG: images clean and under PGD-20, with what the model says.")
  private Path picture;

  @Option(names = "--beside", paramLabel = "MODEL", description = "A second model for the picture.")
  private String beside;

  /**
   * Looks at the files before an evaluation of hours rather than after it.
   *
   * @throws UsageException for one that cannot be written, or makes no sense
   */
  void check(Norm norm) {
    OptionChecks.writable("--json", json);
    OptionChecks.writable("--outcomes", outcomes);
    OptionChecks.writable("--save-images", saveImages);
    OptionChecks.writable("--picture", picture);
    if (saveImages != null && !saveImages.toString().endsWith(".safetensors")) {
      throw new UsageException("--save-images %s must end in .safetensors".formatted(saveImages));
    }
    if (beside != null && picture == null) {
      throw new UsageException("--beside belongs to a picture; add --picture FILE");
    }
    if (picture != null && !Attacks.names(norm).contains(Examples.ATTACK)) {
      throw new UsageException(
          "--picture is drawn with PGD-20, which has no form in %s; leave it out or choose --norm"
                  .formatted(norm)
              + " linf or l2");
    }
  }

  /** The second model of the picture. */
  Optional<ModelSpec> beside() {
    return Optional.ofNullable(beside).map(model -> EvaluateCommand.trained("--beside", model));
  }

  boolean wantsImages() {
    return saveImages != null;
  }

  /** The classes whose accuracies are wanted. */
  List<String> classes(ModelEvaluation evaluation) {
    return perClass ? evaluation.classNames() : List.of();
  }

  /** Writes the numbers and the images. */
  void write(
      ModelEvaluation evaluation,
      EvaluationRequest request,
      List<Result> results,
      Optional<Certification.Result> certified,
      List<String> warnings) {
    if (json != null) {
      EvaluationFile.write(
          json,
          evaluation.settings(),
          request.device(),
          results,
          classes(evaluation),
          certified,
          warnings);
    }
    if (outcomes != null) {
      boolean csv = outcomes.toString().toLowerCase(Locale.ROOT).endsWith(".csv");
      String text = csv ? Outcomes.csv(results) : Outcomes.jsonLines(results);
      WholeFile.write(outcomes, text);
    }
    if (saveImages != null) {
      evaluation.writeImages(saveImages, results);
    }
  }

  /**
   * @param epsilon as the user wrote it
   */
  void draw(ModelEvaluation evaluation, EvaluationRequest request, String epsilon) {
    if (picture != null) {
      PictureSheet.write(picture, evaluation.examples(), request.attacks().ball(), epsilon);
    }
  }
}
