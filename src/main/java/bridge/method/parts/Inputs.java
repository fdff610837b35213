package bridge.method.parts;

import bridge.torch.Tensor;

/**
 * One batch as a method sees it.
 *
 * @param images float [N, C, H, W] in [0, 1]
 * @param labels int64 [N]
 * @param indices of the images in their data set, for methods that remember samples
 * @param epoch counted from 1
 * @param step optimiser steps of the run so far, this one included, counted from 1
 * @param scheduleFactor the schedule's factor of the learning rate at this step, for methods with
 *     rates of their own that fall with it
 */
public record Inputs(
    Tensor images, Tensor labels, int[] indices, int epoch, long step, double scheduleFactor) {}
