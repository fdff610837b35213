package bridge.architecture;

/**
 * What the data decides about a network.
 *
 * @param channels of an image
 * @param classes that are told apart, the width of the logits
 * @param imageSize height and width of an image in pixels
 */
public record Dimensions(int channels, int classes, int imageSize) {}
