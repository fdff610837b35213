package bridge.train;

import bridge.Json;

/**
 * Where a run stands, as it is saved beside the tensors.
 *
 * @param epoch the epoch in progress, from 1 on
 * @param stepInEpoch its steps done
 * @param step all steps done
 * @param images images seen in this epoch
 * @param averaged how many epochs are in SWA's mean
 * @param bestEpoch 0 while there is none
 */
record Position(
    int epoch,
    long stepInEpoch,
    long step,
    long images,
    int averaged,
    int bestEpoch,
    double bestValue) {

  static final Position BEGINNING = new Position(1, 0, 0, 0, 0, 0, -1);

  String toJson() {
    return Json.line(this);
  }

  static Position fromJson(String json) {
    return Json.GSON.fromJson(json, Position.class);
  }

  Position afterStep(long images) {
    return new Position(
        epoch, stepInEpoch + 1, step + 1, this.images + images, averaged, bestEpoch, bestValue);
  }

  Position nextEpoch(int averaged, int bestEpoch, double bestValue) {
    return new Position(epoch + 1, 0, step, 0, averaged, bestEpoch, bestValue);
  }
}
