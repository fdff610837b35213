package bridge.train;

import bridge.checkpoint.TensorFile;
import bridge.files.Folders;
import bridge.torch.DType;
import bridge.torch.NoGrad;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Everything a resumed run needs, in one file: student, optimiser, average, method, the epoch's
 * sums, and where the run stands. Random numbers need none: every stream is a function of the seed
 * and the step.
 */
final class TrainingState {
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  /**
   * Adds live tensors under {@code part/name}; they are read at each save, written at a restore.
   */
  TrainingState with(String part, Map<String, Tensor> state) {
    state.forEach((name, tensor) -> tensors.put(part + "/" + name, tensor));
    return this;
  }

  /** The first tensor that holds a number that is not finite. */
  Optional<String> notFinite() {
    try (Scope _ = Scope.open("finite");
        NoGrad _ = NoGrad.enter()) {
      // a sum is finite only if every summand is; one may overflow, so what it says is looked into
      boolean finite =
          tensors.values().stream()
              .filter(t -> t.dtype().isFloatingPoint())
              .collect(Collectors.groupingBy(Tensor::device))
              .values()
              .stream()
              .allMatch(TrainingState::sumIsFinite);
      return finite ? Optional.empty() : firstNotFinite();
    }
  }

  private static boolean sumIsFinite(List<Tensor> tensors) {
    List<Tensor> sums = tensors.stream().map(t -> t.detach().sum().to(DType.FLOAT64)).toList();
    return Double.isFinite(Tensor.stack(sums, 0).sum().item());
  }

  private Optional<String> firstNotFinite() {
    return tensors.entrySet().stream()
        .filter(e -> e.getValue().dtype().isFloatingPoint())
        .filter(e -> e.getValue().detach().isFinite().logicalNot().sum().itemLong() != 0)
        .map(Map.Entry::getKey)
        .findFirst();
  }

  void save(Path file, Position position, Map<String, Tensor> more) {
    Map<String, Tensor> all = new LinkedHashMap<>(tensors);
    all.putAll(more);
    Folders.create(file.getParent());
    TensorFile.write(file, all, Map.of("position", position.toJson()));
  }

  /**
   * Fills the live tensors from a file.
   *
   * @return where the run stood
   */
  Position restore(Path file, java.util.function.BiConsumer<String, Tensor> others) {
    try (Scope _ = Scope.open("restore");
        NoGrad _ = NoGrad.enter();
        TensorFile saved = TensorFile.read(file)) {
      tensors.forEach(
          (name, tensor) -> {
            Tensor from = saved.tensors().get(name);
            if (from == null || !java.util.Arrays.equals(from.sizes(), tensor.sizes())) {
              throw new TrainingException(
                  "%s does not fit this recipe: %s is %s, expected %s"
                      .formatted(file, name, from, tensor));
            }
            tensor.copy_(from);
          });
      saved
          .tensors()
          .forEach(
              (name, tensor) -> {
                if (!tensors.containsKey(name)) {
                  others.accept(name, tensor);
                }
              });
      if (!saved.metadata().containsKey("position")) {
        throw new TrainingException(
            "%s is no state of a run: it does not say where the run stood".formatted(file));
      }
      return Position.fromJson(saved.metadata().get("position"));
    }
  }
}
