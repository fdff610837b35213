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
          List<Batch> group = tasks.nextBatches(epoch);
          List<Supplier<BatchResult>> results =
              group.stream().map(batch -> result(tasks, group.size(), key, work, batch)).toList();
          for (int i = 0; i < group.size(); i++) {
            BatchResult result = results.get(i).get();
            int[] labels = Predictions.ints(group.get(i).labels());
            keep(key, group.get(i).step(), result);
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

  private Optional<JsonObject> stored(String key, int batch) {
    return state.flatMap(saved -> saved.stored(key, batch, keepImages));
  }

  /** From the state where it is known, else being worked out. */
  private Supplier<BatchResult> result(
      Workers.Tasks tasks, int concurrent, String key, BatchWork work, Batch batch) {
    Optional<JsonObject> stored = stored(key, batch.step());
    if (stored.isPresent()) {
      BatchResult result =
          BatchResult.of(
              stored.get(),
              state.filter(_ -> keepImages).map(saved -> saved.images(key, batch.step())));
      return () -> result;
    }
    Optional<Tensor> images = keepImages ? Optional.of(work.copy(batch)) : Optional.empty();
    return tasks.start(() -> work.run(batch, images).sharing(concurrent));
  }

  private void keep(String key, int batch, BatchResult result) {
    if (stored(key, batch).isEmpty()) {
      state.ifPresent(saved -> saved.add(key, batch, result.json(), result.images()));
    }
  }
}
