/**
 * Training: from a recipe to networks, data, method and optimiser, the loop, and the run's folder.
 *
 * <p>{@link bridge.train.Trainer} is the story of a run and {@code Session} is what the run owns;
 * everything that a resumed run needs goes through {@code TrainingState}. Optimisers, schedules and
 * averages live here too. No method, attack or data set is known here by name: the recipe names
 * them and their own packages find them. Nothing is printed or drawn here; a {@link
 * bridge.train.Listener} receives what happens.
 */
package bridge.train;
