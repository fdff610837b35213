package bridge.gradient;

import bridge.model.Network;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Kept;
import bridge.torch.NativeException;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.lang.System.Logger.Level;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.stream.Stream;

/**
 * Climbs by recording one step and replaying it. A recording works on tensors of its own, into
 * which a batch's constants and points are copied, and on the networks' weights where they lie; so
 * it serves all batches of the same shapes, also while an optimiser changes the weights in place.
 * It is made anew when a weight has moved: a network that computes with tensors made from its
 * weights either changes these in place too, or tells of them ({@link Network#constants}).
 *
 * <p>Where recording or replaying fails, this batch and all that follow are climbed plainly, from
 * the same points, after one line in the log. Networks in training mode, whose statistics a
 * recording would move more often than asked for, are always climbed plainly.
 *
 * <p>Belongs to one thread. Objectives' forms and steps are made once a run; else nothing would be
 * replayed, which is noticed and ends in the same way.
 */
public final class GraphedClimb implements Climb, AutoCloseable {
  private static final System.Logger LOG = System.getLogger("bridge.gradient");

  /** A run's full and last batches, in training and in validation. */
  private static final int RECORDINGS = 4;

  /** So many climbs in a row that had to record are a mistake of whoever made the objectives. */
  private static final int IN_VAIN = 2 * RECORDINGS;

  /** What a recording is good for. */
  private record Key(Objective.Form form, Step step, List<Shape> shapes) {}

  private record Shape(List<Long> sizes, DType type, Device device, boolean contiguous) {
    static Shape of(Tensor t) {
      List<Long> sizes = Arrays.stream(t.sizes()).boxed().toList();
      return new Shape(sizes, t.dtype(), t.device(), t.isContiguous());
    }
  }

  private final Recorder recorder;

  /** The one that was not used for longest comes first. */
  private final LinkedHashMap<Key, Recorded> recorded = new LinkedHashMap<>(8, 0.75f, true);

  private boolean plainly;
  private int inVain;

  public GraphedClimb(Recorder recorder) {
    this.recorder = recorder;
  }

  @Override
  public Tensor ascend(
      Objective objective, Step step, List<Tensor> fixed, Tensor begin, int times) {
    boolean training = objective.form().networks().stream().anyMatch(Network::training);
    if (!plainly && !training && times > 0) {
      try {
        return replayed(objective, step, fixed, begin, times);
      } catch (NativeException e) {
        giveUp(e.getMessage());
      }
    }
    return PLAIN.ascend(objective, step, fixed, begin, times);
  }

  private Tensor replayed(
      Objective objective, Step step, List<Tensor> fixed, Tensor begin, int times) {
    List<Tensor> given =
        Stream.of(List.of(begin), objective.constants(), fixed).flatMap(List::stream).toList();
    Key key = new Key(objective.form(), step, given.stream().map(Shape::of).toList());
    objective.form().refresh();
    long[] weights = weights(objective.form());
    Recorded one = recorded.get(key);
    if (one == null || !Arrays.equals(one.weights, weights)) {
      forget(key);
      one = Recorded.make(recorder, key, given, weights, objective.constants().size());
      recorded.put(key, one);
      if (recorded.size() > RECORDINGS) {
        recorded.pollFirstEntry().getValue().close();
      }
      inVain++;
    } else {
      inVain = 0;
    }
    Tensor result = one.run(given, times);
    if (inVain == IN_VAIN) {
      giveUp("%d batches in a row had nothing to replay".formatted(IN_VAIN));
    }
    return result;
  }

  /** Where all that the networks compute with lies. */
  private static long[] weights(Objective.Form form) {
    return form.networks().stream()
        .flatMap(
            n ->
                Stream.of(n.parameters().values(), n.buffers().values(), n.constants())
                    .flatMap(c -> c.stream()))
        .mapToLong(Tensor::address)
        .toArray();
  }

  private void forget(Key key) {
    Recorded old = recorded.remove(key);
    if (old != null) {
      old.close();
    }
  }

  private void giveUp(String why) {
    plainly = true;
    close();
    LOG.log(
        Level.WARNING,
        "attacks are no longer replayed as graphs: {0}; they go on plainly, with the same images",
        why);
  }

  /** Forgets all recordings; those of later batches are made anew. */
  @Override
  public void close() {
    recorded.values().forEach(Recorded::close);
    recorded.clear();
  }

  /**
   * A recorded step.
   *
   * @param places what it works on: the point, which it moves on, then what was given with it
   * @param weights where the networks' were when it was recorded
   */
  private record Recorded(
      Recorder.Recording recording, Kept kept, List<Tensor> places, long[] weights) {

    static Recorded make(
        Recorder recorder, Key key, List<Tensor> given, long[] weights, int constants) {
      Kept kept = new Kept();
      try (Scope _ = Scope.open("record")) {
        // with a batch's values in them, since the step is also run for real
        List<Tensor> places = given.stream().map(t -> kept.keep(t.emptyLike().copy_(t))).toList();
        Tensor x = places.getFirst();
        Objective objective = new Objective(key.form, places.subList(1, 1 + constants));
        List<Tensor> fixed = places.subList(1 + constants, places.size());
        Recorder.Recording recording =
            recorder.record(
                () -> {
                  try (Scope _ = Scope.open("recorded")) {
                    x.copy_(Climb.once(objective, key.step, fixed, x));
                  }
                });
        return new Recorded(recording, kept, places, weights);
      } catch (RuntimeException | Error e) {
        kept.close();
        throw e;
      }
    }

    Tensor run(List<Tensor> given, int times) {
      for (int i = 0; i < given.size(); i++) {
        places.get(i).copy_(given.get(i));
      }
      for (int i = 0; i < times; i++) {
        recording.replay();
      }
      return places.getFirst().copy();
    }

    void close() {
      recording.close();
      kept.close();
    }
  }
}
