package bridge.method;

import bridge.torch.Tensor;

/**
 * One batch as a method sees it.
 *
 * @param images float [N, C, H, W] in [0, 1]
 * @param labels int64 [N]
 * @param epoch counted from 1
 * @param step optimiser steps of the run so far, this one included, counted from 1
 */
public record Inputs(Tensor images, Tensor labels, int epoch, long step) {}
