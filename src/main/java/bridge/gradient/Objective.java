package bridge.gradient;

import bridge.graph.Program;
import bridge.model.Network;
import bridge.torch.NoGrad;
import bridge.torch.Shards;
import bridge.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What an attack climbs, as data: a form, which stays the same for a whole run, and the constants
 * of one batch. Nothing of a batch hides in the form, so whoever evaluates it may put other
 * networks in the place of those named (folded ones), divide the batch, or record the work once and
 * replay it with the next batch's constants.
 *
 * @param constants tensors that no gradient flows into, one row for each image: labels int64 [N],
 *     targets [N, K] …
 */
public record Objective(Form form, List<Tensor> constants) {

  /** How the value, a scalar, follows from the networks' logits and the constants. */
  @FunctionalInterface
  public interface Value {
    /**
     * @param logits [N, K] of each of the form's networks at the images, in their order
     * @param constants of the batch, as the form's user gave them
     */
    Tensor of(List<Tensor> logits, List<Tensor> constants);
  }

  /**
   * Which networks are asked about the images, and what becomes of their logits. Made once a run;
   * larger values are worse for the network under attack.
   *
   * @param networks in the order in which they are asked
   * @param value a sum or mean over the images of what depends on one image only
   */
  public record Form(List<Network> networks, Value value) {

    /** Of one network's logits. */
    public static Form of(Network network, Value value) {
      return new Form(List.of(network), value);
    }

    /** Has folded networks take over their weights as they are now. */
    void refresh() {
      for (Network network : networks) {
        if (network instanceof FoldedNetwork folded && folded.isCompiled()) {
          folded.program();
        }
      }
    }

    /** The objective with one batch's constants. */
    public Objective with(Tensor... constants) {
      return new Objective(this, List.of(constants));
    }
  }

  /**
   * An objective's value, its gradient, and the logits on the way.
   *
   * @param gradient [N, C, H, W]
   * @param value a scalar
   * @param logits of each network, detached
   */
  public record Slope(Tensor gradient, Tensor value, List<Tensor> logits) {}

  /** Steps along gradients. */
  @FunctionalInterface
  public interface Ascent {
    /**
     * @param part the objective with the constants of these images; its value, and so its gradient,
     *     may be the whole batch's up to a factor above 0
     * @param fixed what belongs to these images, such as those around which to stay
     * @param begin where to begin
     * @return where the steps led
     */
    Tensor climb(Objective part, List<Tensor> fixed, Tensor begin);
  }

  /** The value, a scalar, at these images [N, C, H, W]; autograd records. */
  public Tensor at(Tensor images) {
    List<Tensor> logits = form.networks.stream().map(n -> n.logits(images)).toList();
    return form.value.of(logits, constants);
  }

  /** The gradient at these images, by what is fastest for the form's networks. */
  public Slope slope(Tensor images) {
    return isCompiled() ? byPrograms(images) : byAutograd(images);
  }

  private boolean isCompiled() {
    return form.networks.stream().allMatch(n -> n instanceof FoldedNetwork f && f.isCompiled());
  }

  private Slope byAutograd(Tensor images) {
    Tensor x = images.detach().requiresGrad_(true);
    List<Tensor> logits = form.networks.stream().map(n -> n.logits(x)).toList();
    Tensor value = form.value.of(logits, constants);
    Tensor gradient = value.gradient(x);
    return new Slope(gradient, value.detach(), logits.stream().map(Tensor::detach).toList());
  }

  private Slope byPrograms(Tensor images) {
    Tensor x = images.detach();
    List<Program> programs = new ArrayList<>();
    List<Program.Pass> passes = new ArrayList<>();
    List<Tensor> logits = new ArrayList<>();
    for (Network network : form.networks) {
      Program program = ((FoldedNetwork) network).program();
      Program.Pass pass = program.forward(x);
      programs.add(program);
      passes.add(pass);
      logits.add(pass.logits().detach().requiresGrad_(true));
    }
    Tensor value = form.value.of(logits, constants);
    List<Tensor> upstream = value.gradients(logits);
    Tensor gradient = null;
    for (int i = 0; i < programs.size(); i++) {
      Tensor own = programs.get(i).backward(passes.get(i), upstream.get(i));
      gradient = gradient == null ? own : gradient.add_(own);
    }
    return new Slope(gradient, value.detach(), logits.stream().map(Tensor::detach).toList());
  }

  /**
   * Climbs from some images, where it can with the parts of the batch side by side.
   *
   * @param fixed tensors of one row for each image, such as the images around which to stay
   * @param begin [N, C, H, W] where to begin
   * @return [N, C, H, W] in the innermost scope
   */
  public Tensor climb(List<Tensor> fixed, Tensor begin, Ascent ascent) {
    Optional<Integer> shard = shard();
    if (shard.isEmpty() || begin.size(0) == 0) {
      return ascent.climb(this, fixed, begin);
    }
    Tensor result = begin.emptyLike();
    form.refresh();
    Shards.run(
        begin.size(0),
        shard.get(),
        (first, count) -> {
          Objective part = new Objective(form, narrow(constants, first, count));
          Tensor climbed =
              ascent.climb(part, narrow(fixed, first, count), begin.narrow(0, first, count));
          try (NoGrad _ = NoGrad.enter()) {
            result.narrow(0, first, count).copy_(climbed);
          }
        });
    return result;
  }

  private static List<Tensor> narrow(List<Tensor> tensors, long first, long count) {
    return tensors.stream().map(t -> t.narrow(0, first, count)).toList();
  }

  /**
   * Climbs by steps that are all alike, where it can as a graph that is replayed.
   *
   * @param fixed tensors of one row for each image that the step is handed
   * @return [N, C, H, W] in the innermost scope
   */
  public Tensor climb(List<Tensor> fixed, Tensor begin, Climb.Step step, int times) {
    Optional<Climb> graphs = graphs();
    if (graphs.isPresent()) {
      return graphs.get().ascend(this, step, fixed, begin, times);
    }
    return climb(
        fixed, begin, (part, rows, from) -> Climb.PLAIN.ascend(part, step, rows, from, times));
  }

  private Optional<Climb> graphs() {
    return form.networks.stream()
        .flatMap(n -> n instanceof FoldedNetwork folded ? folded.graphs().stream() : Stream.of())
        .findFirst();
  }

  /** The smallest of the networks' parts; empty where one of them needs the whole batch. */
  private Optional<Integer> shard() {
    int smallest = Integer.MAX_VALUE;
    for (Network network : form.networks) {
      if (!(network instanceof FoldedNetwork folded) || folded.shard().isEmpty()) {
        return Optional.empty();
      }
      smallest = Math.min(smallest, folded.shard().get());
    }
    return Optional.of(smallest);
  }
}
