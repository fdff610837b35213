package bridge.graph;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.ScopedTest;
import bridge.torch.Device;
import bridge.torch.Generator;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Frozen graphs as libtorch prints them. */
final class ScriptReaderTest extends ScopedTest {
  private Generator random;

  @BeforeEach
  void seed() {
    random = Generator.on(Device.CPU, 4);
  }

  private Map<String, Tensor> weights() {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put("fc.weight", Tensor.randn(random, Device.CPU, 5, 12));
    weights.put("fc.bias", Tensor.randn(random, Device.CPU, 5));
    return weights;
  }

  private static String graph(String... lines) {
    return """
    graph(%self.1 : __torch__.Net,
          %x.1 : Tensor):
      %one : int = prim::Constant[value=1]() # net.py:3:1
      %zero : int = prim::Constant[value=0]()
      %minus : int = prim::Constant[value=-1]()
      %self.fc.weight : Float(5, 12, strides=[12, 1]) = prim::Constant[value=<Tensor>]()
      %self.fc.bias : Float(5, strides=[1]) = prim::Constant[value= 0.1 0.2 [ CPUFloatType{5} ]]()
    """
        + "  "
        + String.join("\n  ", lines)
        + "\n";
  }

  private Tensor images() {
    return Tensor.uniform(0, 1, random, Device.CPU, 3, 3, 2, 2);
  }

  private float[] logits(String text, Tensor images, Map<String, Tensor> weights) {
    Compiler compiler = Compiler.read(Scope.innermost(), text, images, weights, List.of());
    return compiler.program().infer(images).get(0).toFloats();
  }

  /** As tracing writes {@code x.view(x.size(0), -1)}, and scripting. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "%f : Tensor = aten::flatten(%x.1, %one, %minus)",
        "%n : int = aten::size(%x.1, %zero)\n  %s : int[] = prim::ListConstruct(%n, %minus)\n"
            + "  %f : Tensor = aten::view(%x.1, %s)",
        "%n : int = aten::size(%x.1, %zero)\n  %t : Tensor = prim::NumToTensor(%n)\n"
            + "  %i : int = aten::Int(%t)\n  %s : int[] = prim::ListConstruct(%i, %minus)\n"
            + "  %f : Tensor = aten::reshape(%x.1, %s)"
      })
  void shapesThatNameTheBatchServeAnyBatch(String flatten) {
    Map<String, Tensor> weights = weights();
    Tensor images = images();
    String text =
        graph(
            flatten,
            "%y : Tensor = aten::linear(%f, %self.fc.weight, %self.fc.bias) # net.py:9:2",
            "return (%y)");
    Compiler compiler = Compiler.read(Scope.innermost(), text, images, weights, List.of());
    Tensor other = Tensor.uniform(0, 1, random, Device.CPU, 7, 3, 2, 2);
    Tensor expected = other.flatten(1).linear(weights.get("fc.weight"), weights.get("fc.bias"));
    assertArrayEquals(
        expected.toFloats(), compiler.program().infer(other).get(0).toFloats(), 1e-5f);
  }

  /** Arguments that can only be named, as those of {@code mean} and {@code gelu}. */
  @Test
  void defaultsAreLeftOut() {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put("fc.weight", Tensor.randn(random, Device.CPU, 5, 3));
    weights.put("fc.bias", Tensor.randn(random, Device.CPU, 5));
    Tensor images = images();
    String text =
        graph(
            "%dims : int[] = prim::Constant[value=[2, 3]]()",
            "%no : bool = prim::Constant[value=0]()",
            "%none : NoneType = prim::Constant()",
            "%how : str = prim::Constant[value=\"none\"]()",
            "%g : Tensor = aten::gelu(%x.1, %how)",
            "%m : Tensor = aten::mean(%g, %dims, %no, %none)",
            "%y : Tensor = aten::linear(%m, %self.fc.weight, %self.fc.bias)",
            "return (%y)");
    Tensor expected =
        images.gelu().mean(2, 3).linear(weights.get("fc.weight"), weights.get("fc.bias"));
    assertArrayEquals(expected.toFloats(), logits(text, images, weights), 1e-5f);
  }

  @Test
  void inPlaceChangesEveryNameOfTheTensor() {
    Map<String, Tensor> weights = weights();
    Tensor images = images();
    String text =
        graph(
            "%f : Tensor = aten::flatten(%x.1, %one, %minus)",
            "%a : Tensor = aten::linear(%f, %self.fc.weight, %self.fc.bias)",
            "%b : Tensor = aten::relu_(%a)",
            "%y : Tensor = aten::add(%a, %b, %one)",
            "return (%y)");
    Tensor relu = images.flatten(1).linear(weights.get("fc.weight"), weights.get("fc.bias")).relu();
    assertArrayEquals(relu.add(relu).toFloats(), logits(text, images, weights), 1e-5f);
  }

  @Test
  void checksOfShapesAreLeftOut() {
    Map<String, Tensor> weights = weights();
    Tensor images = images();
    String text =
        graph(
            "%d : int = aten::dim(%x.1)",
            "%w : bool = aten::ne(%d, %one)",
            " = prim::If(%w)",
            "  block0():",
            "     = prim::RaiseException(%d)",
            "    -> ()",
            "%f : Tensor = aten::flatten(%x.1, %one, %minus)",
            "%y : Tensor = aten::linear(%f, %self.fc.weight, %self.fc.bias)",
            "return (%y)");
    Tensor expected = images.flatten(1).linear(weights.get("fc.weight"), weights.get("fc.bias"));
    assertArrayEquals(expected.toFloats(), logits(text, images, weights), 1e-5f);
  }

  private void refuses(String reason, String... lines) {
    var e = assertThrows(Graph.Unsupported.class, () -> logits(graph(lines), images(), weights()));
    assertTrue(e.getMessage().contains(reason), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }

  @Test
  void whatIsNotUnderstoodIsSaid() {
    refuses(
        "control flow",
        "%y : Tensor = prim::If(%one)",
        "  block0():",
        "    -> (%x.1)",
        "return (%y)");
    refuses(
        "draws at random",
        "%p : float = prim::Constant[value=0.5]()",
        "%t : bool = prim::Constant[value=1]()",
        "%y : Tensor = aten::dropout(%x.1, %p, %t)",
        "return (%y)");
    refuses(
        "a view in place",
        "%f : Tensor = aten::flatten(%x.1, %one, %minus)",
        "%y : Tensor = aten::relu_(%f)",
        "return (%y)");
    refuses(
        "operator cumsum has no gradient here",
        "%f : Tensor = aten::flatten(%x.1, %one, %minus)",
        "%n : NoneType = prim::Constant()",
        "%y : Tensor = aten::cumsum(%f, %one, %n)",
        "return (%y)");
    refuses("does not give one tensor", "%y : Tensor = aten::relu(%x.1)");
  }

  @Test
  void aConstantThatIsNoParameterIsNotGuessed() {
    refuses(
        "constants that are no parameters",
        "%c : Float(1, strides=[1]) = prim::Constant[value={3}]()",
        "%y : Tensor = aten::mul(%x.1, %c)",
        "return (%y)");
  }
}
