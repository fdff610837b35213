/**
 * Attacks: one class each behind {@link bridge.attack.Attack}, and what several of them share (the
 * ε-ball, starts, restarts, the images that survived a round). {@link bridge.attack.Attacks} has a
 * line for each that has a name; an attack says itself whether it starts at random, takes restarts,
 * goes towards target classes or needs a number of classes. Everything works on one batch of
 * tensors and leaves the network as it was: nothing here knows data sets, files, methods or how
 * accuracies are counted.
 */
package bridge.attack;
