package bridge.torch;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.CompilationUnit;
import org.bytedeco.pytorch.Function;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.GraphFunction;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.QualifiedName;
import org.bytedeco.pytorch.TensorList;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * A function written in TorchScript, compiled at run time: many operators for the price of one
 * call, and those that the presets do not bind ({@code torch._fused_sgd_}).
 *
 * <p>Several threads may call one at the same time. It lives as long as the scope it was compiled
 * in. Like {@link ScriptModule} it runs in libtorch's plain interpreter.
 */
public final class ScriptFunction {
  private final Function function;

  private ScriptFunction(Function function) {
    this.function = function;
  }

  /**
   * Compiles one function, in the innermost scope.
   *
   * @param source TorchScript: {@code def name(x: Tensor, rate: float) -> List[Tensor]: …}; a
   *     single result is a Tensor, several a List[Tensor], none is None. What an operator changes
   *     in place in a list of tensors must be a parameter: libtorch drops the change of a list that
   *     the function made itself.
   * @throws NativeException if libtorch cannot compile it
   */
  public static ScriptFunction compile(String name, String source) {
    return compile(Scope.innermost(), name, source);
  }

  /** As {@link #compile(String, String)}, in another scope than the innermost one. */
  public static ScriptFunction compile(Scope home, String name, String source) {
    torch.getProfilingMode().put(false);
    try (Scope _ = Scope.open("compile")) {
      CompilationUnit unit = home.adopt(Tensor.call(() -> torch.compile(source)));
      QualifiedName qualified = new QualifiedName(name);
      Function function = Tensor.call(() -> unit.get_function(qualified));
      return new ScriptFunction(home.adopt(new GraphFunction(function)));
    }
  }

  /**
   * Calls it.
   *
   * @param arguments tensors, lists of tensors, {@link Values}, doubles and longs, in order
   * @return its results, in the innermost scope
   * @throws NativeException if an operator refuses its arguments
   */
  public List<Tensor> call(List<?> arguments) {
    try (Scope call = Scope.open("call")) {
      IValueVector stack = stack(arguments);
      run(stack);
      List<Tensor> results = new ArrayList<>();
      if (!stack.empty()) {
        collect(stack.get(0), results);
      }
      results.forEach(call::keep);
      return results;
    }
  }

  /** A list of tensors as TorchScript has it: made once, handed in often. */
  public static final class Values {
    private final IValue list;

    private Values(IValue list) {
      this.list = list;
    }

    /** In the innermost scope. */
    public static Values of(List<Tensor> tensors) {
      return new Values(list(tensors));
    }

    /** In another scope than the innermost one. */
    public static Values of(Scope home, List<Tensor> tensors) {
      try (Scope _ = Scope.open("list")) {
        return new Values(home.adopt(list(tensors)));
      }
    }

    /** One of them, in the innermost scope. */
    public Tensor get(int index) {
      return Tensor.wrap(new org.bytedeco.pytorch.Tensor(list.toTensorList().get(index)));
    }
  }

  /**
   * Calls a function of a list of tensors as its result, which stays one.
   *
   * @return in the innermost scope
   */
  public Values values(List<?> arguments) {
    IValueVector stack = stack(arguments);
    run(stack);
    return new Values(new IValue(stack.get(0)));
  }

  /** As {@link #call}, of a function that gives one tensor. */
  public Tensor apply(List<?> arguments) {
    return call(arguments).get(0);
  }

  private static IValueVector stack(List<?> arguments) {
    IValueVector stack = new IValueVector(arguments.size());
    for (int i = 0; i < arguments.size(); i++) {
      stack.put(i, value(arguments.get(i)));
    }
    return stack;
  }

  private void run(IValueVector stack) {
    Tensor.call(
        () -> {
          function.run(stack);
          return null;
        });
  }

  private static IValue value(Object argument) {
    return switch (argument) {
      case Tensor tensor -> new IValue(tensor.pointer);
      case Double number -> new IValue(number);
      case Long number -> new IValue((long) number);
      case List<?> tensors -> list(tensors);
      case Values values -> values.list;
      default -> throw new IllegalArgumentException("no argument of TorchScript: " + argument);
    };
  }

  /**
   * The presets make lists of anything out of anything but tensors; in memory they are the same.
   */
  private static IValue list(List<?> tensors) {
    TensorVector vector = new TensorVector(tensors.size());
    for (int i = 0; i < tensors.size(); i++) {
      vector.put(i, ((Tensor) tensors.get(i)).pointer);
    }
    return new IValue(new GenericList(new TensorList(vector)));
  }

  private static void collect(IValue value, List<Tensor> results) {
    if (value.isTensor()) {
      results.add(Tensor.wrap(new org.bytedeco.pytorch.Tensor(value.toTensor())));
    } else if (value.isTensorList()) {
      TensorVector list = value.toTensorVector();
      for (long i = 0; i < list.size(); i++) {
        results.add(Tensor.wrap(new org.bytedeco.pytorch.Tensor(list.get(i))));
      }
    }
  }
}
