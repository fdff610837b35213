package bridge.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import bridge.UsageException;
import bridge.checkpoint.Checkpoints;
import bridge.torch.DType;
import bridge.torch.Device;
import bridge.torch.Scope;
import bridge.torch.Seeds;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A state_dict with its card is a model by itself, and the card is believed only if it is true. */
class ModelCardTest {
  private static final Normalisation GREY = new Normalisation(List.of(0.25), List.of(0.5));

  @TempDir Path folder;
  private Scope scope;
  private Path file;

  @BeforeEach
  void save() {
    scope = Scope.open("test");
    file = folder.resolve("net.pth");
    Checkpoints.write(file, build("resnet8:width=4", Normalisation.NONE).stateDict());
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private static Network build(String model, Normalisation normalisation) {
    return Models.build(ModelSpec.parse(model), 1, 10, 28, normalisation, new Seeds(1), Device.CPU);
  }

  private void card(String json) throws IOException {
    Files.writeString(folder.resolve("net.json"), json);
  }

  private float[] logits(String model, Normalisation normalisation) {
    Network network = build(model, normalisation);
    network.train(false);
    return network.logits(Tensor.full(0.75, DType.FLOAT32, Device.CPU, 1, 1, 28, 28)).toFloats();
  }

  @Test
  void aCardGivesArchitectureAndNormalisation() throws IOException {
    card(
        """
        {"architecture": "resnet8:width=4", "classes": 10, "channels": 1, "source": "made here",
         "normalisation": {"mean": [0.25], "std": [0.5]}, "accuracy": {"clean_test": 0.9},
         "sha256": {"net.pth": "%s", "other.pth": "0"}}
        """
            .formatted(Checkpoints.sha256(file)));
    float[] named = logits("resnet8:width=4@" + file, GREY);
    assertArrayEquals(named, logits(file.toString(), Normalisation.NONE));
    assertArrayEquals(named, logits("resnet8:width=4@" + file, Normalisation.NONE));
    Normalisation said = new Normalisation(List.of(0.0), List.of(0.5));
    float[] other = logits(file.toString(), said);
    assertArrayEquals(logits("resnet8:width=4@" + file, said), other);
    assertFalse(java.util.Arrays.equals(named, other));
    assertEquals(
        "normalised by mean [0.25] and std [0.5]",
        build(file.toString(), Normalisation.NONE).normalisation());
  }

  /**
   * Training goes on from weights that were normalised for: their normalisation stays with them.
   */
  @Test
  void aCardIsHandedOn() throws IOException {
    String card =
        """
        {"architecture":"resnet8:width=4","channels":1,"classes":10,\
        "normalisation":{"mean":[0.25],"std":[0.5]},"data":"d","source":"s"}\
        """;
    card(card);
    for (String name : List.of(file.toString(), "resnet8:width=4@" + file)) {
      assertEquals(
          card,
          Models.card(ModelSpec.parse(name), 1, 10, Normalisation.NONE, "d", "s")
              .orElseThrow()
              .toString());
    }
    assertTrue(
        Models.card(ModelSpec.parse("models/fmnist-vgg.pt"), 1, 10, Normalisation.NONE, "d", "s")
            .isEmpty());
  }

  @Test
  void normalisationInsideTheNetworkIsNotAppliedAgain() throws IOException {
    card(
        """
        {"architecture": "resnet8:width=4",
         "normalisation": {"mean": [0.25], "std": [0.5], "where": "inside the network"}}
        """);
    assertArrayEquals(
        logits("resnet8:width=4@" + file, Normalisation.NONE),
        logits(file.toString(), Normalisation.NONE));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'classes': 100} | says 100 classes, but the data has 10",
        "{'channels': 3} | says 3 channels, but the data has 1",
        "{'classes': 'ten'} | net.json.classes must be a number",
        "{'normalisation': {'mean': [0.5]}} | as many std as mean",
        "{'sha256': {'net.pth': '00ff'}} | gives net.pth the sha256 00ff, but it has",
        "{'architecture': 'resnet8:widht=4'} | unknown key model resnet8.widht",
        "{'architecture' | cannot be read",
      })
  void aWrongCardIsSaidInOneLine(String json, String message) throws IOException {
    card(json.replace('\'', '"'));
    UsageException e =
        assertThrows(
            UsageException.class,
            () ->
                build(
                    json.contains("architecture") ? file.toString() : "resnet8:width=4@" + file,
                    Normalisation.NONE));
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(1, e.getMessage().lines().count());
  }

  @Test
  void withoutCardTheUserIsToldWhatFits() throws IOException {
    card("{\"architecture\": \"A small residual network.\"}");
    UsageException e =
        assertThrows(UsageException.class, () -> build(file.toString(), Normalisation.NONE));
    assertEquals(
        "model %s is no TorchScript but a state_dict; name its architecture with it: %s"
            .formatted(file, "resnet8:width=4@" + file + " or resnet8:width=4,stride=2@" + file),
        e.getMessage());
  }
}
