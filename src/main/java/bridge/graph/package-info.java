/**
 * A network's forward pass in evaluation mode as data, and what is compiled from it: batch
 * normalisation folded into the convolutions, the gradient of the images written by hand. Knows no
 * network, objective or attack; a graph comes from a {@link bridge.torch.Recording} or from a
 * TorchScript module.
 */
package bridge.graph;
