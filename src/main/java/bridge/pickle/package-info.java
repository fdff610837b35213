/**
 * The one machine that reads Python's pickles, {@link bridge.pickle.Unpickler}, and the writer of
 * plain ones. Nothing that a pickle names is ever run: what few names mean, and which opcodes may
 * stand in it, each user says ({@link bridge.pickle.Globals}, {@link bridge.pickle.PickleFormat}).
 *
 * <p>Nothing here may know tensors, data sets or layouts of files; bytes come from a {@link
 * bridge.pickle.Source}.
 */
package bridge.pickle;
