/**
 * Classifiers behind one interface, {@link bridge.model.Network}: architectures of our own with the
 * public state_dict names, and any TorchScript file.
 */
package bridge.model;
