/**
 * The gradient of an objective at images: what is climbed ({@link bridge.gradient.Objective}), as
 * data. Whoever computes gradients of images in another way than asking the networks one after the
 * other belongs here too. What an objective is made of is said above, in {@code loss}, {@code
 * attack} and {@code method}; nothing here knows a loss by name.
 */
package bridge.gradient;
