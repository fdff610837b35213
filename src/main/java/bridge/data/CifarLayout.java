package bridge.data;

import java.util.List;
import java.util.Map;

/** How CIFAR-10 and CIFAR-100 are laid out and published, and what their classes are called. */
enum CifarLayout {
  CIFAR10(
      "cifar10",
      "cifar-10-batches-py",
      "cifar-10-batches-bin",
      List.of("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"),
      List.of("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
      "test_batch",
      1,
      "labels",
      "airplane automobile bird cat deer dog frog horse ship truck"),
  CIFAR100(
      "cifar100",
      "cifar-100-python",
      "cifar-100-binary",
      List.of("cifar-100-python.tar.gz", "cifar-100-binary.tar.gz"),
      List.of("train"),
      "test",
      2,
      "fine_labels",
      """
      apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
      butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
      crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
      keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse
      mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
      porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
      snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
      tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm\
      """);

  /** The publisher's MD5 of the archives, and of the members of the Python version. */
  private static final Map<String, String> MD5 =
      Map.ofEntries(
          Map.entry("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
          Map.entry("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
          Map.entry("data_batch_1", "c99cafc152244af753f735de768cd75f"),
          Map.entry("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
          Map.entry("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
          Map.entry("data_batch_4", "634d18415352ddfa80567beed471001a"),
          Map.entry("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
          Map.entry("test_batch", "40351d587109b95175f43aff81a1287e"),
          Map.entry("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
          Map.entry("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
          Map.entry("train", "16019d7e3df5f24257cddd939b257f8d"),
          Map.entry("test", "f0ef6b0ae62326f3e7ffdfab6717acfc"));

  final String set;
  final String pythonFolder;
  final String binaryFolder;
  final List<String> archives;
  private final List<String> training;
  private final String test;

  /** Label bytes before the pixels of a binary record; the last of them is the class. */
  final int labelBytes;

  /** The key of the class indices in the Python version. */
  final String labelKey;

  final List<String> classNames;

  CifarLayout(
      String set,
      String pythonFolder,
      String binaryFolder,
      List<String> archives,
      List<String> training,
      String test,
      int labelBytes,
      String labelKey,
      String classNames) {
    this.set = set;
    this.pythonFolder = pythonFolder;
    this.binaryFolder = binaryFolder;
    this.archives = archives;
    this.training = training;
    this.test = test;
    this.labelBytes = labelBytes;
    this.labelKey = labelKey;
    this.classNames = List.of(classNames.split("\\s+"));
  }

  /** The split's files in order, as the Python version names them; binary ones end in .bin. */
  List<String> members(Split split) {
    return split == Split.TRAIN ? training : List.of(test);
  }

  /** The publisher's MD5 of a file, by its name; null where none is known. */
  static String md5(String file) {
    return MD5.get(file);
  }
}
