package bridge.evaluate;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** What one attack has come to so far, batch by batch. */
final class Tally {
  private final List<BatchResult> batches = new ArrayList<>();
  private final List<int[]> labels = new ArrayList<>();

  void add(int[] labelled, BatchResult result) {
    labels.add(labelled);
    batches.add(result);
  }

  /** The same, for when the images themselves are freed. */
  Tally withoutImages() {
    Tally tally = new Tally();
    for (int i = 0; i < batches.size(); i++) {
      tally.add(labels.get(i), batches.get(i).withoutImages());
    }
    return tally;
  }

  BatchResult batch(int batch) {
    return batches.get(batch);
  }

  /** Images so far. */
  int count() {
    return labels.stream().mapToInt(l -> l.length).sum();
  }

  double seconds() {
    return batches.stream().mapToDouble(BatchResult::seconds).sum();
  }

  int outside() {
    return batches.stream().mapToInt(BatchResult::outside).sum();
  }

  int zeroGradients() {
    return batches.stream().mapToInt(BatchResult::zeroGradients).sum();
  }

  double[] perturbations() {
    return batches.stream()
        .flatMapToDouble(result -> Arrays.stream(result.perturbations()))
        .toArray();
  }

  /** The images of all batches; empty where they were not kept. */
  List<Tensor> images() {
    return batches.stream().flatMap(result -> result.images().stream()).toList();
  }

  List<Integer> labels() {
    return labels.stream().flatMapToInt(Arrays::stream).boxed().toList();
  }

  List<Integer> predictions() {
    return batches.stream()
        .flatMapToInt(result -> Arrays.stream(result.predictions()))
        .boxed()
        .toList();
  }

  /** Which images of a batch are right. */
  BitSet right(int batch) {
    int[] labelled = labels.get(batch);
    int[] predicted = batches.get(batch).predictions();
    BitSet right = new BitSet();
    for (int i = 0; i < labelled.length; i++) {
      right.set(i, labelled[i] == predicted[i]);
    }
    return right;
  }

  /** The share of all images that are right, from 0 to 1. */
  double accuracy() {
    return count() == 0 ? 0 : (double) right().cardinality() / count();
  }

  /** Which of all images are right. */
  BitSet right() {
    BitSet right = new BitSet();
    int from = 0;
    for (int batch = 0; batch < batches.size(); batch++) {
      int first = from;
      right(batch).stream().forEach(i -> right.set(first + i));
      from += labels.get(batch).length;
    }
    return right;
  }
}
