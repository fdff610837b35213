package bridge.evaluate;

import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;

/** What one attack has come to so far, batch by batch. */
final class Tally {
  private final List<Part> parts = new ArrayList<>();
  private final List<int[]> labels = new ArrayList<>();

  void add(int[] labelled, Part part) {
    labels.add(labelled);
    parts.add(part);
  }

  Part part(int batch) {
    return parts.get(batch);
  }

  int images() {
    return labels.stream().mapToInt(l -> l.length).sum();
  }

  double seconds() {
    return parts.stream().mapToDouble(Part::seconds).sum();
  }

  int outside() {
    return parts.stream().mapToInt(Part::outside).sum();
  }

  int zeroGradients() {
    return parts.stream().mapToInt(Part::zeroGradients).sum();
  }

  double[] changes() {
    return parts.stream().flatMapToDouble(part -> Arrays.stream(part.changes())).toArray();
  }

  /** The images of all batches; empty where they were not kept. */
  List<Tensor> made() {
    return parts.stream().map(Part::made).filter(Objects::nonNull).toList();
  }

  List<Integer> labels() {
    return labels.stream().flatMapToInt(Arrays::stream).boxed().toList();
  }

  List<Integer> predictions() {
    return parts.stream().flatMapToInt(part -> Arrays.stream(part.predictions())).boxed().toList();
  }

  /** Which images of a batch are right. */
  BitSet right(int batch) {
    int[] labelled = labels.get(batch);
    int[] predicted = parts.get(batch).predictions();
    BitSet right = new BitSet();
    for (int i = 0; i < labelled.length; i++) {
      right.set(i, labelled[i] == predicted[i]);
    }
    return right;
  }

  /** Which of all images are right. */
  BitSet right() {
    BitSet right = new BitSet();
    int from = 0;
    for (int batch = 0; batch < parts.size(); batch++) {
      int first = from;
      right(batch).stream().forEach(i -> right.set(first + i));
      from += labels.get(batch).length;
    }
    return right;
  }
}
