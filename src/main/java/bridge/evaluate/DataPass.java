package bridge.evaluate;

import bridge.data.Batch;
import bridge.data.Batches;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * Walks over all batches, some of them worked on at the same time. What the state knows of a batch
 * is read, the rest is worked out and kept there.
 *
 * @param keepImages whether results have their images
 */
record DataPass(
    Batches batches, Workers workers, Optional<EvaluationState> state, boolean keepImages) {

  /** The same without images. */
  DataPass withoutImages() {
    return new DataPass(batches, workers, state, false);
  }

  /**
   * One trial over all batches; images that are kept go to the innermost scope.
   *
   * @param key under which the state knows it
   * @param progress told the key and the images done
   */
  Tally run(String key, BatchWork work, BiConsumer<String, Integer> progress) {
    Tally tally = new Tally();
    int done = 0;
    try (Batches.Epoch epoch = batches.epoch(1, 0)) {
      while (epoch.hasNext()) {
        try (Scope scope = Scope.open("evaluate");
            Workers.Tasks tasks = workers.tasks()) {
          List<Batch> taken = tasks.take(epoch);
          List<Supplier<BatchResult>> results =
              taken.stream().map(batch -> result(tasks, taken.size(), key, work, batch)).toList();
          for (int i = 0; i < taken.size(); i++) {
            BatchResult result = results.get(i).get();
            int[] labels = Predictions.ints(taken.get(i).labels());
            keep(key, taken.get(i).step(), result);
            tally.add(labels, result);
            result.images().ifPresent(scope::keep);
            done += labels.length;
            progress.accept(key, done);
          }
        }
      }
    }
    return tally;
  }

  private Optional<JsonObject> known(String key, int batch) {
    return state.flatMap(kept -> kept.known(key, batch, keepImages));
  }

  /** From the state where it is known, else being worked out. */
  private Supplier<BatchResult> result(
      Workers.Tasks tasks, int atOnce, String key, BatchWork work, Batch batch) {
    Optional<JsonObject> known = known(key, batch.step());
    if (known.isPresent()) {
      BatchResult result =
          BatchResult.of(
              known.get(),
              state.filter(_ -> keepImages).map(kept -> kept.images(key, batch.step())));
      return () -> result;
    }
    Optional<Tensor> images = keepImages ? Optional.of(work.copy(batch)) : Optional.empty();
    return tasks.start(() -> work.run(batch, images).sharing(atOnce));
  }

  private void keep(String key, int batch, BatchResult result) {
    if (known(key, batch).isEmpty()) {
      state.ifPresent(kept -> kept.add(key, batch, result.json(), result.images()));
    }
  }
}
