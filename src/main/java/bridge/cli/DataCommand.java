package bridge.cli;
@picocli.CommandLine.Command(name = "data")
final class DataCommand {}
