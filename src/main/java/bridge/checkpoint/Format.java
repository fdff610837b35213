package bridge.checkpoint;

/** The layouts a checkpoint can have, told by their content, never by the file's name. */
public enum Format {
  ZIP("PyTorch zip (1.6 and later)"),
  LEGACY("PyTorch pickles (before 1.6)"),
  TAR("PyTorch tar (before 0.2)"),
  SAFETENSORS("safetensors"),
  TORCHSCRIPT("TorchScript");

  private final String text;

  Format(String text) {
    this.text = text;
  }

  @Override
  public String toString() {
    return text;
  }
}
