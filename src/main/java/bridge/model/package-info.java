/**
 * Classifiers behind one interface, {@link bridge.model.Network}: the architectures of {@code
 * bridge.architecture}, with the public state_dict names, and any TorchScript file.
 *
 * <p>Here a model's name becomes a network with its weights, its normalisation and its precision,
 * and here is known what stands beside a checkpoint, its {@link bridge.model.ModelCard}. File
 * formats are read in {@code bridge.checkpoint}. Attacks, losses and training are unknown here.
 */
package bridge.model;
