package bridge.data;

import java.util.List;

/** A data set where it lies: one implementation for each format. */
interface DataSource {

  /**
   * Reads one split.
   *
   * @throws DataException if a file is damaged or of another format
   * @throws bridge.UsageException if there is no such data set at the place named
   */
  ImageSet read(Split split);

  /** The files whose checksums are worth telling: those that were published as they are. */
  List<PublishedFile> files();
}
