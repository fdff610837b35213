/**
 * The training methods, one file each, their settings with them, and the registry that knows them
 * by name. What several of them are made of is in {@code method.parts}. A method knows networks,
 * losses and tensors; it knows no data set, no file, no attack, and not the loop that calls it.
 */
package bridge.method;
