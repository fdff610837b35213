/**
 * Losses and divergences between logits, labels and target probabilities, with their reductions,
 * and the objectives made of them. Functions of tensors only: no attack, no method, no state.
 */
package bridge.loss;
