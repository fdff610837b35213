package bridge.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.checkpoint.Checkpoints;
import bridge.model.ModelSpec;
import bridge.model.Models;
import bridge.model.Network;
import bridge.model.Normalisation;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code inspect} and {@code convert}, as a user has them. */
class InspectConvertTest {
  private static final Path GOLDEN = Path.of("tests/golden/checkpoints");

  @TempDir Path folder;

  /** Saves a small network, each name behind a prefix. */
  private Path save(String name, String prefix) {
    Path file = folder.resolve(name);
    try (Scope _ = Scope.open("save")) {
      Map<String, Tensor> state = new LinkedHashMap<>();
      network("resnet14:width=4", 1).stateDict().forEach((key, t) -> state.put(prefix + key, t));
      Checkpoints.write(file, state);
    }
    return file;
  }

  private static String output(String... args) {
    Console.Ran ran = Console.run(args);
    assertEquals("", ran.err());
    assertEquals(0, ran.status());
    return ran.out();
  }

  private static void refused(int status, String message, String... args) {
    Console.Ran ran = Console.run(args);
    assertEquals(status, ran.status(), ran.err());
    assertEquals(1, ran.err().lines().count(), ran.err());
    assertTrue(ran.err().contains(message), ran.err());
  }

  private static JsonObject json(Path file) {
    return JsonParser.parseString(output("inspect", file.toString(), "--json")).getAsJsonObject();
  }

  @Test
  void inspectSaysHowAFileIsUsed() {
    Path file = save("net.pth", "module.");
    String text = output("inspect", file.toString());
    assertTrue(text.contains("layout   PyTorch zip (1.6 and later)\n"), text);
    assertTrue(text.contains("prefix   module. taken off every name\n"), text);
    assertTrue(text.contains("fits     resnet14:width=4: 11,323 parameters, 3 channels, 7"), text);
    assertTrue(text.contains("use as   resnet14:width=4@" + file + "\n"), text);
    assertTrue(text.contains("\n  fc.bias ") && text.contains(" float32  [7]\n"), text);
    assertTrue(text.contains("a card to complete and save as " + folder.resolve("net.json")), text);
    assertFalse(Files.exists(folder.resolve("net.json")));
  }

  @Test
  void theProposedCardMakesTheFileAModel() {
    Path file = save("net.pth", "");
    output("inspect", file.toString(), "--write-card");
    JsonObject found = json(file);
    assertEquals(file.toString(), found.get("model").getAsString());
    assertEquals(folder.resolve("net.json").toString(), found.get("card").getAsString());
    refused(2, "net.json cannot be written", "inspect", file.toString(), "--write-card");
    try (Scope _ = Scope.open("load")) {
      assertEquals(7, network(file.toString(), 1).classes());
    }
  }

  @Test
  void theNearestArchitectureIsNamedWithWhatDiffers() {
    Path file = save("net.safetensors", "");
    Path other = folder.resolve("other.pth");
    try (Scope _ = Scope.open("change");
        var read = Checkpoints.read(file)) {
      Map<String, Tensor> state = new LinkedHashMap<>(read.tensors());
      state.put("bn1.bias", Tensor.of(new float[5], 5));
      state.put("extra", Tensor.of(new float[2], 2));
      state.remove("fc.bias");
      Checkpoints.write(other, state);
    }
    JsonObject fit = json(other).getAsJsonArray("fits").get(0).getAsJsonObject();
    assertEquals("resnet14:width=4", fit.get("architecture").getAsString());
    assertFalse(fit.get("exact").getAsBoolean());
    assertEquals("[\"fc.bias [7]\"]", fit.get("missing").toString());
    assertEquals("[\"extra [2]\"]", fit.get("unexpected").toString());
    assertEquals("[\"bn1.bias is [5], not [4]\"]", fit.get("misshapen").toString());
  }

  @Test
  void everyLayoutIsNamedByItsContent() throws IOException {
    Map<String, String> layouts =
        Map.of(
            "nested_net.t7", "ZIP",
            "legacy_torch113_state_dict.pt", "LEGACY",
            "legacy_tar.tar", "TAR",
            "state_dict.safetensors", "SAFETENSORS",
            "torchscript_scripted_torch213.pt", "TORCHSCRIPT");
    for (var e : layouts.entrySet()) {
      JsonObject found = json(GOLDEN.resolve(e.getKey()));
      assertEquals(e.getValue(), found.get("format").getAsString(), e.getKey());
      int counters = e.getValue().equals("TAR") ? 0 : 3; // there were none at the time
      assertEquals(18 + counters, found.getAsJsonArray("tensors").size(), e.getKey());
    }
    assertEquals(
        "state_dict",
        json(GOLDEN.resolve("nested_state_dict_epoch_optimizer.pth.tar"))
            .get("under")
            .getAsString());
  }

  @Test
  void convertUndoesWrapperAndPrefix() throws IOException {
    Path wrapped = GOLDEN.resolve("nested_state_dict_module_prefix.pth.tar");
    Path safe = folder.resolve("plain.safetensors");
    Path back = folder.resolve("back.pth");
    assertEquals(
        "%s: 21 tensors from %s (PyTorch zip (1.6 and later)); found under state_dict; prefix module. taken off\n"
            .formatted(safe, wrapped),
        output("convert", wrapped.toString(), safe.toString()));
    output("convert", safe.toString(), back.toString());
    try (Scope _ = Scope.open("compare");
        var first = Checkpoints.read(wrapped);
        var last = Checkpoints.read(back)) {
      assertEquals(List.copyOf(first.tensors().keySet()), List.copyOf(last.tensors().keySet()));
      first
          .tensors()
          .forEach(
              (name, t) ->
                  assertEquals(
                      0,
                      t.sub(last.tensors().get(name)).abs().max().item(),
                      () -> name + " differs"));
    }
    assertEquals(2, files());
  }

  private long files() throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.count();
    }
  }

  @Test
  void convertFusesTheBranchesOfRepVgg() {
    Path file = folder.resolve("repvgg.pth");
    Path out = folder.resolve("deploy.pth");
    try (Scope _ = Scope.open("repvgg")) {
      var training = network("repvgg-a0:width=0.125", 1);
      Checkpoints.write(file, training.stateDict());
      String deploy = "repvgg-a0:width=0.125,deploy=true";
      String told = output("convert", file.toString(), out.toString(), "--arch", deploy);
      assertTrue(told.contains("; branches fused"), told);
      var deployed = network(deploy + "@" + out, 2);
      training.train(false);
      deployed.train(false);
      Tensor x = Tensor.full(0.5, DType.FLOAT32, Device.CPU, 2, 3, 32, 32);
      Tensor expected = training.logits(x);
      double size = expected.abs().max().item();
      assertTrue(size > 0);
      assertEquals(0, deployed.logits(x).sub(expected).abs().max().item(), 1e-4 * size);
    }
  }

  private static Network network(String model, long seed) {
    return Models.build(
        ModelSpec.parse(model), 3, 7, 32, Normalisation.NONE, new Seeds(seed), Device.CPU);
  }

  @Test
  void convertChecksAgainstAnArchitecture() throws IOException {
    Path file = save("net.pth", "");
    Path out = folder.resolve("out.pth");
    refused(
        1,
        "conv1.weight is [4, 3, 3, 3], not [16, 3, 3, 3]",
        "convert",
        file.toString(),
        out.toString(),
        "--arch",
        "resnet14");
    refused(
        2,
        "unknown architecture resnt14; did you mean resnet14?",
        "convert",
        file.toString(),
        out.toString(),
        "--arch",
        "resnt14");
    refused(2, "convert needs a new file", "convert", file.toString(), file.toString());
    refused(
        1,
        "nothing under ema",
        "convert",
        GOLDEN.resolve("state_dict.safetensors").toString(),
        out.toString(),
        "--under=ema");
    refused(2, "does not exist", "convert", folder.resolve("none").toString(), out.toString());
    assertEquals(1, files());
    output("convert", file.toString(), out.toString(), "--arch", "resnet14:width=4");
    assertEquals(Files.size(file), Files.size(out));
  }
}
