package bridge.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import bridge.files.WholeFile;
import bridge.torch.Scope;
import bridge.torch.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * There and back: Python reads what is written here and writes it again, in each of its layouts.
 * Needs the environment variable {@code BRIDGE_PYTHON}, an interpreter with PyTorch (1.13 or
 * later).
 */
@Tag("python")
final class PythonCheckpointsTest {
  private static final String SCRIPT =
      """
      import sys, collections, torch
      here, back = sys.argv[1:]
      state = torch.load(here, weights_only=True)
      assert type(state) is collections.OrderedDict, type(state)
      assert all(type(t) is torch.Tensor and t.is_contiguous() for t in state.values())
      torch.save(state, back + ".zip.pt")
      torch.save({"epoch": 3, "net": state}, back + ".nested.pt")
      torch.save(state, back + ".legacy.pt", _use_new_zipfile_serialization=False)
      strided = {k: t.transpose(0, 1).contiguous().transpose(0, 1) if t.dim() > 1 else t
                 for k, t in state.items()}
      torch.save(strided, back + ".strided.pt")
      print("\\n".join(state))
      """;

  private static final String SAFETENSORS =
      """
      import sys
      from safetensors import safe_open
      from safetensors.torch import load_file, save_file
      here, back = sys.argv[1:]
      state = load_file(here)
      with safe_open(here, "pt") as f:
          assert (f.metadata() or {}).get("text") == "\\u00fc \\"x\\"", f.metadata()
      save_file(state, back, metadata={"text": "yes"})
      """;

  private static final String TORCHSCRIPT =
      """
      import sys, torch
      from torch import nn
      folder = sys.argv[1]
      for name, dtype in [("float", torch.float32), ("half", torch.float16)]:
          net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4),
                              nn.Sequential(nn.Flatten(), nn.Linear(4, 2))).to(dtype).eval()
          torch.save(net.state_dict(), f"{folder}/{name}.pth")
          torch.jit.script(net).save(f"{folder}/{name}.scripted.pt")
          traced = torch.jit.trace(net, torch.rand(2, 3, 3, 3, dtype=dtype))
          torch.jit.save(traced, f"{folder}/{name}.traced.pt")
      """;

  @TempDir Path folder;

  private record Run(int status, String output) {}

  private static Run python(String script, Object... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(System.getenv("BRIDGE_PYTHON"), "-c", script));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("PYTHONIOENCODING", "utf-8");
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      return new Run(process.waitFor(), output);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static void require(String module) throws IOException {
    Assumptions.assumeTrue(
        System.getenv("BRIDGE_PYTHON") != null, "BRIDGE_PYTHON names no interpreter");
    Run run = python("import " + module);
    Assumptions.assumeTrue(run.status == 0, () -> "BRIDGE_PYTHON cannot: " + run.output);
  }

  @BeforeEach
  void pythonHasTorch() throws IOException {
    require("torch");
  }

  @Test
  void stateDictsGoThereAndBack() throws IOException {
    for (long narrow : new long[] {0xffffffffL, 100}) {
      try (Scope _ = Scope.open("test")) {
        Map<String, Tensor> tensors = SampleTensors.everyKind();
        Path here = folder.resolve("here.pth");
        WholeFile.write(here, out -> StateDictZip.write(new ZipWriter(out, narrow), tensors));
        Run run = python(SCRIPT, here, folder.resolve("back"));
        assertEquals(String.join("\n", tensors.keySet()) + "\n", run.output);
        for (String layout : List.of("zip", "nested", "legacy", "strided")) {
          try (StateDict state = Checkpoints.read(folder.resolve("back." + layout + ".pt"))) {
            assertEquals(layout.equals("nested") ? "net" : "", state.nestedUnder());
            SampleTensors.assertSame(tensors, state.tensors());
          }
        }
      }
    }
  }

  @Test
  void safetensorsGoThereAndBack() throws IOException {
    require("safetensors.torch");
    try (Scope _ = Scope.open("test")) {
      Map<String, Tensor> tensors = SampleTensors.everyKind();
      Path here = folder.resolve("here.safetensors");
      Path back = folder.resolve("back.safetensors");
      TensorFile.write(here, tensors, Map.of("text", "ü \"x\""));
      Run run = python(SAFETENSORS, here, back);
      assertEquals("", run.output);
      try (TensorFile read = TensorFile.read(back)) {
        assertEquals(Map.of("text", "yes"), read.metadata());
        assertEquals(tensors.keySet(), read.tensors().keySet());
        for (var e : tensors.entrySet()) {
          SampleTensors.assertSame(
              Map.of(e.getKey(), e.getValue()), Map.of(e.getKey(), read.tensors().get(e.getKey())));
        }
      }
    }
  }

  @Test
  void torchScriptHoldsItsStateDict() throws IOException {
    Run run = python(TORCHSCRIPT, folder);
    assertEquals(0, run.status, run.output);
    for (String type : List.of("float", "half")) {
      try (Scope _ = Scope.open("test");
          StateDict plain = Checkpoints.read(folder.resolve(type + ".pth"))) {
        for (String how : List.of("scripted", "traced")) {
          Path file = folder.resolve("%s.%s.pt".formatted(type, how));
          try (StateDict read = Checkpoints.read(file)) {
            assertEquals(Format.TORCHSCRIPT, read.format());
            SampleTensors.assertSame(plain.tensors(), read.tensors());
          }
        }
      }
    }
  }
}
