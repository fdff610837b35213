package bridge.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.BridgeException;
import bridge.UsageException;
import bridge.checkpoint.CheckpointException;
import bridge.checkpoint.Checkpoints;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Names of models, and weights from files. */
class ModelsTest {
  private Scope scope;

  @BeforeEach
  void open() {
    scope = Scope.open("test");
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Network build(String text, long seed) {
    return Models.build(
        ModelSpec.parse(text), 1, 10, 28, Normalisation.NONE, new Seeds(seed), Device.CPU);
  }

  @Test
  void namesAreReadInTheirThreeForms(@TempDir Path folder) throws IOException {
    assertEquals(
        new ModelSpec.BuiltIn("resnet20", "resnet20", Map.of(), Optional.empty()),
        ModelSpec.parse("resnet20"));
    Path file = Files.createFile(folder.resolve("a@b.pth"));
    String text = "mobilenetv2:width=0.5,classes=10@" + file;
    assertEquals(
        new ModelSpec.BuiltIn(
            text, "mobilenetv2", Map.of("width", "0.5", "classes", "10"), Optional.of(file)),
        ModelSpec.parse(text));
    assertEquals(new ModelSpec.ModelFile(file.toString(), file), ModelSpec.parse(file.toString()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "resnt18 | did you mean resnet18?; there are ",
        "resnet21 | or 6n + 2 such as 20",
        "rasnet | neither a file nor an architecture",
        "net.pt | file net.pt does not exist",
        "src | is a folder",
        "resnet8@none.pth | file none.pth does not exist",
        "resnet8:width | options must read KEY=VALUE",
        "resnet8:width=4,width=8 | each once",
        "resnet8:widht=4 | unknown key model resnet8.widht; did you mean width?",
        "resnet8:width=2.5 | model resnet8.width must be a whole number",
        "resnet8:width=-1 | model resnet8.width must be a number from 1",
        "resnet18:stride=2 | unknown key model resnet18.stride",
        "resnet8:classes=100 | classes is 100, but the data has 10",
        "resnet8:channels=3 | channels is 3, but the data has 1"
      })
  void whatCannotBeIsSaidInOneLine(String text, String message) {
    UsageException e = assertThrows(UsageException.class, () -> build(text, 1));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }

  @Test
  void aCheckpointGivesTheSameLogits(@TempDir Path folder) {
    Network saved = build("resnet8:width=4", 1);
    Path file = folder.resolve("net.pth");
    Checkpoints.write(file, saved.stateDict());
    Network loaded = build("resnet8:width=4@" + file, 2);
    Tensor x = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 2, 1, 28, 28);
    assertArrayEquals(saved.logits(x).toFloats(), loaded.logits(x).toFloats());
    assertTrue(loaded.parameters().get("conv1.weight").requiresGrad());
  }

  @Test
  void aCheckpointOfAnotherNetworkIsRefused(@TempDir Path folder) {
    Path file = folder.resolve("net.pth");
    Checkpoints.write(file, build("resnet8:width=4", 1).stateDict());
    BridgeException e =
        assertThrows(CheckpointException.class, () -> build("resnet8:width=8@" + file, 2));
    assertTrue(e.getMessage().contains("conv1.weight is [4, 1, 3, 3], not [8, 1, 3, 3]"));
  }

  @Test
  void tensorsAreLoadedByNameAndConverted() {
    Network from = build("resnet8:width=4", 1);
    Network to = build("resnet8:width=4", 2);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    from.stateDict()
        .forEach(
            (name, t) -> {
              if (!name.endsWith("num_batches_tracked")) {
                tensors.put(name, t.detach().to(DType.FLOAT64));
              }
            });
    StateDicts.load(to, tensors);
    from.parameters()
        .forEach(
            (name, t) -> assertArrayEquals(t.toFloats(), to.parameters().get(name).toFloats()));
    assertEquals(DType.FLOAT32, to.parameters().get("fc.weight").dtype());
  }

  @Test
  void differencesAreNamedAndNothingIsLoaded() {
    Network network = build("resnet8:width=4", 1);
    Map<String, Tensor> tensors = new LinkedHashMap<>(network.stateDict());
    tensors.remove("conv1.weight");
    tensors.put("fc.bias", Tensor.full(9, DType.FLOAT32, Device.CPU, 100));
    tensors.put("a", Tensor.of(new float[] {1}));
    tensors.put("b", Tensor.of(new float[] {1}));
    tensors.put("bn1.bias", Tensor.full(9, DType.FLOAT32, Device.CPU, 4));
    UsageException e = assertThrows(UsageException.class, () -> StateDicts.load(network, tensors));
    assertEquals(
        "the saved tensors do not fit resnet8:width=4: conv1.weight is missing,"
            + " fc.bias is [100], not [10], a is not expected and 1 more",
        e.getMessage());
    assertEquals(0, network.parameters().get("bn1.bias").abs().max().item());
  }

  @Test
  void featuresBecomeVectors() {
    Tensor map = Tensor.of(new float[] {1, 2, 3, 4, 5, 6, 7, 9}, 1, 2, 2, 2);
    assertArrayEquals(new float[] {2.5f, 6.75f}, Features.vector(map).toFloats());
    Tensor tokens = Tensor.of(new float[] {1, 2, 3, 4}, 1, 2, 2);
    assertArrayEquals(new float[] {2, 3}, Features.vector(tokens).toFloats());
    Tensor vector = Tensor.of(new float[] {1, 2}, 1, 2);
    assertEquals(vector, Features.vector(vector));
    assertThrows(UsageException.class, () -> Features.vector(Tensor.of(new float[] {1})));
  }

  @Test
  void normalisationIsChecked() {
    assertThrows(UsageException.class, () -> new Normalisation(List.of(0.5), List.of()));
    assertThrows(UsageException.class, () -> new Normalisation(List.of(0.5), List.of(0.0)));
  }
}
