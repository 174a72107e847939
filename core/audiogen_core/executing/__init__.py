"""How the batches of a run are given to an executor, and how workers make them."""
